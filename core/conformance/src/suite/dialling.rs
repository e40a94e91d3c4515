//! Connections that the machine makes.

use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use simplechat_core::machine::{CloseReason, ConnectFailure};
use simplechat_driver::{Listener, Options};

use crate::Transport;
use crate::toy::{Fact, echo, passive};
use crate::world::{World, close, connect, dialled, send};
use crate::{eventually, peer};

/// A machine that has no listener of its own would do, but one costs nothing.
fn dialler<D: Transport>(options: Options) -> World<D> {
    World::<D>::start(options, passive())
}

fn failed(number: u64, failure: ConnectFailure) -> Fact {
    let conn = dialled(number);
    Fact::ConnectFailed { conn, failure }
}

pub fn two_machines_talk<D: Transport>() {
    let server = World::<D>::start(Options::default(), echo());
    let client = dialler::<D>(Options::default());
    let conn = dialled(7);
    client.act([connect(7, server.address)]);
    let Fact::Connected {
        conn: stands,
        local,
    } = client.next()
    else {
        panic!("it stands first");
    };
    assert_eq!(stands, conn);
    let Fact::Accepted { remote, .. } = server.next() else {
        panic!("it was accepted first");
    };
    assert_eq!(remote, local, "both mean the same end");
    client.act([send(conn, "hello")]);
    let bytes = b"hello".to_vec();
    assert_eq!(client.next(), Fact::Received { conn, bytes });
    client.act([close(conn)]);
    server.stop();
    assert_eq!(client.stop(), []);
}

pub fn what_is_sent_before_it_stands_is_kept<D: Transport>() {
    let listener = peer::listen();
    let world = dialler::<D>(Options::default());
    let conn = dialled(1);
    let to = peer::address_of(&listener);
    world.act([connect(1, to), send(conn, "early "), send(conn, "words")]);
    let stream = peer::accept(&listener);
    assert_eq!(peer::read_exactly(&stream, 11), b"early words");
    assert!(matches!(world.next(), Fact::Connected { .. }));
    peer::write(&stream, b"heard");
    let bytes = b"heard".to_vec();
    assert_eq!(world.next(), Fact::Received { conn, bytes });
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(world.next(), Fact::Finished { conn });
    world.act([send(conn, "bye"), close(conn)]);
    assert_eq!(peer::read_to_end(&stream), b"bye");
    assert_eq!(world.stop(), []);
}

pub fn dial_send_and_close_in_one_go_still_delivers<D: Transport>() {
    let listener = peer::listen();
    let world = dialler::<D>(Options::default());
    let conn = dialled(1);
    let to = peer::address_of(&listener);
    world.act([connect(1, to), send(conn, "just so you know"), close(conn)]);
    let stream = peer::accept(&listener);
    assert_eq!(peer::read_exactly(&stream, 16), b"just so you know");
    drop(stream);
    eventually("it is gone", || world.handle.counters().connections == 0);
    assert_eq!(
        world.stop(),
        [],
        "the machine hears nothing after its close"
    );
}

pub fn a_dial_to_nobody_is_refused<D: Transport>() {
    let (nobody, _taken) = peer::deaf_address();
    let world = dialler::<D>(Options::default());
    for number in 0..20 {
        world.act([connect(number, nobody)]);
        assert_eq!(world.next(), failed(number, ConnectFailure::Refused));
    }
    assert_eq!(world.handle.counters().connections, 0);
    world.stop();
}

pub fn a_dial_without_an_answer_ends_in_time<D: Transport>() {
    let (silent, _fillers) = peer::silent_listener();
    let dial_timeout = Duration::from_millis(150);
    let world = dialler::<D>(Options {
        dial_timeout,
        ..Options::default()
    });
    let started = Instant::now();
    world.act([connect(1, silent), send(dialled(1), "hello?")]);
    assert_eq!(world.next(), failed(1, ConnectFailure::TimedOut));
    assert!(started.elapsed() >= dial_timeout);
    world.stop();
}

pub fn a_listener_that_never_accepts_costs_the_deadline_and_no_more<D: Transport>() {
    let listener = peer::listen();
    let world = dialler::<D>(Options {
        connection_deadline: Duration::from_millis(500),
        ..Options::default()
    });
    let conn = dialled(1);
    world.act([connect(1, peer::address_of(&listener))]);
    assert!(matches!(world.next(), Fact::Connected { .. }));
    world.act([send(conn, "is anybody there?")]);
    let reason = CloseReason::Deadline;
    assert_eq!(world.next(), Fact::Closed { conn, reason });
    assert_eq!(world.handle.counters().connections, 0);
    world.stop();
}

