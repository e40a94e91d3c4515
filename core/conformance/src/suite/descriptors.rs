//! Having thousands of descriptors, running out of them, and losing none. The limit is the whole process's, so these
//! take turns, and want a test binary of their own.

use std::fs::File;
use std::hint::black_box;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Transport;
use crate::toy::{Fact, echo, passive};
use crate::world::{World, connect, dialled};
use crate::{eventually, peer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use simplechat_core::machine::ConnectFailure;
use simplechat_driver::Options;
use socket2::{Domain, Socket, Type};

static TURN: Mutex<()> = Mutex::new(());

fn take_turn() -> MutexGuard<'static, ()> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    settle_allocator();
    turn
}

/// Has many threads allocate at once. When glibc first needs more than eight arenas it opens a file for a moment, to
/// count the processors; in the middle of a test that would be a descriptor that comes from nowhere.
fn settle_allocator() {
    const THREADS: usize = 32;
    let all_at_once = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                all_at_once.wait();
                let allocated = black_box(vec![0_u8; 1_000]);
                all_at_once.wait();
                drop(allocated);
            });
        }
    });
}

/// Holds every descriptor that the process may still open.
struct Scarcity {
    fillers: Vec<File>,
    limit: Rlimit,
}

impl Scarcity {
    fn begin() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let mut fillers = vec![filler().expect("there are descriptors yet")];
        // Not far above what is open already, so that not too many have to be filled.
        let highest = fillers[0].as_raw_fd() + 64;
        let current = u64::try_from(highest).ok();
        setrlimit(Resource::Nofile, Rlimit { current, ..limit }).expect("the limit can be lowered");
        fillers.extend(std::iter::from_fn(filler));
        Self { fillers, limit }
    }

    fn free(&mut self, descriptors: usize) {
        self.fillers.truncate(self.fillers.len() - descriptors);
    }
}

impl Drop for Scarcity {
    fn drop(&mut self) {
        let _ = setrlimit(Resource::Nofile, self.limit);
    }
}

/// Allows this process more descriptors for a while, as far as the system lets it.
struct Plenty {
    limit: Rlimit,
}

impl Plenty {
    /// How many there are then.
    fn begin(wanted: u64) -> (Self, u64) {
        let limit = getrlimit(Resource::Nofile);
        let allowed = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        let allowed = limit.current.map_or(wanted, |current| current.max(allowed));
        let current = Some(allowed);
        setrlimit(Resource::Nofile, Rlimit { current, ..limit }).expect("the limit can be raised");
        (Self { limit }, allowed)
    }
}

impl Drop for Plenty {
    fn drop(&mut self) {
        let _ = setrlimit(Resource::Nofile, self.limit);
    }
}

fn filler() -> Option<File> {
    File::open("/dev/null").ok()
}

pub fn peers_wait_while_there_are_no_descriptors_and_nothing_spins_or_dies<D: Transport>() {
    const PEERS: usize = 40;
    let _turn = take_turn();
    let world = World::<D>::start(Options::default(), echo());
    // Their ends are opened while there is something to open.
    let peers = [(); PEERS].map(|()| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap());
    let mut scarcity = Scarcity::begin();
    for peer in &peers {
        peer.connect(&world.address.into()).unwrap();
    }
    let counters = || world.handle.counters();
    eventually("accepting pauses again and again", || counters().pauses > 3);
    assert_eq!(counters().accepted, 0);
    let (before, started) = (counters(), Instant::now());
    eventually("some more pauses pass", || {
        counters().pauses > before.pauses + 2
    });
    let wakeups = counters().wakeups - before.wakeups;
    assert!(
        wakeups <= 12,
        "{wakeups} wake-ups in {:?}",
        started.elapsed()
    );

    // With one descriptor one is served at a time, and the next one as soon as it has left.
    scarcity.free(1);
    let started = Instant::now();
    for peer in peers {
        let peer = std::net::TcpStream::from(peer);
        peer::write(&peer, b"ping");
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(peer::read_to_end(&peer), b"ping");
    }
    assert_eq!(counters().accepted, u64::try_from(PEERS).unwrap());
    // Were each to wait for the pause to pass, it would take four seconds.
    let took = started.elapsed();
    assert!(took < Duration::from_secs(3), "it took {took:?}");
    drop(scarcity);
    world.stop();
}

