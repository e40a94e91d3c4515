//! Connections that peers make, and what they send.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use simplechat_core::machine::{CloseReason, ConnId, Output};
use simplechat_driver::{Listener, Options};

use crate::Transport;
use crate::toy::{Fact, Wish, echo, passive};
use crate::world::{World, close, send};
use crate::{eventually, peer};

pub fn bytes_come_back_however_they_are_cut<D: Transport>() {
    let world = World::<D>::start(Options::default(), echo());
    let stream = peer::connect(world.address);
    let bytes: Vec<u8> = (0..100_000_u32)
        .map(|number| number.to_le_bytes()[0])
        .collect();
    let (mut written, mut piece) = (0, 1);
    while written < bytes.len() {
        let next = bytes.len().min(written + piece);
        peer::write(&stream, &bytes[written..next]);
        let echoed = peer::read_exactly(&stream, next - written);
        assert_eq!(echoed, bytes[written..next]);
        (written, piece) = (next, piece * 3 / 2 + 1);
    }
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(peer::read_to_end(&stream), b"");
    world.stop();
}

pub fn the_machine_hears_in_order_who_came_what_came_and_the_end_once<D: Transport>() {
    let world = World::<D>::start(Options::default(), passive());
    let stream = peer::connect(world.address);
    let (remote, local) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
    peer::write(&stream, b"question");
    stream.shutdown(Shutdown::Write).unwrap();

    let Fact::Accepted {
        conn,
        remote: heard_remote,
        local: heard_local,
    } = world.next()
    else {
        panic!("the first fact is the connection itself");
    };
    assert_eq!((heard_remote, heard_local), (remote, local));
    let mut received = Vec::new();
    let mut fact = world.next();
    while let Fact::Received { conn: from, bytes } = fact {
        assert_eq!(from, conn);
        received.extend(bytes);
        fact = world.next();
    }
    assert_eq!(received, b"question");
    assert_eq!(fact, Fact::Finished { conn });

    // The other direction is still open, for as long as the machine wants.
    world.act([send(conn, "answer")]);
    assert_eq!(peer::read_exactly(&stream, 6), b"answer");
    world.act([send(conn, " and more"), close(conn)]);
    assert_eq!(peer::read_to_end(&stream), b" and more");
    assert_eq!(
        world.stop(),
        [],
        "nothing is heard after the machine closed"
    );
}

pub fn a_slow_peer_is_served_byte_by_byte<D: Transport>() {
    let world = World::<D>::start(Options::default(), echo());
    let stream = peer::connect(world.address);
    for byte in 0..200 {
        peer::write(&stream, &[byte]);
        assert_eq!(peer::read_exactly(&stream, 1), [byte]);
    }
    drop(stream);
    world.stop();
}

pub fn a_reset_is_heard_after_what_came_before_it<D: Transport>() {
    let world = World::<D>::start(Options::default(), passive());
    let stream = peer::connect(world.address);
    let conn = world.accepted();
    peer::write(&stream, b"last words");
    let bytes = b"last words".to_vec();
    world.expect(&Fact::Received { conn, bytes });
    peer::reset(stream);
    let reason = CloseReason::Reset;
    assert_eq!(world.next(), Fact::Closed { conn, reason });
    // What comes too late for it does nothing.
    world.act([send(conn, "hello?"), close(conn)]);
    assert_eq!(world.stop(), []);
}

#[cfg(target_os = "linux")]
pub fn a_reset_is_heard_also_from_one_who_had_finished<D: Transport>() {
    let world = World::<D>::start(Options::default(), passive());
    let stream = peer::connect(world.address);
    stream.shutdown(Shutdown::Write).unwrap();
    let conn = world.accepted();
    world.expect(&Fact::Finished { conn });
    peer::reset(stream);
    let reason = CloseReason::Reset;
    assert_eq!(world.next(), Fact::Closed { conn, reason });
    world.stop();
}

pub fn writing_to_one_who_has_gone_ends_in_a_reset<D: Transport>() {
    let world = World::<D>::start(Options::default(), passive());
    let stream = peer::connect(world.address);
    let conn = world.accepted();
    // The peer ends both ways, but only its end of sending can be seen.
    drop(stream);
    world.expect(&Fact::Finished { conn });
    let heard = (0..1_000).find_map(|_| {
        world.act([send(conn, "anybody there?")]);
        world.heard()
    });
    let closed = heard.unwrap_or_else(|| world.next());
    let reason = CloseReason::Reset;
    assert_eq!(closed, Fact::Closed { conn, reason });
    world.stop();
}

