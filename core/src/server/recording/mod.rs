//! Record and replay: what the machine got above the channel, and what it gave back before sealing.
//!
//! A recording holds what is needed to run a server again somewhere else: a [`Header`] (settings, accounts, seed), the
//! records that the server was restored from, then each [`Fact`] with its time, and behind it each [`Act`] that followed. [`Replay`] gives the facts to a fresh machine
//! and compares the acts. [`tape`] is how a recording is written; bytes in, bytes out.
//!
//! ```text
//! frames ── deframer ── channel ──┬── the server's rules ──┬── channel ── frames
//!                                 └─ Fact            Act ──┘
//! ```
//!
//! **Invariant:** no password, key, token or session id is in a recording. Above the channel a request belongs to an
//! account (which has one session at most), so the account's number stands for the session. A challenge that came back
//! stands as right or wrong, and where the machine sends keys, links or challenges there are zeros. A password stands
//! only as the result of its check, and an account's credentials as a number. So it does not matter that a replay has other secrets. Texts are replaced by filler
//! of the same length, unless the operator wants them kept: sizes and bounds stay what they were.

pub mod tape;

mod fact;
mod redact;
mod replay;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::ops::ControlFlow;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::config::Config;
use super::record::Record;
use super::{AccountEntry, CredentialsDigest, Server};
use crate::limits::TEXT_LEN_MAX;
use crate::name::Name;
use crate::rng::SecretSource;
use crate::time::{Moment, Timestamp, WallTime};

pub use fact::{Act, Answered, Entrant, Fact, Items, Loss, Saying, ShownFacts, WelcomeFacts, Wish};
pub use replay::{Difference, Misfit, Replay};

/// What becomes of the texts of messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Texts {
    /// Only their length is recorded.
    Filled,
    /// They are recorded as they are.
    Kept,
}

/// What a server is started with, without its secrets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Header {
    /// The version of the program that recorded.
    pub program: alloc::string::String,
    /// Whether texts are in the recording.
    pub texts: Texts,
    /// The settings.
    pub config: Config,
    /// The accounts, in the machine's order: an [`Account`] is a place in this list, on which
    /// those that are added later follow in the order of [`super::event::Event::AccountAdded`].
    pub accounts: Vec<RecordedAccount>,
    /// Decides ids and jitter; no secret.
    pub seed: [u8; 32],
    /// When the server started: microseconds on its clock, and the time of day.
    pub started: (u64, WallTime),
}

/// No time of a setting is outside of this.
const TIMES: core::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(365 * 24 * 60 * 60);

impl Header {
    /// The server that this describes. The same header gives the same server, but for what comes from `secrets`.
    #[must_use]
    pub fn server(&self, secrets: alloc::boxed::Box<dyn SecretSource>) -> Server {
        let accounts = self.accounts.iter().copied().map(Into::into);
        Server::new(
            self.config.clone(),
            accounts,
            self.seed,
            secrets,
            self.started(),
        )
    }

    /// When the server started.
    #[must_use]
    pub const fn started(&self) -> Moment {
        Moment {
            at: Timestamp::from_micros(self.started.0),
            wall: self.started.1,
        }
    }

    /// Whether a server could have run with these settings: nothing else is known of a file from somewhere.
    fn is_sound(&self) -> bool {
        let config = &self.config;
        let times = [
            config.lockout.block_time,
            config.lockout.account_window,
            config.heartbeat_interval,
            config.timeout,
            config.question_expiry,
            config.store_after,
            config.presence_interval,
            config.shutdown_deadline,
        ];
        let rates = [
            config.admission.strangers,
            config.admission.returning,
            config.allowance.operations,
            config.allowance.deliveries,
        ];
        rates.iter().all(|rate| rate.interval <= *TIMES.end())
            && times.iter().all(|time| TIMES.contains(time))
            && config.max_text <= TEXT_LEN_MAX
    }
}

/// An account in a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecordedAccount {
    /// Its name.
    pub name: Name,
    /// Stands for its credentials: the same number for the same ones, counted in the order in which they came.
    pub credentials: u32,
}

impl RecordedAccount {
    /// The accounts of a [`Header`], for a server that is started with these.
    #[must_use]
    pub fn list(entries: &[AccountEntry]) -> Vec<Self> {
        let mut numbers = CredentialsNumbers::default();
        entries.iter().map(|entry| numbers.record(*entry)).collect()
    }
}

impl From<RecordedAccount> for AccountEntry {
    fn from(account: RecordedAccount) -> Self {
        let mut digest = [0; 32];
        let (number, _) = digest.split_at_mut(4);
        number.copy_from_slice(&account.credentials.to_le_bytes());
        Self {
            name: account.name,
            credentials: CredentialsDigest(digest),
        }
    }
}

/// Numbers the credentials that come, so that a recording shows which are the same and nothing else of them.
#[derive(Debug, Default)]
pub(crate) struct CredentialsNumbers(BTreeMap<CredentialsDigest, u32>);

impl CredentialsNumbers {
    pub(crate) fn record(&mut self, entry: AccountEntry) -> RecordedAccount {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let credentials = *self.0.entry(entry.credentials).or_insert(next);
        RecordedAccount {
            name: entry.name,
            credentials,
        }
    }
}

/// An account, by its place in [`Header::accounts`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Account(pub u32);

/// One thing in a recording, in the order in which they happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// Before anything happened: the server was restored from this too.
    Restored(Record),
    /// The machine got this, then.
    Fact(Moment, Fact),
    /// It gave this, because of the fact before.
    Act(Act),
    /// Nothing follows.
    End(End),
}

/// Why a recording ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum End {
    /// The server has ended.
    ServerEnded,
    /// What happened could not be written as fast as it happened. The server went on.
    Overrun,
}

/// Takes down what a machine gets and gives. It must not wait; `Break` says that it wants to hear nothing more.
pub trait Recorder: fmt::Debug + Send {
    /// Takes down one thing.
    fn note(&mut self, entry: &Entry) -> ControlFlow<()>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::allowance::AllowanceConfig;

    const YEAR: Duration = Duration::from_secs(31_536_000);

    fn is_sound(config: Config) -> bool {
        let header = Header {
            program: alloc::string::String::new(),
            texts: Texts::Filled,
            config,
            accounts: Vec::new(),
            seed: [0; 32],
            started: (0, WallTime(0)),
        };
        header.is_sound()
    }

    #[test]
    fn a_time_may_be_as_long_as_a_year() {
        let with = |timeout| Config {
            timeout,
            ..Config::default()
        };
        assert!(is_sound(with(YEAR)));
        assert!(!is_sound(with(YEAR + Duration::from_millis(1))));
        assert!(!is_sound(with(Duration::ZERO)));
    }

    #[test]
    fn what_else_no_server_runs_with_is_not_believed() {
        let with = |max_text| Config {
            max_text,
            ..Config::default()
        };
        assert!(is_sound(with(TEXT_LEN_MAX)));
        assert!(!is_sound(with(TEXT_LEN_MAX + 1)));
        let mut rates = AllowanceConfig::default();
        rates.operations.interval = YEAR + Duration::from_millis(1);
        let slow = Config {
            allowance: rates,
            ..Config::default()
        };
        assert!(!is_sound(slow));
    }
}
