//! What sealing costs: messages a second, and processor time for each, with the real channel and with none.
//!
//! A server and clients in pairs in this process write to each other over loopback, each client waiting for the outcome
//! before the next message, so that a message is two connections, four frames sealed and four opened. The channel without
//! protection exists only here. Runs of both kinds alternate; only ratios mean something, and the processor time is the
//! better figure on a machine that does other things too.
//!
//! `cargo run --release -p simplechat --example sealing_cost`, on Linux.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "printing is what it is for, and whoever runs it sees what went wrong"
)]

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use simplechat_core::channel::{
    Cipher, Established, Handshake, Label, Noise, OpenError, Part, Protection,
};
use simplechat_core::client::command::Command;
use simplechat_core::client::event::{Event, SessionEvent};
use simplechat_core::client::{self, Client};
use simplechat_core::id::SessionId;
use simplechat_core::key::{KEY_LEN, PublicKey, StaticKey};
use simplechat_core::machine::Host;
use simplechat_core::rng::{SecretSource, SeededSecrets};
use simplechat_core::server::{self, AccountEntry, CredentialsDigest, Server, Verdict};
use simplechat_core::text::Password;
use simplechat_transport_std::{Clock, Drive, Driver, Handle, Listener, Options};

const CLIENTS: u8 = 16;
const ROUNDS: usize = 7;
const WARM_UP: Duration = Duration::from_secs(1);
const TIME: Duration = Duration::from_secs(5);
const TEXT_LEN: usize = 256;

fn main() {
    println!("round  channel  messages/s  µs/message");
    let (mut rates, mut times) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let plain = measured(round, "plain", Arc::new(Plain));
        let sealed = measured(round, "sealed", Arc::new(Noise));
        rates.push(sealed.0 / plain.0);
        times.push(sealed.1 / plain.1);
    }
    println!(
        "sealed against plain, medians of the rounds: {:.1} % of the messages a second, {:.1} % of the processor time for each",
        100.0 * median(rates),
        100.0 * median(times)
    );
}

fn measured(round: usize, name: &str, protection: Arc<dyn Protection>) -> (f64, f64) {
    let (rate, micros) = measure(&protection);
    println!("{round:>5}  {name:>7}  {rate:>10.0}  {micros:>10.1}");
    (rate, micros)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Messages a second, and microseconds of processor time for each.
fn measure(protection: &Arc<dyn Protection>) -> (f64, f64) {
    let (server, address) = start_server(Arc::clone(protection));
    let outcomes = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| start_client(number, address, Arc::clone(protection), &outcomes))
        .collect();
    thread::sleep(WARM_UP);
    let (start, cpu, done) = (Instant::now(), cpu_time(), outcomes.load(Ordering::Relaxed));
    thread::sleep(TIME);
    let messages = f64::from(u32::try_from(outcomes.load(Ordering::Relaxed) - done).unwrap());
    let (elapsed, cpu) = (start.elapsed(), cpu_time() - cpu);
    drop(clients);
    drop(server);
    (
        messages / elapsed.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / messages,
    )
}

/// The processor time that this process has taken, as Linux counts it: in hundredths of a second.
fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(") ").next().unwrap();
    let ticks: u64 = after_name
        .split(' ')
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

/// Every password is right, and everything is kept.
struct Operator(Handle<Server>);

impl Host<Server> for Operator {
    fn perform(&mut self, effect: server::Effect) {
        self.0.effect_done(match effect {
            server::Effect::CheckPassword { id, .. } => server::Done::PasswordChecked {
                id,
                verdict: Verdict::Right,
            },
            server::Effect::Store { id, .. } => server::Done::Stored { id, result: Ok(()) },
        });
    }

    fn show(&mut self, _: server::event::Event) {}
}

fn any_port() -> Listener {
    Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap()
}

fn start_server(protection: Arc<dyn Protection>) -> (Driver<Server>, SocketAddr) {
    let listener = any_port();
    let address = listener.local_addr();
    let mut config = server::config::Config::default();
    config.allowance.operations.burst = 1_000_000;
    let accounts = (0..CLIENTS).map(|number| AccountEntry {
        name: format!("user{number}").parse().unwrap(),
        credentials: CredentialsDigest([number; 32]),
    });
    let secrets = Box::new(SeededSecrets::new(1_000));
    let machine = Server::new(config, accounts, [0; 32], secrets, Clock.now());
    let machine = machine.protected_by(protection);
    let options = Options::default();
    let driver = Driver::start(machine, vec![listener], options, |handle| {
        Operator(handle.clone())
    });
    (driver.unwrap(), address)
}

