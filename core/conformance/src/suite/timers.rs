//! The machine's deadlines, and that nothing spins while there is nothing to do.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use simplechat_core::time::Timestamp;
use simplechat_driver::Options;
use socket2::SockRef;

use crate::Transport;
use crate::peer;
use crate::toy::{Fact, Wish, passive};
use crate::world::World;

fn ring_in<D: Transport>(world: &World<D>, wait: Duration) {
    let set = world.handle.command(Wish::Ring(wait));
    assert_eq!(set, Ok(()), "the toy does what it is told");
}

/// The next ring: the time it was set for.
#[track_caller]
fn rung<D: Transport>(world: &World<D>) -> Timestamp {
    let Fact::Rang { at, now } = world.next() else {
        panic!("nothing else happens");
    };
    assert!(now >= at, "too early");
    at
}

pub fn timers_ring_in_order_and_never_early<D: Transport>() {
    let world = World::<D>::start(Options::default(), passive());
    for millis in [50, 10, 30, 20, 60, 40] {
        ring_in(&world, Duration::from_millis(millis));
    }
    let rings = [(); 6].map(|()| rung(&world));
    assert!(rings.is_sorted(), "{rings:?}");
    world.stop();
}

pub fn an_earlier_deadline_wakes_a_sleeper<D: Transport>() {
    let world = World::<D>::start(Options::default(), passive());
    ring_in(&world, Duration::from_secs(3_600));
    let started = Instant::now();
    for _ in 0..100 {
        ring_in(&world, Duration::from_millis(1));
        rung(&world);
    }
    assert!(started.elapsed() < Duration::from_secs(10));
    world.stop();
}

pub fn a_deadline_that_has_passed_already_is_handed_in_at_once<D: Transport>() {
    let world = World::<D>::start(Options::default(), passive());
    for _ in 0..100 {
        ring_in(&world, Duration::ZERO);
        rung(&world);
    }
    world.stop();
}

pub fn nothing_spins<D: Transport>() {
    const RINGS: u64 = 10;
    let world = World::<D>::start(Options::default(), passive());
    // Ends that were read, and bytes and ends that nobody takes, keep a socket readable for ever.
    let half_closed = peer::connect(world.address);
    peer::write(&half_closed, b"bye");
    half_closed.shutdown(Shutdown::Write).unwrap();
    let conn = world.accepted();
    world.expect(&Fact::Finished { conn });
    let idle = peer::connect(world.address);
    world.accepted();
    // Urgent data wakes the poller too, and ordinary reading passes over it.
    let urgent = peer::connect(world.address);
    let conn = world.accepted();
    peer::write(&urgent, b"a");
    SockRef::from(&urgent).send_out_of_band(b"!").unwrap();
    let bytes = b"a".to_vec();
    world.expect(&Fact::Received { conn, bytes });
    // One that waits for its peer's end.
    let lingering = peer::connect(world.address);
    let conn = world.accepted();
    world.act([crate::world::close(conn)]);
    assert_eq!(peer::read_to_end(&lingering), b"");

    let before = world.handle.counters();
    for _ in 0..RINGS {
        ring_in(&world, Duration::from_millis(20));
        rung(&world);
    }
    let after = world.handle.counters();
    let wakeups = after.wakeups - before.wakeups;
    // Each timer may wake it when it is set, when it rings and when it was handled.
    assert!(wakeups <= 4 * RINGS + 8, "{wakeups} wake-ups");
    let turns = after.turns - before.turns;
    assert!(turns <= 8, "{turns} turns");
    drop((half_closed, idle, urgent, lingering));
    world.stop();
}
