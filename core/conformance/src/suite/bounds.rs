//! What a peer can make grow, and where it ends.

use std::io::{self, Write};
use std::net::Shutdown;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use simplechat_core::machine::{CloseReason, Output};
use simplechat_driver::Options;
use socket2::SockRef;

use crate::Transport;
use crate::toy::{Fact, echo, passive};
use crate::world::{World, close, send};
use crate::{PATIENCE, eventually, peer};

pub fn a_peer_that_never_reads_is_cut_off<D: Transport>() {
    const PIECE: usize = 64 * 1_024;
    let world = World::<D>::start(Options::default(), passive());
    let stream = peer::connect(world.address);
    let conn = world.accepted();
    // What the system itself buffers is some megabytes at most; all beyond is ours, and bounded.
    let heard = (0..1_024).find_map(|_| {
        world.act([send(conn, vec![1; PIECE])]);
        world.heard()
    });
    let reason = CloseReason::Overflow;
    let closed = heard.unwrap_or_else(|| world.next());
    assert_eq!(closed, Fact::Closed { conn, reason });
    assert!(peer::read_to_failure(&stream).is_some(), "it was reset");
    eventually("the connection is gone", || {
        world.handle.counters().connections == 0
    });
    assert_eq!(world.stop(), [], "it ended once");
}

pub fn a_slow_reader_gets_everything_all_the_same<D: Transport>() {
    let world = World::<D>::start(Options::default(), passive());
    let stream = peer::connect(world.address);
    let conn = world.accepted();
    // One output may be as long as it likes; it is more than the system buffers, so writing has to pause.
    let bytes: Vec<u8> = (0..12_000_000_u32)
        .map(|number| number.to_le_bytes()[1])
        .collect();
    world.act([send(conn, bytes.clone()), close(conn)]);
    assert!(peer::read_to_end(&stream) == bytes, "all of it, in order");
    drop(stream);
    world.stop();
}

