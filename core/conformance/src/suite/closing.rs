//! Who ends a connection first, and how: the side that accepted does, so that no dialled port waits in TIME_WAIT.

use std::io;
use std::time::Duration;

use simplechat_core::machine::{ConnId, Output};
use simplechat_driver::Options;

use crate::Transport;
use crate::toy::{Fact, answer_and_close, passive};
use crate::world::{World, close, connect, dialled, send};
use crate::{eventually, peer};

fn short_linger() -> Options {
    Options {
        linger: Duration::from_millis(300),
        ..Options::default()
    }
}

pub fn an_accepted_connection_is_ended_first_and_waits_for_the_peer<D: Transport>() {
    let world = World::<D>::start(Options::default(), passive());
    let stream = peer::connect(world.address);
    let conn = world.accepted();
    world.act([send(conn, "all of it"), close(conn)]);
    assert_eq!(peer::read_to_end(&stream), b"all of it");
    // What the peer still says is thrown away, and is no reason to break off.
    peer::write(&stream, &[5; 200_000]);
    drop(stream);
    eventually("it is gone", || world.handle.counters().connections == 0);
    assert_eq!(world.stop(), []);
}

pub fn a_dialled_connection_is_not_ended_first_but_reset_after_a_while<D: Transport>() {
    let listener = peer::listen();
    let world = World::<D>::start(short_linger(), passive());
    let conn = dialled(1);
    let to = peer::address_of(&listener);
    world.act([connect(1, to), send(conn, "bye"), close(conn)]);
    let stream = peer::accept(&listener);
    assert_eq!(peer::read_exactly(&stream, 3), b"bye");
    // An end would be read as one. This peer never ends, so what comes instead is a reset.
    let failure = peer::read_to_failure(&stream);
    assert_eq!(failure, Some(io::ErrorKind::ConnectionReset));
    world.stop();
}

pub fn a_dialled_connection_ends_when_the_peer_does<D: Transport>() {
    let listener = peer::listen();
    let world = World::<D>::start(Options::default(), passive());
    let conn = dialled(1);
    let to = peer::address_of(&listener);
    world.act([connect(1, to), send(conn, "bye"), close(conn)]);
    let stream = peer::accept(&listener);
    assert_eq!(peer::read_exactly(&stream, 3), b"bye");
    // Something that crosses with the close does no harm.
    peer::write(&stream, b"one more thing");
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(peer::read_to_failure(&stream), None, "in order");
    world.stop();
}

pub fn a_peer_that_talks_on_and_on_is_cut_off<D: Transport>() {
    let listener = peer::listen();
    let options = Options {
        discard_max: 100_000,
        linger: Duration::from_secs(3_600),
        connection_deadline: Duration::MAX,
        ..Options::default()
    };
    let world = World::<D>::start(options, passive());
    let conn = dialled(1);
    world.act([connect(1, peer::address_of(&listener)), send(conn, "x")]);
    let mut stream = peer::accept(&listener);
    assert_eq!(peer::read_exactly(&stream, 1), b"x");
    world.act([close(conn)]);
    let mut written = 0;
    while io::Write::write_all(&mut stream, &[9; 10_000]).is_ok() {
        written += 10_000;
        assert!(written < 64_000_000, "it is heard without end");
    }
    eventually("it is gone", || world.handle.counters().connections == 0);
    world.stop();
}

pub fn one_who_was_answered_and_talks_on_is_cut_off<D: Transport>() {
    let options = Options {
        discard_max: 100_000,
        linger: Duration::from_secs(3_600),
        connection_deadline: Duration::MAX,
        ..Options::default()
    };
    let world = World::<D>::start(options, answer_and_close(b"no"));
    let mut stream = peer::connect(world.address);
    peer::write(&stream, b"?");
    let mut written = 0;
    while io::Write::write_all(&mut stream, &[9; 10_000]).is_ok() {
        written += 10_000;
        assert!(written < 64_000_000, "it is heard without end");
    }
    eventually("it is gone", || world.handle.counters().connections == 0);
    world.stop();
}

#[cfg(target_os = "linux")]
pub fn time_wait_falls_to_the_side_that_accepted<D: Transport>() {
    const TIME_WAIT: u8 = 6;
    let server = World::<D>::start(Options::default(), answer_and_close(b"answer"));
    let client = World::<D>::start(Options::default(), passive());
    // The client closes before it has the answer, when it has it, and when it knows that the server has ended.
    for number in 0..30 {
        let conn = dialled(number);
        client.act([connect(number, server.address), send(conn, "question")]);
        let local = client.find(|fact| {
            if let Fact::Connected {
                conn: stands,
                local,
            } = fact
                && *stands == conn
            {
                return Some(*local);
            }
            None
        });
        let bytes = b"answer".to_vec();
        match number % 3 {
            0 => {}
            1 => client.expect(&Fact::Received { conn, bytes }),
            _ => client.expect(&Fact::Finished { conn }),
        }
        client.act([close(conn)]);
        eventually("the port waits at the server", || {
            peer::tcp_states(server.address, local) == [TIME_WAIT]
        });
        let at_client = peer::tcp_states(local, server.address);
        assert_eq!(at_client, [], "nothing is left of the dialled port");
    }
    server.stop();
    client.stop();
}

#[cfg(target_os = "linux")]
pub fn no_dialled_port_waits_whatever_the_peer_does<D: Transport>() {
    let listener = peer::listen();
    let to = peer::address_of(&listener);
    let world = World::<D>::start(short_linger(), passive());
    let mut locals = Vec::new();
    let mut streams = Vec::new();
    for number in 0..10 {
        world.act([connect(number, to)]);
        let Fact::Connected { local, .. } = world.next() else {
            panic!("it stands first");
        };
        locals.push(local);
        streams.push(peer::accept(&listener));
        world.act([close(dialled(number))]);
    }
    // None of these peers ends.
    eventually("all are gone", || world.handle.counters().connections == 0);
    for local in locals {
        assert_eq!(peer::tcp_states(local, to), []);
    }
    world.stop();
}

pub fn closing_twice_and_sending_after_closing_do_nothing<D: Transport>() {
    let world = World::<D>::start(Options::default(), passive());
    let stream = peer::connect(world.address);
    let conn = world.accepted();
    world.act([
        send(conn, "said"),
        close(conn),
        send(conn, "unsaid"),
        close(conn),
        Output::Event(Fact::Finished {
            conn: ConnId::Dialled(0),
        }),
    ]);
    assert_eq!(peer::read_to_end(&stream), b"said");
    drop(stream);
    world.stop();
}
