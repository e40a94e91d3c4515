//! Work outside the machine, whose results come back at any time, in any order and from any thread.

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use simplechat_core::machine::Output;
use simplechat_driver::Options;

use crate::Transport;
use crate::peer;
use crate::toy::{Behaviour, Fact, passive};
use crate::world::{World, close, send};

pub fn a_result_may_come_at_once<D: Transport>() {
    let at_once = Box::new(|effect, handle: &simplechat_driver::Handle<_>| {
        handle.effect_done(effect * 10);
    });
    let world = World::<D>::with_effects(Options::default(), passive(), at_once);
    for effect in 0..1_000 {
        world.act([Output::Effect(effect)]);
        assert_eq!(world.next(), Fact::EffectDone(effect * 10));
    }
    world.stop();
}

pub fn results_may_come_late_in_any_order_and_from_any_thread<D: Transport>() {
    const EFFECTS: u64 = 200;
    let (started, work) = mpsc::channel();
    let hand_over = Box::new(move |effect, handle: &simplechat_driver::Handle<_>| {
        started.send((effect, handle.clone())).unwrap();
    });
    let world = World::<D>::with_effects(Options::default(), passive(), hand_over);
    world.act((0..EFFECTS).map(Output::Effect).collect::<Vec<_>>());
    let work: Vec<_> = work
        .iter()
        .take(usize::try_from(EFFECTS).unwrap())
        .collect();
    assert!(
        work.iter().map(|(effect, _)| *effect).eq(0..EFFECTS),
        "they are begun in the machine's order"
    );
    let all_at_once = Arc::new(Barrier::new(work.len()));
    let threads: Vec<_> = work
        .into_iter()
        .rev()
        .map(|(effect, handle)| {
            let all_at_once = Arc::clone(&all_at_once);
            thread::spawn(move || {
                all_at_once.wait();
                handle.effect_done(effect);
            })
        })
        .collect();
    let mut done = BTreeSet::new();
    for _ in 0..EFFECTS {
        let Fact::EffectDone(effect) = world.next() else {
            panic!("nothing else happens");
        };
        assert!(done.insert(effect), "{effect} came twice");
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(world.stop(), [], "each came once");
}

pub fn a_peer_is_answered_when_the_effect_is_done<D: Transport>() {
    // Asks for an effect for each connection that has finished, and answers when it comes back.
    let mut finished = None;
    let behaviour: Behaviour = Box::new(move |fact, outputs| {
        if let Fact::Finished { conn } = fact {
            finished = Some(*conn);
            outputs.push(Output::Effect(1));
        }
        if let (Fact::EffectDone(_), Some(conn)) = (fact, finished) {
            outputs.extend([send(conn, "checked"), close(conn)]);
        }
    });
    let elsewhere = Box::new(|effect, handle: &simplechat_driver::Handle<_>| {
        let handle = handle.clone();
        thread::spawn(move || handle.effect_done(effect));
    });
    let world = World::<D>::with_effects(Options::default(), behaviour, elsewhere);
    for _ in 0..20 {
        let stream = peer::connect(world.address);
        peer::write(&stream, b"is this right?");
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(peer::read_to_end(&stream), b"checked");
    }
    world.stop();
}

pub fn a_result_after_the_end_does_nothing<D: Transport>() {
    let world = World::<D>::start(Options::default(), passive());
    let handle = world.handle.clone();
    assert_eq!(world.stop(), []);
    handle.effect_done(1);
    assert!(
        handle
            .command(crate::toy::Wish::Do(vec![Output::Effect(2)]))
            .is_ok(),
        "the machine still answers"
    );
}