pub fn hundreds_of_connections_are_served_at_once<D: Transport>() {
    const PEERS: u32 = 400;
    let world = World::<D>::start(Options::default(), echo());
    let streams: Vec<_> = (0..PEERS).map(|_| peer::connect(world.address)).collect();
    for _ in 0..PEERS {
        world.accepted();
    }
    for (number, stream) in (0..PEERS).zip(&streams) {
        peer::write(stream, &number.to_be_bytes());
    }
    for (number, stream) in (0..PEERS).zip(&streams).rev() {
        assert_eq!(peer::read_exactly(stream, 4), number.to_be_bytes());
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(peer::read_to_end(stream), b"");
    }
    drop(streams);
    let counters = world.handle.counters();
    assert_eq!(counters.accepted, u64::from(PEERS));
    assert_eq!(counters.refused, 0);
    world.stop();
}

pub fn a_flood_does_not_keep_others_waiting<D: Transport>() {
    let options = Options {
        linger: Duration::from_millis(100),
        ..Options::default()
    };
    let world = World::<D>::start(options, echo());
    let flood = peer::connect(world.address);
    let reader = flood.try_clone().unwrap();
    // It reads what it gets and writes as fast as it can until it is cut off.
    let writer = thread::spawn(move || {
        let piece = [7; 64 * 1_024];
        while (&flood).write_all(&piece).is_ok() {}
    });
    let drain = thread::spawn(move || peer::read_to_failure(&reader));
    let (mut is_flooding, mut others) = (false, 0);
    while others < 50 {
        let other = peer::connect(world.address);
        peer::write(&other, b"me too");
        assert_eq!(peer::read_exactly(&other, 6), b"me too");
        is_flooding |= world.handle.counters().turns > 1_000;
        others += u32::from(is_flooding);
    }
    world.abandon();
    writer.join().unwrap();
    drain.join().unwrap();
}

#[cfg(target_os = "linux")]
pub fn one_who_has_broken_off_when_accepted_is_not_heard_of<D: Transport>() {
    const FLOOD: u64 = 100;
    let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr();
    for _ in 0..FLOOD {
        let stream = peer::connect(address);
        let local = stream.local_addr().unwrap();
        peer::reset(stream);
        eventually("the reset has arrived", || {
            peer::tcp_states(address, local).is_empty()
        });
    }
    let stream = peer::connect(address);
    peer::write(&stream, b"ping");
    let world = World::<D>::on(listener, Options::default(), echo(), Box::new(|_, _| {}));
    assert_eq!(peer::read_exactly(&stream, 4), b"ping");
    let remote = stream.local_addr().unwrap();
    assert!(matches!(world.next(), Fact::Accepted { remote: heard, .. } if heard == remote));
    assert_eq!(world.handle.counters().accepted, FLOOD + 1);
    drop(stream);
    world.stop();
}

pub fn outputs_of_many_threads_leave_in_the_machines_order<D: Transport>() {
    const THREADS: u64 = 8;
    const WISHES: u64 = 500;
    let world = World::<D>::start(Options::default(), passive());
    let stream = peer::connect(world.address);
    let conn = world.accepted();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let handle = world.handle.clone();
            thread::spawn(move || {
                for _ in 0..WISHES {
                    handle.command(Wish::Count(conn)).unwrap();
                }
            })
        })
        .collect();
    for number in 0..THREADS * WISHES {
        assert_eq!(peer::read_exactly(&stream, 8), number.to_be_bytes());
    }
    for thread in threads {
        thread.join().unwrap();
    }
    drop(stream);
    world.stop();
}

pub fn a_refused_command_changes_nothing_and_says_so<D: Transport>() {
    let world = World::<D>::start(Options::default(), passive());
    assert!(world.handle.command(Wish::Refuse).is_err());
    assert_eq!(world.stop(), []);
}

pub fn unknown_connections_are_passed_over<D: Transport>() {
    let world = World::<D>::start(Options::default(), passive());
    let stream = peer::connect(world.address);
    let conn = world.accepted();
    let nobody = [ConnId::Accepted(999), ConnId::Dialled(999)];
    for nobody in nobody {
        world.act([send(nobody, "who?"), close(nobody)]);
    }
    world.act([Output::Effect(1), send(conn, "still here")]);
    assert_eq!(peer::read_exactly(&stream, 10), b"still here");
    drop(stream);
    world.stop();
}

pub fn an_ipv6_listener_takes_ipv4_peers_and_calls_them_so<D: Transport>() {
    let any = SocketAddr::from(([0; 16], 0));
    let Ok(listener) = Listener::bind(any) else {
        // A machine without IPv6 says so.
        assert!(std::net::TcpListener::bind("[::1]:0").is_err());
        return;
    };
    let port = listener.local_addr().port();
    let world = World::<D>::on(listener, Options::default(), echo(), Box::new(|_, _| {}));
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let Fact::Accepted { remote, local, .. } = world.next() else {
        panic!("the first fact is the connection itself");
    };
    assert_eq!(remote, stream.local_addr().unwrap());
    assert_eq!(local, stream.peer_addr().unwrap());
    (&stream).write_all(b"v4").unwrap();
    let mut bytes = [0; 2];
    (&stream).read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"v4");
    drop(stream);
    world.stop();
}