pub fn dials_are_bounded_in_number_and_those_in_line_get_their_turn<D: Transport>() {
    let (silent, _fillers) = peer::silent_listener();
    let listener = peer::listen();
    let world = dialler::<D>(Options {
        dials_max: 2,
        dial_queue_max: 2,
        dial_timeout: Duration::MAX,
        ..Options::default()
    });
    let friend = peer::address_of(&listener);
    world.act([
        connect(1, silent),
        connect(2, silent),
        connect(3, friend),
        connect(4, friend),
        connect(5, friend),
    ]);
    // Two are under way and two in line.
    assert_eq!(world.next(), failed(5, ConnectFailure::NoResources));
    // The machine gives one up, so the first in line is dialled at once, and when that stands, the next one. They are
    // different connections, so they may be heard of in either order.
    world.act([close(dialled(1))]);
    let mut stand = [(); 2].map(|()| {
        let Fact::Connected { conn, .. } = world.next() else {
            panic!("both can be reached");
        };
        conn
    });
    stand.sort_unstable();
    assert_eq!(stand, [dialled(3), dialled(4)]);
    drop(listener);
    world.stop();
}

pub fn dialled_connections_are_bounded_too<D: Transport>() {
    let listener = peer::listen();
    let world = dialler::<D>(Options {
        dialled_max: 1,
        ..Options::default()
    });
    let to = peer::address_of(&listener);
    world.act([connect(1, to), connect(2, to)]);
    assert!(matches!(world.next(), Fact::Connected { conn, .. } if conn == dialled(1)));
    let first = peer::accept(&listener);
    assert_eq!(world.heard(), None, "the second stays in line");
    // When the first ends, it is the second's turn. Which is heard of sooner is left open.
    peer::reset(first);
    let mut facts = [world.next(), world.next()];
    facts.sort_by_key(|fact| matches!(fact, Fact::Connected { .. }));
    let (conn, reason) = (dialled(1), CloseReason::Reset);
    assert_eq!(facts[0], Fact::Closed { conn, reason });
    assert!(matches!(facts[1], Fact::Connected { conn, .. } if conn == dialled(2)));
    drop(listener);
    world.stop();
}

pub fn a_dial_waits_in_line_no_longer_than_a_connection_may_last<D: Transport>() {
    let listener = peer::listen();
    let deadline = Duration::from_millis(500);
    let world = dialler::<D>(Options {
        dialled_max: 1,
        connection_deadline: deadline,
        ..Options::default()
    });
    let to = peer::address_of(&listener);
    let started = Instant::now();
    world.act([connect(1, to)]);
    assert!(matches!(world.next(), Fact::Connected { .. }));
    world.act([connect(2, to), connect(3, to)]);
    let mut failures = 0;
    for _ in 0..3 {
        let fact = world.next();
        if let Fact::ConnectFailed { failure, .. } = fact {
            assert_eq!(failure, ConnectFailure::NoResources);
            failures += 1;
        } else {
            // The end of the first, and perhaps the turn of the second that came just in time.
            assert!(matches!(fact, Fact::Closed { .. } | Fact::Connected { .. }));
        }
    }
    assert!(failures >= 1 && started.elapsed() >= deadline);
    world.stop();
}

pub fn a_dial_that_is_given_up_is_forgotten<D: Transport>() {
    let (silent, _fillers) = peer::silent_listener();
    let world = dialler::<D>(Options {
        dial_timeout: Duration::MAX,
        connection_deadline: Duration::MAX,
        ..Options::default()
    });
    world.act([connect(1, silent)]);
    assert_eq!(world.handle.counters().connections, 1);
    world.act([close(dialled(1))]);
    eventually("it is gone", || world.handle.counters().connections == 0);
    assert_eq!(world.stop(), []);
}

pub fn an_unreachable_family_is_said_to_be_unreachable_or_refused<D: Transport>() {
    let world = dialler::<D>(Options::default());
    let address: SocketAddr = "[::1]:1".parse().unwrap();
    world.act([connect(1, address)]);
    let has_ipv6 = Listener::bind("[::1]:0".parse().unwrap()).is_ok();
    let failure = if has_ipv6 {
        ConnectFailure::Refused
    } else {
        ConnectFailure::Unreachable
    };
    assert_eq!(world.next(), failed(1, failure));
    world.stop();
}
