//! What attacks cost those who chat: how long their messages take with an attack and without.
//!
//! ```text
//! cargo run --release -p simplechat --example overload
//! cargo run --release -p simplechat --example overload -- --only flood --rounds 1
//! ```
//!
//! For each transport and attack, a `simplechat serve` with its default limits, on loopback; 50 pairs that write to each other at a
//! modest fixed rate (`simplechat bench latency`); and the attack, from other addresses of loopback than theirs. Runs without
//! and with the attack take turns, each with a new server, and the medians are compared, so that other work on the machine
//! counts for both. Attackers have the lowest priority: on a network they would bring a processor of their own. What of it is the
//! machine's is shown by a bare echo beside the server (see `echo`), and for floods by the same attack on a bare server
//! beside ours (see `bare`).
//!
//! It prints the table of docs/OPERATIONS.md, and fails if a message was lost, or took more than three times as long.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what it is for"
)]

mod attack;
mod bare;
mod cores;
mod echo;
mod people;
mod puppet;
mod server;
mod table;

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use clap::{Parser, ValueEnum};

use attack::{Attack, Siege};
use bare::Bare;
use cores::Side;
use echo::Echo;
use people::{Link, People};
use server::{Server, Transport};
use table::{Row, Run};

/// Whatever goes wrong here is for whoever runs it.
type Trouble = Box<dyn Error>;

/// What attacks cost those who chat, as a table.
#[derive(Debug, Parser)]
struct Args {
    /// Only this attack
    #[arg(long, value_enum)]
    only: Option<Attack>,
    /// Only on this transport of the server
    #[arg(long, value_enum)]
    transport: Option<Transport>,
    /// How often each is measured; medians count
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long each time
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
}

fn main() -> ExitCode {
    // Server and users are processes of the program, which is this one too.
    match std::env::args().nth(1).as_deref() {
        Some("serve") => {
            Side::Server.take_cores();
            return simplechat::run();
        }
        Some("echo") => {
            Side::Server.take_cores();
            return echo::serve();
        }
        Some("bare") => {
            Side::Server.take_cores();
            return bare::serve();
        }
        Some("bench") => {
            Side::Others.take_cores();
            return simplechat::run();
        }
        Some(_) | None => {}
    }
    match table(&Args::parse()) {
        Ok(rows) if rows.iter().all(Row::is_good) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("overload: {trouble}");
            ExitCode::FAILURE
        }
    }
}

/// Starts this program as a process that says first where it listens.
fn begin(role: &str) -> Result<(Child, SocketAddr), Trouble> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg(role)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let said = child.stdout.take().ok_or("the process has no output")?;
    let mut address = String::new();
    BufReader::new(said).read_line(&mut address)?;
    Ok((child, address.trim().parse()?))
}

fn table(args: &Args) -> Result<Vec<Row>, Trouble> {
    println!("{}", table::head());
    let mut rows = Vec::new();
    for &attack in Attack::value_variants() {
        for &transport in Transport::value_variants() {
            let is_wanted = args.only.is_none_or(|only| only == attack)
                && args.transport.is_none_or(|only| only == transport);
            for &link in attack.links().iter().filter(|_| is_wanted) {
                let row = row(args, attack, transport, link)?;
                println!("{row}");
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

fn row(args: &Args, attack: Attack, transport: Transport, link: Link) -> Result<Row, Trouble> {
    let scene = Scene {
        attack,
        transport,
        link,
        seconds: Duration::from_secs(args.seconds.into()),
    };
    let (mut without, mut with, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        without.push(scene.left_alone()?);
        with.push(scene.attacked()?);
        if attack.is_flood() {
            beside.push(scene.attacked_beside()?);
        }
    }
    Ok(Row {
        attack,
        transport,
        link,
        without,
        with,
        beside,
    })
}

/// What a row is about.
struct Scene {
    attack: Attack,
    transport: Transport,
    link: Link,
    seconds: Duration,
}

impl Scene {
    fn left_alone(&self) -> Result<Run, Trouble> {
        let server = Server::start(self.attack, self.transport, None)?;
        let people = self.people(&server)?;
        let echo = Echo::start()?;
        let run = people.ended(&server)?;
        Ok(Run {
            echo: echo.end(),
            ..run
        })
    }

    fn attacked(&self) -> Result<Run, Trouble> {
        let server = Server::start(self.attack, self.transport, self.attack.log())?;
        let siege = || Siege::begin(self.attack, &server, server.address);
        if self.attack.comes_first() {
            let siege = siege()?;
            let people = People::enter(&server, self.link, self.seconds)?;
            chat_under(siege, people, &server)
        } else {
            let people = self.people(&server)?;
            chat_under(siege()?, people, &server)
        }
    }

    /// With the attack on a bare server in place of ours.
    fn attacked_beside(&self) -> Result<Run, Trouble> {
        let server = Server::start(self.attack, self.transport, None)?;
        let people = self.people(&server)?;
        let bare = Bare::start()?;
        let siege = Siege::begin(self.attack, &server, bare.address)?;
        chat_under(siege, people, &server)
    }

    /// People who are all logged in.
    fn people(&self, server: &Server) -> Result<People, Trouble> {
        let people = People::enter(server, self.link, self.seconds)?;
        server.until_logged_in(people::COUNT)?;
        Ok(people)
    }
}

fn chat_under(siege: Siege, people: People, server: &Server) -> Result<Run, Trouble> {
    let echo = Echo::start()?;
    let run = people.ended(server)?;
    Ok(Run {
        echo: echo.end(),
        refused: Some(siege.end(server)),
        ..run
    })
}
