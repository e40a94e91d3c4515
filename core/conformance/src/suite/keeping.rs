//! Connections that the machine wants to last.

use std::time::{Duration, Instant};

use simplechat_core::machine::{CloseReason, ConnId, ConnectFailure, Output};
use simplechat_driver::Options;
use socket2::SockRef;

use crate::Transport;
use crate::toy::{Fact, Out, Wish, echo, passive};
use crate::world::{World, close, connect, dialled, send};
use crate::{eventually, peer};

const DEADLINE: Duration = Duration::from_millis(200);

fn short_deadline() -> Options {
    Options {
        connection_deadline: DEADLINE,
        ..Options::default()
    }
}

fn keep(conn: ConnId) -> Out {
    Output::Keep { conn }
}

/// Lets several deadlines pass, by the driver's own clock.
fn outlast<D: Transport>(world: &World<D>) {
    assert_eq!(world.handle.command(Wish::Ring(4 * DEADLINE)), Ok(()));
    world.find(|fact| matches!(fact, Fact::Rang { .. }).then_some(()));
}

pub fn a_connection_that_is_kept_outlasts_the_deadline<D: Transport>() {
    let world = World::<D>::start(short_deadline(), echo());
    let kept = peer::connect(world.address);
    world.act([keep(world.accepted())]);
    let usual = peer::connect(world.address);
    let conn = world.accepted();
    let reason = CloseReason::Deadline;
    world.expect(&Fact::Closed { conn, reason });
    assert!(peer::read_to_failure(&usual).is_some(), "it was reset");
    outlast(&world);
    peer::write(&kept, b"still there?");
    assert_eq!(peer::read_exactly(&kept, 12), b"still there?");
    assert_eq!(world.handle.counters().connections, 1);
    drop(kept);
    world.stop();
}

pub fn a_dial_may_be_kept_before_it_stands<D: Transport>() {
    let listener = peer::listen();
    let world = World::<D>::start(short_deadline(), passive());
    let conn = dialled(1);
    world.act([connect(1, peer::address_of(&listener)), keep(conn)]);
    let stream = peer::accept(&listener);
    outlast(&world);
    world.act([send(conn, "still here")]);
    assert_eq!(peer::read_exactly(&stream, 10), b"still here");
    drop(stream);
    world.expect(&Fact::Finished { conn });
    world.stop();
}

pub fn a_dial_that_is_kept_still_has_to_stand_in_time<D: Transport>() {
    let (silent, _fillers) = peer::silent_listener();
    let options = Options {
        dial_timeout: Duration::from_millis(150),
        ..short_deadline()
    };
    let world = World::<D>::start(options, passive());
    let conn = dialled(1);
    world.act([connect(1, silent), keep(conn)]);
    let failure = ConnectFailure::TimedOut;
    assert_eq!(world.next(), Fact::ConnectFailed { conn, failure });
    world.stop();
}

pub fn one_that_was_kept_ends_in_time_once_it_is_closed<D: Transport>() {
    let world = World::<D>::start(short_deadline(), passive());
    let stream = peer::connect(world.address);
    SockRef::from(&stream).set_recv_buffer_size(4_096).unwrap();
    let conn = world.accepted();
    world.act([keep(conn)]);
    outlast(&world);
    // The peer reads nothing of it, but it is given the time that any has.
    let started = Instant::now();
    world.act([send(conn, vec![1; 12_000_000]), close(conn)]);
    eventually("the driver lets go", || {
        world.handle.counters().connections == 0
    });
    assert!(started.elapsed() >= DEADLINE, "it had its chance");
    assert_eq!(world.stop(), []);
}

pub fn one_that_is_kept_does_not_hold_up_the_end<D: Transport>() {
    let linger = Duration::from_millis(100);
    let options = Options {
        linger,
        ..Options::default()
    };
    let world = World::<D>::start(options, passive());
    let _stream = peer::connect(world.address);
    let conn = world.accepted();
    world.act([keep(conn), send(conn, vec![1; 12_000_000])]);
    let started = Instant::now();
    world.stop();
    let took = started.elapsed();
    assert!(took < linger * 40, "it took {took:?}");
}

pub fn keeping_what_is_closed_or_unknown_does_nothing<D: Transport>() {
    let options = Options {
        linger: Duration::from_millis(100),
        ..Options::default()
    };
    let world = World::<D>::start(options, passive());
    let stream = peer::connect(world.address);
    let conn = world.accepted();
    world.act([close(conn), keep(conn), keep(dialled(99))]);
    assert_eq!(peer::read_to_end(&stream), b"");
    // The peer never ends its side, and is let go all the same.
    eventually("the driver lets go", || {
        world.handle.counters().connections == 0
    });
    assert_eq!(world.stop(), []);
}
