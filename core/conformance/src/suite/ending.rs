//! How a driver ends: in order, abandoned, or by a panic; and that it can be started again at once.

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use simplechat_core::machine::{CloseReason, Output};
use simplechat_driver::{Handle, Listener, Options};

use crate::Transport;
use crate::peer;
use crate::toy::{Behaviour, Fact, Toy, Wish, echo, passive};
use crate::world::{World, connect, dialled, send};

/// What a panic said.
fn words(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().expect("it said something")).to_owned(),
    }
}

pub fn an_idle_driver_ends_at_once<D: Transport>() {
    let world = World::<D>::start(
        Options {
            linger: Duration::from_secs(3_600),
            ..Options::default()
        },
        passive(),
    );
    let address = world.address;
    assert_eq!(world.stop(), []);
    assert!(std::net::TcpStream::connect(address).is_err());
}

pub fn what_is_queued_still_arrives<D: Transport>() {
    let world = World::<D>::start(Options::default(), passive());
    let stream = peer::connect(world.address);
    let conn = world.accepted();
    let other = peer::connect(world.address);
    let other_conn = world.accepted();
    let listener = peer::listen();
    let bytes: Vec<u8> = (0..12_000_000_u32)
        .map(|number| number.to_le_bytes()[1])
        .collect();
    let reader = {
        let bytes = bytes.clone();
        std::thread::spawn(move || assert!(peer::read_to_end(&stream) == bytes))
    };
    let short_reader =
        std::thread::spawn(move || assert_eq!(peer::read_to_end(&other), b"closing down"));
    let dialled_reader = std::thread::spawn({
        let listener = listener.try_clone().unwrap();
        move || assert_eq!(peer::read_exactly(&peer::accept(&listener), 4), b"gone")
    });
    world.act([
        send(conn, bytes),
        send(other_conn, "closing down"),
        connect(1, peer::address_of(&listener)),
        send(dialled(1), "gone"),
        Output::Stop,
        send(other_conn, "never said"),
    ]);
    assert_eq!(world.wait(), [], "an ended machine hears no more");
    for reader in [reader, short_reader, dialled_reader] {
        reader.join().unwrap();
    }
}

pub fn who_was_dialled_hears_at_once_that_it_is_over<D: Transport>() {
    let listener = peer::listen();
    let world = World::<D>::start(
        Options {
            linger: Duration::from_secs(3_600),
            ..Options::default()
        },
        passive(),
    );
    let to = peer::address_of(&listener);
    // One is in use, and one is closed already and waits for the peer to end it.
    world.act([
        connect(1, to),
        send(dialled(1), "bye"),
        connect(2, to),
        send(dialled(2), "bye"),
        Output::Close { conn: dialled(2) },
    ]);
    // Peers who wait for more, until they hear that there is none.
    let streams = [(); 2].map(|()| peer::accept(&listener));
    for stream in &streams {
        assert_eq!(peer::read_exactly(stream, 3), b"bye");
    }
    let peers = streams.map(|stream| std::thread::spawn(move || peer::read_to_end(&stream)));
    world.stop();
    for peer in peers {
        assert_eq!(peer.join().unwrap(), b"", "it ends in order");
    }
}

pub fn the_end_comes_though_a_peer_never_reads_or_answers<D: Transport>() {
    end_beside_peers_who_do_not::<D>(World::stop);
}

pub fn one_that_is_dropped_ends_though_a_peer_never_reads_or_answers<D: Transport>() {
    end_beside_peers_who_do_not::<D>(World::abandon);
}

fn end_beside_peers_who_do_not<D: Transport>(end: fn(World<D>) -> Vec<Fact>) {
    let (silent, _fillers) = peer::silent_listener();
    let linger = Duration::from_millis(200);
    let world = World::<D>::start(
        Options {
            linger,
            ..Options::default()
        },
        passive(),
    );
    let _stream = peer::connect(world.address);
    let _silent_stream = peer::connect(world.address);
    let conn = world.accepted();
    world.act([
        send(conn, vec![0; 12_000_000]),
        connect(1, silent),
        send(dialled(1), "hello?"),
    ]);
    let started = Instant::now();
    end(world);
    let took = started.elapsed();
    assert!(took >= linger, "they had their chance: {took:?}");
    assert!(took < linger * 20, "it took {took:?}");
}

