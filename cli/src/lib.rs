//! What the `simplechat` program is made of, around the state machines of `simplechat-core`.
//!
//! Here is what touches files and people. [`settings`] and [`credentials`] are read when it starts; [`data`] keeps keys and
//! known servers, each found by its [`place`]; [`bounded_lines`] and [`command_line`] take in what somebody types;
//! [`clean`] stands between other people's text and the terminal. `serve` and `join` put the machines, the transport and
//! the people together, on the `transport` that was chosen; `join::doctor` finds out why somebody cannot join; `account` edits
//! the accounts; `known`, `fingerprint` and `store` show what they keep; `replay` shows what a server recorded; `bench` measures a server.
#![forbid(unsafe_code)]

pub mod args;
pub mod bounded_lines;
pub mod clean;
pub mod command_line;
pub mod credentials;
pub mod data;
pub mod exit;
pub mod place;
pub mod problems;
pub mod settings;

mod account;
mod bench;
mod entropy;
mod fingerprint;
mod join;
mod known;
mod nearest;
mod quiet;
mod replay;
mod serve;
mod signals;
mod store;
mod transport;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use args::{Arguments, Command};
use exit::{Exit, Failure};

/// Does what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match &arguments.command {
        Command::Serve(args) => serve::run(args),
        Command::Join(args) => join::run(args),
        Command::Doctor(args) => join::doctor::run(args),
        Command::Known(args) => known::run(args),
        Command::Fingerprint(args) => fingerprint::run(args),
        Command::Account(args) => account::run(args),
        Command::Store(args) => store::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Config(args) => write_settings(args),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(Failure { exit, message }) => {
            // A standard error that is closed cannot be told so.
            let _ = writeln!(io::stderr(), "simplechat: {message}");
            exit.into()
        }
    }
}

fn write_settings(args: &args::Common) -> Result<Exit, Failure> {
    let settings = args.settings(&[], std::env::vars_os())?;
    print(&settings.to_ron())
}

/// Writes what somebody asked for, and is done.
fn print(text: &str) -> Result<Exit, Failure> {
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    Ok(Exit::Ok)
}