/// Shows nothing, and says when the next message can be written.
struct Person {
    key: StaticKey,
    handle: Handle<Client>,
    ready: Sender<()>,
}

impl Host<Client> for Person {
    fn perform(&mut self, effect: client::Effect) {
        self.handle.effect_done(match effect {
            client::Effect::Store { id, .. } => client::Done::Stored { id },
            client::Effect::Show { id, .. } => client::Done::Shown { id },
            client::Effect::JudgeServer { id, .. } => client::Done::ServerJudged {
                id,
                trust: client::Trust::Trusted(self.key.clone()),
            },
        });
    }

    fn show(&mut self, event: Event) {
        if matches!(
            event,
            Event::Outcome { .. } | Event::Session(SessionEvent::LoggedIn { .. })
        ) {
            // Who writes no more does not listen either.
            let _ = self.ready.send(());
        }
    }
}

/// A client that writes to its neighbour, again and again.
fn start_client(
    number: u8,
    server: SocketAddr,
    protection: Arc<dyn Protection>,
    outcomes: &Arc<AtomicU64>,
) -> Driver<Client> {
    let listener = any_port();
    let config = client::config::Config::new(vec![server], listener.local_addr());
    let mut secrets = SeededSecrets::new(number.into());
    let key = StaticKey::generate(&mut secrets);
    let machine = Client::new(config, [number + 1; 32], Box::new(secrets), Clock.now());
    let machine = machine.protected_by(protection);
    let options = Options {
        worker_threads: 1,
        ..Options::default()
    };
    let (ready, turns) = channel();
    let driver = Driver::start(machine, vec![listener], options, |handle| Person {
        key,
        handle: handle.clone(),
        ready,
    })
    .unwrap();
    let handle = driver.handle();
    let login = Command::Login {
        user: format!("user{number}").parse().unwrap(),
        password: Password::new("pw".to_owned()).unwrap(),
    };
    handle.command(login).unwrap();
    let outcomes = Arc::clone(outcomes);
    thread::spawn(move || {
        for () in turns {
            outcomes.fetch_add(1, Ordering::Relaxed);
            let message = Command::Message {
                to: format!("user{}", number ^ 1).parse().unwrap(),
                text: "x".repeat(TEXT_LEN).parse().unwrap(),
            };
            if handle.command(message).is_err() {
                return;
            }
        }
    });
    driver
}

/// No protection at all: everybody is believed.
#[derive(Debug)]
struct Plain;

impl Protection for Plain {
    fn handshake(
        &self,
        _: Part,
        own: &StaticKey,
        secrets: &mut dyn SecretSource,
    ) -> Box<dyn Handshake> {
        let mut id = [0; 16];
        secrets.fill(&mut id);
        let own = own.public();
        let (id, remote) = (SessionId(id), None);
        Box::new(PlainHandshake { id, own, remote })
    }
}

#[derive(Debug)]
struct PlainHandshake {
    own: PublicKey,
    remote: Option<PublicKey>,
    id: SessionId,
}

impl Handshake for PlainHandshake {
    fn write(&mut self, payload: &[u8]) -> Result<Vec<u8>, OpenError> {
        Ok([&self.own.0[..], &self.id.0[..], payload].concat())
    }

    fn read(&mut self, message: &[u8]) -> Result<Vec<u8>, OpenError> {
        let read = |message: &[u8]| {
            let (key, rest) = message.split_first_chunk::<KEY_LEN>()?;
            let (id, payload) = rest.split_first_chunk()?;
            // The caller's id is the session's: it comes first, and the answer repeats it.
            Some((PublicKey(*key), SessionId(*id), payload.to_vec()))
        };
        let (key, id, payload) = read(message).ok_or(OpenError::Forged)?;
        self.remote = Some(key);
        self.id = id;
        Ok(payload)
    }

    fn remote(&self) -> Option<PublicKey> {
        self.remote
    }

    fn finish(self: Box<Self>) -> Option<Established> {
        Some(Established {
            id: self.id,
            cipher: Box::new(PlainCipher),
        })
    }
}

#[derive(Debug)]
struct PlainCipher;

impl Cipher for PlainCipher {
    fn seal(&self, _: Label, payload: &[u8]) -> Vec<u8> {
        payload.to_vec()
    }

    fn open(&self, _: Label, sealed: &[u8]) -> Option<Vec<u8>> {
        Some(sealed.to_vec())
    }
}