pub fn traffic_does_not_hold_up_the_end<D: Transport>() {
    let world = World::<D>::start(Options::default(), echo());
    let address = world.address;
    let peers = [(); 8].map(|()| {
        std::thread::spawn(move || {
            let mut rounds = 0_u64;
            while let Ok(stream) = std::net::TcpStream::connect(address) {
                let is_served = (&stream).write_all(b"ping").is_ok()
                    && (&stream).read_exact(&mut [0; 4]).is_ok();
                rounds += u64::from(is_served);
            }
            rounds
        })
    });
    crate::eventually("there is traffic", || {
        world.handle.counters().accepted > 200
    });
    world.stop();
    let rounds: u64 = peers.map(|peer| peer.join().unwrap()).iter().sum();
    assert!(rounds > 100, "{rounds} rounds");
}

pub fn the_same_port_can_be_had_again_at_once<D: Transport>() {
    let mut address = "127.0.0.1:0".parse().unwrap();
    for _ in 0..10 {
        let listener = Listener::bind(address).unwrap();
        let world = World::<D>::on(listener, Options::default(), echo(), Box::new(|_, _| {}));
        address = world.address;
        let stream = peer::connect(address);
        peer::write(&stream, b"hello");
        assert_eq!(peer::read_exactly(&stream, 5), b"hello");
        // The peer is still there, so the driver ends first and its port waits in TIME_WAIT.
        let reader = std::thread::spawn(move || peer::read_to_end(&stream));
        world.stop();
        assert_eq!(reader.join().unwrap(), b"");
    }
}

pub fn a_machine_that_is_abandoned_hears_that_all_is_over<D: Transport>() {
    let world = World::<D>::start(Options::default(), passive());
    let stream = peer::connect(world.address);
    let conn = world.accepted();
    world.act([send(conn, "so far")]);
    let reader = std::thread::spawn(move || peer::read_to_end(&stream));
    let reason = CloseReason::Shutdown;
    assert_eq!(world.abandon(), [Fact::Closed { conn, reason }]);
    assert_eq!(reader.join().unwrap(), b"so far");
}

pub fn a_panic_about_what_a_peer_sent_ends_everything_and_is_passed_on<D: Transport>() {
    let behaviour: Behaviour = Box::new(|fact, _| {
        assert!(!matches!(fact, Fact::Received { .. }), "it was too much");
    });
    let world = World::<D>::start(Options::default(), behaviour);
    let bystander = peer::connect(world.address);
    let stream = peer::connect(world.address);
    let handle = world.handle.clone();
    let _ = [world.accepted(), world.accepted()];
    peer::write(&stream, b"boo");
    let panic = catch_unwind(AssertUnwindSafe(|| world.wait())).unwrap_err();
    assert_eq!(words(panic), "it was too much");
    assert_eq!(peer::read_to_end(&bystander), b"");
    let panic = catch_unwind(AssertUnwindSafe(|| handle.command(Wish::Refuse))).unwrap_err();
    assert!(words(panic).contains("has panicked"));
}

pub fn a_panic_about_a_command_is_told_to_both<D: Transport>() {
    let world = World::<D>::start(Options::default(), passive());
    let panic = catch_unwind(AssertUnwindSafe(|| world.handle.command(Wish::Panic))).unwrap_err();
    assert!(words(panic).contains("the machine has panicked"));
    let panic = catch_unwind(AssertUnwindSafe(|| world.wait())).unwrap_err();
    assert_eq!(words(panic), "the toy was asked to panic");
}

pub fn a_panic_of_the_host_ends_the_driver_too<D: Transport>() {
    let broken = Box::new(|_, _: &Handle<Toy>| panic!("the host broke"));
    let world = World::<D>::with_effects(Options::default(), passive(), broken);
    let act = AssertUnwindSafe(|| world.act([Output::Effect(1)]));
    assert!(catch_unwind(act).is_err());
    let panic = catch_unwind(AssertUnwindSafe(|| world.wait())).unwrap_err();
    assert_eq!(words(panic), "the host broke");
}

pub fn a_command_from_within_the_host_is_a_mistake_and_not_a_deadlock<D: Transport>() {
    let mistaken = Box::new(|_, handle: &Handle<Toy>| {
        let _ = handle.command(Wish::Refuse);
    });
    let world = World::<D>::with_effects(Options::default(), passive(), mistaken);
    let act = AssertUnwindSafe(|| world.act([Output::Effect(1)]));
    assert!(catch_unwind(act).is_err());
    let panic = catch_unwind(AssertUnwindSafe(|| world.wait())).unwrap_err();
    assert!(words(panic).contains("must not call Handle::command"));
}

pub fn senseless_options_are_an_error<D: Transport>() {
    struct Nobody;
    impl simplechat_core::machine::Host<Toy> for Nobody {
        fn perform(&mut self, _: u64) {}
        fn show(&mut self, _: Fact) {}
    }
    let options = Options {
        dials_max: 0,
        ..Options::default()
    };
    let started = D::start(Toy::new(passive()), vec![], options, |_| Nobody);
    let error = started.err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), "dials_max must be at least 1");
}
