//! Every setting: its type, default, range and explanation.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use simplechat_core::client::config::StoreKind as ClientStoreKind;
use simplechat_core::limits::TEXT_LEN_MAX;
use simplechat_core::rate::Rate;
use simplechat_core::server::MailboxLimits;
use simplechat_core::server::admission::AdmissionConfig;
use simplechat_core::server::allowance::AllowanceConfig;
use simplechat_core::server::config::{Config, StoreKind};
use simplechat_core::server::lockout::{LockoutConfig, LockoutRule};
use simplechat_core::wire::login::LinkChoice;

use super::declare::{Key, Section, settings};
use super::value::{self, Value};
use super::{LogLevel, PlainPasswords, Transport};
use crate::credentials::{Cost, MEMORY_KIB_MAX, PASSES_MAX};

/// What a time can be: none can be zero, and what travels as milliseconds must fit 32 bits.
const TIMES: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(30 * 24 * 60 * 60);

settings! {
    /// The server: `simplechat serve`.
    serve: ServeSettings {
        /// Where the server listens: an address and a port, or several in brackets with commas between them, such as one
        /// for IPv4 and one for IPv6. At 0.0.0.0 it can be reached from other machines; port 0 takes any free one.
        listen: Vec<SocketAddr> = "127.0.0.1:5150";

        /// The file with the accounts: on each line a name and a password or its hash. A relative path starts where the
        /// server is started.
        credentials: PathBuf = "credentials.txt";

        /// The directory in which the server keeps its keys and its store, made when it is missing; None is
        /// simplechat/server in the user's data directory ($XDG_DATA_HOME, or ~/.local/share).
        data: Option<PathBuf> = "none";

        /// Where the server keeps messages for users who are away, blacklists and the like: disk is a database in that
        /// directory, memory ends with the server.
        store: StoreKind = "disk";

        /// Where the server may listen while that file holds passwords in plain text: loopback, which only programs on
        /// the same host reach, or anywhere.
        plain_passwords: PlainPasswords = "loopback";

        /// How much memory it takes to hash a password (Argon2id), in KiB: for passwords in plain text, and for hashes
        /// that simplechat account makes.
        hash_memory: u32 = "19456" in 19_456..=MEMORY_KIB_MAX;

        /// How many passes over that memory it takes.
        hash_passes: u32 = "2" in 2..=PASSES_MAX;

        /// How many threads check passwords. Each takes a processor while people log in, and keeps the memory that the
        /// dearest hash needs.
        hash_threads: usize = "2" in 1..=64;

        /// After so many wrong passwords in a row an account is locked.
        max_login_attempts: u32 = "3" in 1..=10_000;

        /// How long an account stays locked; then it can be tried again.
        block_time: Duration = "60s" in TIMES;

        /// What wrong passwords are counted by: account_and_source locks an account only for the address that they came
        /// from; account locks it for everybody, so anybody can lock out anybody.
        lockout: LockoutRule = "account_and_source";

        /// With account_and_source: after so many wrong passwords from whatever addresses, an account is locked for all
        /// from which, and with whose key, it has not logged in lately.
        account_failures: u32 = "30" in 1..=10_000;

        /// The time within which account_failures counts.
        account_failures_window: Duration = "10m" in TIMES;

        /// How much a user can have the server do at once: messages, broadcasts, blocks, questions for an address, and
        /// pages of the list of who is online.
        operations_burst: u32 = "40" in 1..=1_000_000;

        /// How much a user can have the server do a second after that. What is more waits in the client.
        operations_per_second: u32 = "10" in 1..=1_000_000;

        /// How many users a user's broadcasts can reach at once. A broadcast goes to everybody also if less is left; the
        /// next one waits.
        deliveries_burst: u32 = "5000" in 1..=1_000_000;

        /// How many users a user's broadcasts can reach a second after that.
        deliveries_per_second: u32 = "500" in 1..=1_000_000;

        /// How many logins can be begun from one address (of IPv6, from one network of 64 bits) in a minute.
        handshakes_per_minute: u32 = "240" in 1..=1_000_000;

        /// How many can be begun in a minute by clients that were logged in lately.
        handshakes_per_minute_returning: u32 = "5000" in 1..=1_000_000;

        /// How often clients say that they are there.
        heartbeat_interval: Duration = "30s" in TIMES;

        /// A client that was silent for so long is logged out. It must be longer than heartbeat_interval; with the
        /// defaults three heartbeats may get lost.
        timeout: Duration = "95s" in TIMES;

        /// How long a user can answer who is asked for their address.
        question_expiry: Duration = "120s" in TIMES;

        /// The longest message, in bytes.
        max_text: usize = "8192" in 1..=TEXT_LEN_MAX;

        /// How many messages are kept for a user; further ones are refused.
        mailbox_messages: usize = "1000" in 1..=1_000_000;

        /// How many bytes of messages are kept for a user; further ones are refused.
        mailbox_bytes: usize = "4194304" in 1..=1_073_741_824;

        /// How many hundredths of both one sender may take up, so that nobody fills a mailbox alone.
        mailbox_sender_percent: usize = "10" in 1..=100;

        /// For how many days a message is kept; then it is deleted, and its sender is told at their next login.
        mailbox_days: u32 = "30" in 1..=36_500;

        /// A message to somebody online that they do not have after so long counts as kept for them, and its sender is
        /// told so.
        store_after: Duration = "250ms" in TIMES;

        /// The shortest time between two alerts to a user of who came and went.
        presence_interval: Duration = "2s" in TIMES;

        /// With more users online, alerts of a user who came or went go only to those who know that user.
        presence_alerts_max: usize = "500" in 0..=1_000_000;

        /// How long a shutdown may take to hand over what is under way.
        shutdown_deadline: Duration = "10s" in TIMES;

        /// What is logged: error, warn, info or debug, each with all before it.
        log: LogLevel = "info";

        /// What waits for connections: std is a few threads, async is tasks of async-std, one for each connection.
        transport: Transport = "std";

        /// How many threads work on connections, with the transport std; more than two seldom help.
        worker_threads: usize = "2" in 1..=1_024;

        /// How many connections may be open at a time, in each direction.
        connections_max: usize = "4096" in 1..=1_000_000;

        /// How many of those that others make may come from one source, an IPv4 address or an IPv6 /64, so that no
        /// single host takes all. Raise it where many users share one address and have held links.
        connections_per_source_max: usize = "2048" in 1..=1_000_000;

        /// How many connections to clients may be in the making at a time.
        dials_max: usize = "256" in 1..=1_000_000;

        /// How long opening a connection may take.
        dial_timeout: Duration = "3s" in TIMES;

        /// How long a connection may take in all. It must be longer than dial_timeout.
        connection_deadline: Duration = "15s" in TIMES;
    }

    /// The client: `simplechat join`.
    join: JoinSettings {
        /// Where the client listens for the server and for peers: an address and a port, or None for any free port.
        listen: Option<SocketAddr> = "none";

        /// The directory in which the client keeps its keys, the servers that it knows and its store, made when it is
        /// missing; None is simplechat/client in the user's data directory ($XDG_DATA_HOME, or ~/.local/share).
        data: Option<PathBuf> = "none";

        /// Where the client keeps what was said, what waits to be sent, and the address book: disk is a database in that
        /// directory for each account, memory ends with the client.
        store: ClientStoreKind = "disk";

        /// How large such a database may become, in MiB; then the oldest messages are erased.
        history_mib: u32 = "1024" in 1..=1_048_576;

        /// How many conversations the client shows again when it starts, those with the latest messages.
        recent_conversations: usize = "10" in 0..=1_000;

        /// How many messages of each of them it shows.
        recent_messages: usize = "5" in 1..=1_000;

        /// How the server reaches the client: per_message is by calling it, with a connection for each exchange; held is
        /// on one connection that the client holds open; auto holds one only if the server cannot call.
        link: LinkChoice = "auto";

        /// What waits for connections: std is a few threads, async is tasks of async-std, one for each connection.
        transport: Transport = "std";

        /// How many threads work on connections, with the transport std; more than two seldom help.
        worker_threads: usize = "2" in 1..=1_024;

        /// How many connections may be open at a time.
        connections_max: usize = "256" in 1..=1_000_000;

        /// How long opening a connection may take.
        dial_timeout: Duration = "3s" in TIMES;

        /// How long a connection may take in all. It must be longer than dial_timeout.
        connection_deadline: Duration = "15s" in TIMES;
    }
}

