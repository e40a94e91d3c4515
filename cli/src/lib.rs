//! What the `simplechat` program is made of, around the state machines of `simplechat-core`.
//!
//! Here is what touches files and people. [`settings`] and [`credentials`] are read when it starts; [`bounded_lines`] and
//! [`command_line`] take in what somebody types; [`clean`] stands between other people's text and the terminal. `serve`
//! and `join` put the machines, the transport and the people together; `account` edits the accounts; `replay` shows what a
//! server recorded.
#![forbid(unsafe_code)]

pub mod args;
pub mod bounded_lines;
pub mod clean;
pub mod command_line;
pub mod credentials;
pub mod exit;
pub mod problems;
pub mod settings;

mod account;
mod entropy;
mod join;
mod nearest;
mod quiet;
mod replay;
mod serve;
mod signals;

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
        Command::Account(args) => account::run(args),
        Command::Replay(args) => replay::run(args),
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
    io::stdout()
        .write_all(settings.to_ron().as_bytes())
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    Ok(Exit::Ok)
}
