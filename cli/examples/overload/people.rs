//! Those who chat: 50 pairs, in a process of their own.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Trouble;
use super::server::{Accounts, Server};
use super::table::Run;

/// How many there are.
pub(crate) const COUNT: u64 = 100;
/// Messages a second of all together: eight of each pair, which is below what a user may send.
pub(crate) const RATE: u64 = 400;

/// How they and the server reach each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Link {
    Held,
    PerMessage,
}

impl Link {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::PerMessage => "per-message",
        }
    }
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct People {
    child: Child,
    began: Instant,
    cpu: Duration,
}

/// What the load tool says, as docs/BENCH.md has it.
#[derive(Debug, Deserialize)]
struct Measured {
    latency_micros: Latency,
    late_micros: u64,
    lost: u64,
    doubled: u64,
    out_of_order: u64,
    invented: u64,
    refused: u64,
    breaks: u64,
}

#[derive(Debug, Deserialize)]
struct Latency {
    p99: u64,
}

impl People {
    /// They log in and, once all are there, write.
    pub(crate) fn enter(server: &Server, link: Link, seconds: Duration) -> Result<Self, Trouble> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["bench", "latency", "--json", "--link", link.word()])
            .args(["--users", &COUNT.to_string(), "--rate", &RATE.to_string()])
            .args(["--seconds", &seconds.as_secs().to_string()])
            .args(["--server", &server.place(), "--accounts"])
            .arg(server.accounts(Accounts::People))
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        Ok(Self {
            child: command.spawn()?,
            began: Instant::now(),
            cpu: server.cpu()?,
        })
    }

    /// Waits until they have left, and tells how it was for them.
    pub(crate) fn ended(self, server: &Server) -> Result<Run, Trouble> {
        let said = self.child.wait_with_output()?;
        let cpu = server.cpu()?.saturating_sub(self.cpu);
        let measured: Measured = serde_json::from_slice(&said.stdout)
            .map_err(|_| "those who chat could not be measured")?;
        Ok(Run {
            p99: Duration::from_micros(measured.latency_micros.p99),
            late: Duration::from_micros(measured.late_micros),
            faults: measured.lost + measured.doubled + measured.out_of_order + measured.invented,
            put_off: measured.refused + measured.breaks,
            load: cpu.as_secs_f64() / self.began.elapsed().as_secs_f64(),
            echo: Duration::ZERO,
            refused: None,
        })
    }
}