impl ServeSettings {
    /// What it costs to hash a password.
    #[must_use]
    pub fn hash_cost(&self) -> Cost {
        Cost::new(self.hash_memory, self.hash_passes)
    }

    /// What the server's rules need of them.
    #[must_use]
    pub fn to_config(&self) -> Config {
        Config {
            admission: AdmissionConfig {
                strangers: Rate::per_minute(self.handshakes_per_minute),
                returning: Rate::per_minute(self.handshakes_per_minute_returning),
            },
            allowance: AllowanceConfig {
                operations: Rate::per_second(self.operations_burst, self.operations_per_second),
                deliveries: Rate::per_second(self.deliveries_burst, self.deliveries_per_second),
            },
            lockout: LockoutConfig {
                rule: self.lockout,
                attempts_max: self.max_login_attempts,
                block_time: self.block_time,
                account_failures_max: self.account_failures,
                account_window: self.account_failures_window,
            },
            mailbox: MailboxLimits {
                messages: self.mailbox_messages,
                bytes: self.mailbox_bytes,
                sender_percent: self.mailbox_sender_percent,
                age: Duration::from_secs(u64::from(self.mailbox_days) * 24 * 60 * 60),
            },
            store: self.store,
            heartbeat_interval: self.heartbeat_interval,
            timeout: self.timeout,
            question_expiry: self.question_expiry,
            store_after: self.store_after,
            presence_interval: self.presence_interval,
            presence_alerts_max: self.presence_alerts_max,
            max_text: self.max_text,
            shutdown_deadline: self.shutdown_deadline,
        }
    }
}

/// All settings of all sections.
pub(super) fn all() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

/// The section of that name.
pub(super) fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

impl Section {
    /// The setting of that name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}
