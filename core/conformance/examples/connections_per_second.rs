//! How many short connections a second each transport serves, against a bare loop that does the least that can be done.
//!
//! Each connection brings 256 bytes, gets 16 back and is closed. The peers run in the same process and take their share
//! of the cores, so only the ratios of the figures mean something: they are measured in turn, and the median is told. Run it with
//! `cargo run --release -p simplechat-conformance --example connections_per_second`.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use simplechat_core::machine::{Deadline, Host, Input, Machine, Output};
use simplechat_core::time::Moment;
use simplechat_driver::{Drive, Listener, Options};

const QUESTION_LEN: usize = 256;
const ANSWER: [u8; 16] = *b"sixteen byte end";
const PEERS: usize = 8;
const TIME: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;

/// Answers once it has a whole question.
#[derive(Default)]
struct Answerer {
    outputs: VecDeque<Output<Infallible, Infallible>>,
    /// Bytes of questions that came in pieces.
    pieces: std::collections::BTreeMap<simplechat_core::machine::ConnId, usize>,
}

impl Machine for Answerer {
    type Command = ();
    type Rejected = Infallible;
    type Effect = Infallible;
    type Done = Infallible;
    type Event = Infallible;

    fn handle_input(&mut self, _: Moment, input: Input<'_, Infallible>) {
        match input {
            Input::Received { conn, bytes } => {
                let len = self.pieces.remove(&conn).unwrap_or(0) + bytes.len();
                if len < QUESTION_LEN {
                    self.pieces.insert(conn, len);
                    return;
                }
                let bytes = ANSWER.to_vec();
                self.outputs.push_back(Output::Send { conn, bytes });
                self.outputs.push_back(Output::Close { conn });
            }
            Input::Accepted { .. }
            | Input::Connected { .. }
            | Input::ConnectFailed { .. }
            | Input::Finished { .. }
            | Input::Closed { .. }
            | Input::EffectDone(_)
            | Input::Timeout => {}
        }
    }

    fn handle_command(&mut self, _: Moment, (): ()) -> Result<(), Infallible> {
        self.outputs.push_back(Output::Stop);
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Output<Infallible, Infallible>> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        None
    }
}

struct Nobody;

impl Host<Answerer> for Nobody {
    fn perform(&mut self, effect: Infallible) {
        match effect {}
    }

    fn show(&mut self, event: Infallible) {
        match event {}
    }
}

fn main() -> io::Result<()> {
    let bare = bare_loop()?;
    let blocking = start::<simplechat_transport_std::Driver<Answerer>>()?;
    let tasks = start::<simplechat_transport_async::Driver<Answerer>>()?;
    let servers = [
        ("bare loop", bare),
        ("transport-std", blocking.1),
        ("transport-async", tasks.1),
    ];
    let mut rates = servers.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for ((_, address), rates) in servers.iter().zip(&mut rates) {
            rates.push(measure(*address));
        }
    }
    let medians = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[ROUNDS / 2]
    });
    for ((name, _), rate) in servers.iter().zip(medians) {
        let share = 100.0 * rate / medians[0];
        println!("{name:16} {rate:6.0} connections/s, {share:3.0} %");
    }
    stop(blocking.0)?;
    stop(tasks.0)
}

fn start<D: Drive<Answerer>>() -> io::Result<(D, SocketAddr)> {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = Listener::bind(any_port).map_err(io::Error::other)?;
    let address = listener.local_addr();
    let options = Options::default();
    let driver = D::start(Answerer::default(), vec![listener], options, |_| Nobody)?;
    Ok((driver, address))
}

fn stop(driver: impl Drive<Answerer>) -> io::Result<()> {
    let Ok(()) = driver.handle().command(());
    driver.wait()
}

/// The least that can be done: one thread, one connection at a time.
fn bare_loop() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A peer that breaks off is its own affair.
            let _ = stream.and_then(|mut stream| {
                stream.read_exact(&mut [0; QUESTION_LEN])?;
                stream.write_all(&ANSWER)
            });
        }
    });
    Ok(address)
}

/// Connections a second, with so many peers at once.
fn measure(address: SocketAddr) -> f64 {
    let served = AtomicU64::new(0);
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..PEERS {
            scope.spawn(|| {
                while started.elapsed() < TIME {
                    match ask(address) {
                        Ok(()) => served.fetch_add(1, Ordering::Relaxed),
                        Err(error) => return println!("a peer gives up: {error}"),
                    };
                }
            });
        }
    });
    let served = u32::try_from(served.into_inner()).unwrap_or(u32::MAX);
    f64::from(served) / started.elapsed().as_secs_f64()
}

fn ask(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(&[1; QUESTION_LEN])?;
    let mut answer = Vec::with_capacity(ANSWER.len());
    stream.read_to_end(&mut answer)?;
    match answer == ANSWER {
        true => Ok(()),
        false => Err(io::Error::other("that is not the answer")),
    }
}
