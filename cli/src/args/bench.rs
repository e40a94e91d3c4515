//! `simplechat bench`

use std::path::PathBuf;

use clap::{Args, ValueEnum, value_parser};

use crate::settings::Transport;

/// `simplechat bench`
#[derive(Debug, Args)]
#[command(after_help = "\
Without --server it starts a server of its own, on this machine, with its limits for each user raised. \
docs/BENCH.md says what is measured, and how.

Exit codes: 0 measured, and every message came once and in order; 1 something went wrong, or a message was lost, \
doubled or out of order; 2 wrong command line or accounts, 3 login refused, 4 server unreachable, 5 taken over, \
7 server not trusted.")]
pub struct Bench {
    /// What the users do
    #[arg(value_enum)]
    pub workload: WorkloadName,
    /// How many users [default: 100; login: 32]
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u32).range(2..=100_000))]
    pub users: Option<u32>,
    /// Measure for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = value_parser!(u32).range(1..=86_400))]
    pub seconds: u32,
    /// How many messages of a sender are on their way at once
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = value_parser!(u32).range(1..=500))]
    pub window: u32,
    /// How long texts are, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 200, value_parser = value_parser!(u32).range(64..=8_192))]
    pub size: u32,
    /// With latency: how many messages are sent a second, by all users together
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// How users, the server and peers reach each other
    #[arg(long, value_enum, default_value_t = BenchLink::Held)]
    pub link: BenchLink,
    /// What carries the bytes of the users; the server has a setting of its own
    #[arg(long, value_enum, default_value_t = Transport::Std)]
    pub transport: Transport,
    /// Write the result as one line of JSON
    #[arg(long)]
    pub json: bool,
    /// Measure this server, and not one of its own
    #[arg(long, value_name = "HOST:PORT#FINGERPRINT", requires = "accounts")]
    pub server: Option<String>,
    /// Who logs in at that server: on each line a name and a password
    #[arg(long, value_name = "FILE", requires = "server")]
    pub accounts: Option<PathBuf>,
    /// Change a setting of the server that is started, such as serve.worker_threads=2; can be given several times
    #[arg(long = "set", value_name = "KEY=VALUE", conflicts_with = "server")]
    pub set: Vec<String>,
    /// Have the server that is started write a recording of all this to a new file
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    pub record: Option<PathBuf>,
}

/// What users do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum WorkloadName {
    /// Pairs: one writes to the other, with a window of messages on their way
    Direct,
    /// Pairs at a fixed rate, whatever becomes of it: how long a message takes
    Latency,
    /// One user writes to all others at once
    Fanout,
    /// Everybody is logged in and silent: what a user costs
    Idle,
    /// Everybody logs in and out, again and again
    Login,
    /// Half of the users write to the other half, who are away, and then come and fetch it
    Mailbox,
    /// Pairs that were introduced to each other write directly
    Private,
}

/// How users and the server reach each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum BenchLink {
    /// One connection for each user, which stays open
    Held,
    /// A connection for each exchange
    PerMessage,
}

/// What a value is called on the command line.
pub(crate) fn word(value: impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}
