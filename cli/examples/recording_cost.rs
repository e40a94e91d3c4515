//! What `simplechat serve --record` costs: messages a second, and the server's processor time for each, with and without.
//!
//! Clients in pairs write to each other over loopback, each waiting for the outcome before the next message, so that a
//! message is two connections. The clients take their share of the cores, so only ratios mean something; the processor
//! time is the better figure on a machine that does other things too. Runs with and without recording alternate.
//!
//! `cargo build --release && cargo run --release -p simplechat --example recording_cost`, on Linux.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "printing is what it is for, and whoever runs it sees what went wrong"
)]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use simplechat_core::client::command::Command;
use simplechat_core::client::config::Config;
use simplechat_core::client::event::{Event, SessionEvent};
use simplechat_core::client::{Client, Done, Effect, Trust};
use simplechat_core::key::StaticKey;
use simplechat_core::machine::Host;
use simplechat_core::rng::SeededSecrets;
use simplechat_core::text::Password;
use simplechat_transport_std::{Clock, Drive, Driver, Handle, Listener, Options};

const CLIENTS: usize = 16;
const ROUNDS: usize = 4;
const WARM_UP: Duration = Duration::from_secs(2);
const TIME: Duration = Duration::from_secs(8);
const TEXT: &str = "a message as long as people write them when they chat";

/// Shows nothing, and says when the next message can be written.
struct Person {
    number: u8,
    handle: Handle<Client>,
    ready: Sender<()>,
}

impl Host<Client> for Person {
    fn perform(&mut self, effect: Effect) {
        let done = match effect {
            Effect::Show { id, .. } => Done::Shown { id },
            Effect::JudgeServer { id, .. } => {
                let own = StaticKey::generate(&mut SeededSecrets::new(self.number.into()));
                let trust = Trust::Trusted(own);
                Done::ServerJudged { id, trust }
            }
        };
        self.handle.effect_done(done);
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

struct Measured {
    messages_a_second: f64,
    micros_a_message: f64,
}

fn main() {
    let program = env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from("target/release/simplechat"), PathBuf::from);
    let folder = env::temp_dir().join(format!("simplechat-cost-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let accounts: String = (0..CLIENTS).map(|it| format!("user{it} pw\n")).collect();
    fs::write(folder.join("credentials.txt"), accounts).unwrap();

    println!("round  recording  messages/s  server's µs/message");
    let mut sums = [(0.0, 0.0); 2];
    for round in 0..ROUNDS {
        for (sum, is_recorded) in sums.iter_mut().zip([false, true]) {
            let recording = is_recorded.then(|| folder.join(format!("recording-{round}")));
            let measured = measure(&program, &folder, recording.as_deref());
            sum.0 += measured.messages_a_second;
            sum.1 += measured.micros_a_message;
            println!(
                "{round:>5}  {is_recorded:>9}  {:>10.0}  {:>19.1}",
                measured.messages_a_second, measured.micros_a_message
            );
        }
    }
    let [(without_rate, without_time), (with_rate, with_time)] = sums;
    println!(
        "with recording: {:.1} % of the messages a second, {:.1} % of the processor time for each",
        100.0 * with_rate / without_rate,
        100.0 * with_time / without_time
    );
    fs::remove_dir_all(&folder).unwrap();
}

fn measure(program: &Path, folder: &Path, recording: Option<&Path>) -> Measured {
    let mut serve = Process::new(program);
    serve
        .args(["serve", "--set", "serve.operations_burst=1000000"])
        .args(["--listen", "127.0.0.1:0", "--credentials"])
        .arg(folder.join("credentials.txt"))
        .arg("--data")
        .arg(folder.join("data"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(path) = recording {
        serve.arg("--record").arg(path);
    }
    let mut server = serve.spawn().unwrap();
    let address = address_of(&mut server);
    let outcomes = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| start_client(number, address, &outcomes))
        .collect();
    thread::sleep(WARM_UP);
    let (start, cpu, done) = (
        Instant::now(),
        cpu_time(&server),
        outcomes.load(Ordering::Relaxed),
    );
    thread::sleep(TIME);
    let messages = f64::from(u32::try_from(outcomes.load(Ordering::Relaxed) - done).unwrap());
    let measured = Measured {
        messages_a_second: messages / start.elapsed().as_secs_f64(),
        micros_a_message: (cpu_time(&server) - cpu).as_secs_f64() * 1e6 / messages,
    };
    drop(clients);
    server.kill().unwrap();
    server.wait().unwrap();
    measured
}

fn address_of(server: &mut Child) -> SocketAddr {
    let mut line = String::new();
    let output = server.stdout.as_mut().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    let rest = line.strip_prefix("Listening on ").unwrap();
    rest.split(',').next().unwrap().parse().unwrap()
}

/// A client that writes to its neighbour, again and again.
fn start_client(number: usize, server: SocketAddr, outcomes: &Arc<AtomicU64>) -> Driver<Client> {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = Config::new(vec![server], listener.local_addr());
    let seed = u8::try_from(number + 1).unwrap();
    let secrets = Box::new(SeededSecrets::new(seed.into()));
    let machine = Client::new(config, [seed; 32], secrets, Clock.now());
    let options = Options {
        worker_threads: 1,
        ..Options::default()
    };
    let (ready, turns) = channel();
    let driver = Driver::start(machine, vec![listener], options, |handle| Person {
        number: seed,
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
                text: TEXT.parse().unwrap(),
            };
            if handle.command(message).is_err() {
                return;
            }
        }
    });
    driver
}

/// The processor time that a process has taken, as Linux counts it: in hundredths of a second.
fn cpu_time(process: &Child) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    let after_name = stat.rsplit(") ").next().unwrap();
    let ticks: u64 = after_name
        .split(' ')
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}
