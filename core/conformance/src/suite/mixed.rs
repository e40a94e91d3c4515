//! Everything at once: many threads do what comes to their mind, and the contract holds all the same.
//!
//! The toys check the contract at every input (see `common::contract`). What this adds is that many things cross, and
//! that in the end every dial was answered and nothing is left.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use simplechat_core::machine::Output;
use simplechat_driver::{Handle, Options};

use crate::Transport;
use crate::toy::{Behaviour, Fact, Toy, Wish, echo};
use crate::world::{World, close, connect, dialled, send};
use crate::{eventually, peer};

const THREADS: u64 = 6;
const STEPS: u64 = 120;

/// A few numbers that look like chance and are the same each time. When what happens is not: threads race.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

fn options() -> Options {
    Options {
        connections_max: 40,
        refusals_max: 4,
        refusal: b"full".to_vec(),
        dials_max: 4,
        dialled_max: 30,
        dial_queue_max: 20,
        dial_timeout: Duration::from_millis(200),
        connection_deadline: Duration::from_millis(400),
        linger: Duration::from_millis(100),
        inbox_max: 100,
        outbox_max: 50_000,
        ..Options::default()
    }
}

/// Closes what has finished, and every third connection on its first bytes, and works at its effects.
fn moody() -> Behaviour {
    Box::new(|fact, outputs| match fact {
        Fact::Received { conn, bytes } => {
            outputs.push(send(*conn, bytes.clone()));
            if bytes[0] % 3 == 0 {
                outputs.push(close(*conn));
            }
        }
        Fact::Finished { conn } => {
            outputs.extend([Output::Effect(1), send(*conn, "bye"), close(*conn)]);
        }
        Fact::Accepted { .. }
        | Fact::Connected { .. }
        | Fact::ConnectFailed { .. }
        | Fact::Closed { .. }
        | Fact::EffectDone(_)
        | Fact::Rang { .. } => {}
    })
}

/// Has a toy dial somebody, say something, and perhaps close.
fn dial(handle: &Handle<Toy>, chance: &mut Chance, number: u64, targets: &[SocketAddr]) {
    let index = usize::try_from(chance.below(u64::try_from(targets.len()).unwrap_or(1)));
    let to = targets[index.unwrap_or(0)];
    let conn = dialled(number);
    let bytes = vec![u8::try_from(chance.below(256)).unwrap_or(0); 300];
    let mut outputs = vec![connect(number, to), send(conn, bytes)];
    if chance.below(3) == 0 {
        outputs.push(close(conn));
    }
    let done = handle.command(Wish::Do(outputs));
    assert_eq!(done, Ok(()), "the toy does what it is told");
    if chance.below(3) == 0 {
        thread::yield_now();
        let done = handle.command(Wish::Do(vec![send(conn, "more"), close(conn)]));
        assert_eq!(done, Ok(()), "the toy does what it is told");
    }
}

/// Is a peer of the kind that one meets. Whatever it gets is right for it.
fn visit(to: SocketAddr, chance: &mut Chance) {
    let stream = peer::connect(to);
    let mut rest = [0; 64];
    let _ = (&stream).write_all(&[u8::try_from(chance.below(256)).unwrap_or(0); 500]);
    match chance.below(4) {
        0 => peer::reset(stream),
        1 => drop(stream),
        2 => {
            let _ = stream.shutdown(Shutdown::Write);
            let _ = (&stream).read(&mut rest);
        }
        _ => {
            let _ = (&stream).read(&mut rest);
            let _ = (&stream).write_all(b"thanks");
        }
    }
}

pub fn the_contract_holds_when_everything_happens_at_once<D: Transport>() {
    let at_once = |effect, handle: &Handle<Toy>| handle.effect_done(effect);
    let servers = [
        World::<D>::with_effects(options(), moody(), Box::new(at_once)),
        World::<D>::start(options(), echo()),
    ];
    let (nobody, _taken) = peer::deaf_address();
    let (silent, _fillers) = peer::silent_listener();
    let targets = [servers[0].address, servers[1].address, nobody, silent];
    let next_number = AtomicU64::new(0);
    thread::scope(|scope| {
        for seed in 0..THREADS {
            let next_number = &next_number;
            let handle = servers[0].handle.clone();
            scope.spawn(move || {
                let mut chance = Chance(seed);
                for _ in 0..STEPS {
                    match chance.below(5) {
                        0 => visit(targets[0], &mut chance),
                        1 => visit(targets[1], &mut chance),
                        2 => {
                            let set = handle.command(Wish::Ring(Duration::from_micros(50)));
                            assert_eq!(set, Ok(()), "the toy does what it is told");
                        }
                        _ => {
                            let number = next_number.fetch_add(1, Ordering::Relaxed);
                            dial(&handle, &mut chance, number, &targets);
                        }
                    }
                }
            });
        }
    });
    for server in &servers {
        eventually("nothing is left", || {
            server.handle.counters().connections == 0
        });
        eventually("the machine has heard of every end", || {
            server.handle.command(Wish::BeOver).is_ok()
        });
    }
    for server in servers {
        server.stop();
    }
}