pub fn a_peer_is_not_read_faster_than_the_machine_takes<D: Transport>() {
    const INBOX_MAX: usize = 1_024;
    let options = Options {
        inbox_max: INBOX_MAX,
        connection_deadline: Duration::MAX,
        ..Options::default()
    };
    let (release, blocked) = mpsc::channel::<()>();
    let (entered, was_entered) = mpsc::channel();
    // While this effect is begun the machine is locked, so no worker can hand in anything.
    let world = World::<D>::with_effects(
        options,
        passive(),
        Box::new(move |_, _| {
            entered.send(()).unwrap();
            blocked.recv_timeout(PATIENCE).unwrap();
        }),
    );
    let stream = peer::connect(world.address);
    let conn = world.accepted();
    let handle = world.handle.clone();
    let blocker = std::thread::spawn(move || {
        use crate::toy::Wish;
        handle.command(Wish::Do(vec![Output::Effect(1)])).unwrap();
    });
    was_entered.recv().unwrap();
    stream.set_nonblocking(true).unwrap();
    let piece = [3; 8 * 1_024];
    let mut written = 0;
    // Writes until the system's own buffers are full and stay so, as nobody empties them.
    let mut full_since = Instant::now();
    while full_since.elapsed() < Duration::from_millis(100) {
        match (&stream).write(&piece) {
            Ok(count) => {
                written += count;
                full_since = Instant::now();
            }
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        assert!(written < 64 * 1_024 * 1_024, "the driver reads without end");
    }
    release.send(()).unwrap();
    blocker.join().unwrap();
    let mut received = 0;
    while received < written {
        let Fact::Received { bytes, .. } = world.next() else {
            panic!("only bytes come");
        };
        assert!(bytes.len() <= INBOX_MAX, "{} at once", bytes.len());
        received += bytes.len();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(world.next(), Fact::Finished { conn });
    world.stop();
}

pub fn the_deadline_is_for_the_whole_connection_though_bytes_trickle<D: Transport>() {
    let deadline = Duration::from_millis(300);
    let options = Options {
        connection_deadline: deadline,
        ..Options::default()
    };
    let world = World::<D>::start(options, echo());
    let started = Instant::now();
    let stream = peer::connect(world.address);
    let conn = world.accepted();
    let mut busy = stream.try_clone().unwrap();
    let trickle = std::thread::spawn(move || {
        let mut byte = [0];
        while busy.write_all(&byte).is_ok() && io::Read::read_exact(&mut busy, &mut byte).is_ok() {}
        started.elapsed()
    });
    let reason = CloseReason::Deadline;
    world.expect(&Fact::Closed { conn, reason });
    assert!(trickle.join().unwrap() >= deadline);
    assert_eq!(world.stop(), []);
}

pub fn no_source_takes_all_places<D: Transport>() {
    let options = Options {
        connections_max: 3,
        connections_per_source_max: 2,
        refusal: b"full".to_vec(),
        ..Options::default()
    };
    let world = World::<D>::start(options, echo());
    let guests = [(); 2].map(|()| peer::connect(world.address));
    let _ = [world.accepted(), world.accepted()];
    let refused = peer::connect(world.address);
    assert_eq!(peer::read_exactly(&refused, 4), b"full");
    // All of 127.0.0.0/8 is this host on Linux.
    #[cfg(target_os = "linux")]
    {
        let other = peer::connect_from([127, 0, 0, 2].into(), world.address);
        peer::write(&other, b"ping");
        assert_eq!(peer::read_exactly(&other, 4), b"ping");
        drop(other);
    }
    let [first, second] = guests;
    drop((first, refused));
    eventually("a place is free", || {
        world.handle.counters().connections == 1
    });
    let again = peer::connect(world.address);
    peer::write(&again, b"ping");
    assert_eq!(peer::read_exactly(&again, 4), b"ping");
    peer::write(&second, b"ping");
    assert_eq!(peer::read_exactly(&second, 4), b"ping");
    world.stop();
}

pub fn too_many_are_refused_so_that_they_can_read_why<D: Transport>() {
    let options = Options {
        connections_max: 2,
        refusals_max: 1,
        refusal: b"full, come back later".to_vec(),
        ..Options::default()
    };
    let world = World::<D>::start(options, echo());
    let guests = [(); 2].map(|()| peer::connect(world.address));
    let _ = [world.accepted(), world.accepted()];

    // It talks first, which with a careless close would cost it the refusal.
    let refused = peer::connect(world.address);
    peer::write(&refused, b"may I come in?");
    assert_eq!(peer::read_exactly(&refused, 21), b"full, come back later");
    // While it lingers, the next one cannot be told, but is not left waiting either.
    let unheard = peer::connect(world.address);
    assert!(matches!(
        peer::read_to_failure(&unheard),
        None | Some(io::ErrorKind::ConnectionReset)
    ));
    peer::write(&refused, b"please?");
    assert_eq!(peer::read_to_end(&refused), b"");
    drop(refused);
    assert_eq!(world.handle.counters().refused, 2);

    // The guests noticed nothing, and when they have gone there is room again.
    for guest in guests {
        peer::write(&guest, b"ping");
        assert_eq!(peer::read_exactly(&guest, 4), b"ping");
        guest.shutdown(Shutdown::Write).unwrap();
        assert_eq!(peer::read_to_end(&guest), b"");
    }
    eventually("there is room", || world.handle.counters().connections == 0);
    let next = peer::connect(world.address);
    peer::write(&next, b"ping");
    assert_eq!(peer::read_exactly(&next, 4), b"ping");
    drop(next);
    for fact in world.stop() {
        assert!(
            !matches!(fact, Fact::Closed { .. }),
            "the machine never heard of the refused: {fact:?}"
        );
    }
}

pub fn one_who_lingers_forever_is_let_go<D: Transport>() {
    let options = Options {
        linger: Duration::from_millis(100),
        ..Options::default()
    };
    let world = World::<D>::start(options, passive());
    let stream = peer::connect(world.address);
    let conn = world.accepted();
    let started = Instant::now();
    world.act([send(conn, "bye"), close(conn)]);
    assert_eq!(peer::read_exactly(&stream, 3), b"bye");
    // The peer never ends its side.
    eventually("the driver lets go", || {
        world.handle.counters().connections == 0
    });
    let took = started.elapsed();
    assert!(took < Duration::from_secs(4), "it slept on: {took:?}");
    assert_eq!(world.stop(), []);
}

pub fn a_reader_that_stops_is_let_go_though_it_was_being_closed<D: Transport>() {
    let options = Options {
        connection_deadline: Duration::from_millis(300),
        ..Options::default()
    };
    let world = World::<D>::start(options, passive());
    let stream = peer::connect(world.address);
    SockRef::from(&stream).set_recv_buffer_size(4_096).unwrap();
    let conn = world.accepted();
    world.act([send(conn, vec![1; 12_000_000]), close(conn)]);
    eventually("the driver lets go", || {
        world.handle.counters().connections == 0
    });
    assert_eq!(world.stop(), [], "the machine had closed it");
}