pub fn thousands_that_say_nothing_keep_nobody_waiting<D: Transport>() {
    const SILENT: u64 = 3_000;
    const TALKING: u64 = 50;
    let _turn = take_turn();
    // Both ends of each are in this process.
    let (_plenty, allowed) = Plenty::begin(2 * (SILENT + 100));
    let silent = SILENT.min(allowed / 2 - 100);
    let options = Options {
        connection_deadline: Duration::MAX,
        connections_per_source_max: usize::MAX,
        ..Options::default()
    };
    let world = World::<D>::start(options, echo());
    let counters = || world.handle.counters();
    let streams: Vec<_> = (0..silent).map(|_| peer::connect(world.address)).collect();
    // What is looked at once when it is accepted was looked at when the machine has heard of it.
    for _ in 0..silent {
        world.accepted();
    }
    let before = counters();
    for _ in 0..TALKING {
        let talking = peer::connect(world.address);
        peer::write(&talking, b"ping");
        assert_eq!(peer::read_exactly(&talking, 4), b"ping");
        talking.shutdown(Shutdown::Write).unwrap();
        assert_eq!(peer::read_to_end(&talking), b"");
    }
    let turns = counters().turns - before.turns;
    assert!(turns < 20 * TALKING, "{turns} turns, though most had none");
    for stream in &streams {
        peer::write(stream, b"!");
    }
    for stream in &streams {
        assert_eq!(peer::read_exactly(stream, 1), b"!");
    }
    assert_eq!(counters().accepted, silent + TALKING);
    drop(streams);
    world.stop();
}

pub fn a_dial_without_a_descriptor_fails_and_the_next_with_one_does_not<D: Transport>() {
    let _turn = take_turn();
    let listener = peer::listen();
    let to = peer::address_of(&listener);
    let world = World::<D>::start(Options::default(), passive());
    let mut scarcity = Scarcity::begin();
    world.act([connect(1, to)]);
    let (conn, failure) = (dialled(1), ConnectFailure::NoResources);
    assert_eq!(world.next(), Fact::ConnectFailed { conn, failure });
    scarcity.free(1);
    world.act([connect(2, to)]);
    assert!(matches!(world.next(), Fact::Connected { .. }));
    drop((listener, scarcity));
    world.stop();
}

#[cfg(target_os = "linux")]
pub fn no_descriptor_is_lost<D: Transport>() {
    let _turn = take_turn();
    let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
    let options = Options {
        linger: Duration::from_millis(100),
        ..Options::default()
    };
    // What a transport opens once for the whole process, it has open now.
    World::<D>::start(options.clone(), passive()).stop();
    let descriptors = count("/proc/self/fd");
    for round in 0..3 {
        let server = World::<D>::start(options.clone(), echo());
        let client = World::<D>::start(options.clone(), passive());
        let (nobody, taken) = peer::deaf_address();
        for number in 0..50 {
            client.act([connect(2 * number, server.address)]);
            client.act([connect(2 * number + 1, nobody)]);
        }
        for _ in 0..50 {
            let stream = peer::connect(server.address);
            peer::write(&stream, b"ping");
            assert_eq!(peer::read_exactly(&stream, 4), b"ping");
            match round {
                0 => peer::reset(stream),
                _ => drop(stream),
            }
        }
        drop(taken);
        // Some connections are still there at the end, of either kind.
        if round == 2 {
            client.abandon();
            server.abandon();
        } else {
            server.stop();
            client.stop();
        }
        assert_eq!(count("/proc/self/fd"), descriptors, "after round {round}");
    }
}
