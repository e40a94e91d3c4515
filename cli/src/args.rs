//! The command line.

pub mod bench;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use simplechat_core::key::Fingerprint;
use simplechat_core::name::Name;

use crate::exit::{Exit, Failure};
use crate::settings::{Override, Settings};

/// The words of the setting `transport`.
const TRANSPORTS: [&str; 2] = ["std", "async"];
/// The words of the setting `link`.
const LINKS: [&str; 3] = ["auto", "per-message", "held"];

/// A self-hosted chat: server, terminal client and direct messages between peers, in one program.
#[derive(Debug, Parser)]
#[command(version, disable_help_subcommand = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a server
    Serve(Serve),
    /// Chat
    Join(Join),
    /// Find out why you cannot connect
    Doctor(Doctor),
    /// Show or forget the servers that you have trusted
    Known(Known),
    /// Show the fingerprint of the server's key, for its users to compare
    Fingerprint(ShowFingerprint),
    /// Edit the file with a server's accounts
    Account(Account),
    /// Check, copy or measure what a server keeps on disk
    Store(Store),
    /// Run a recording of a server again, and show it as a timeline
    Replay(Replay),
    /// Measure a server under load, and check what it does
    Bench(bench::Bench),
    /// Write the settings with their explanations, to be used as a settings file
    Config(Common),
}

/// What all commands take.
#[derive(Debug, Args)]
pub struct Common {
    /// Read settings from this file; `simplechat config` writes one
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Change one setting, such as serve.timeout=95s; can be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// `simplechat serve`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 ended in order, 1 something went wrong, 2 wrong command line, settings or accounts.")]
pub struct Serve {
    /// Listen on this address and port [default: 127.0.0.1:5150]; port 0 takes any free one. Can be given several times,
    /// such as once for IPv4 and once for IPv6
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Vec<SocketAddr>,
    /// The file with the accounts: on each line a name and a password or its hash [default: credentials.txt]
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// Keep the server's keys and its store in this directory [default: simplechat/server in your data directory]
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Keep nothing on disk but the keys: messages for users who are away, blacklists and the like end with the server
    #[arg(long)]
    pub memory: bool,
    /// Erase what is kept for accounts that are not in the accounts file any more, also if these are over half of all
    #[arg(long)]
    pub forget_missing: bool,
    /// Listen wherever it is asked for, although the accounts file holds passwords in plain text; better is
    /// `simplechat account harden`
    #[arg(long)]
    pub allow_plain_passwords: bool,
    /// What waits for connections: a few threads, or tasks of async-std [default: std]
    #[arg(long, value_parser = TRANSPORTS)]
    pub transport: Option<String>,
    /// Write what the server gets and does to this new file, for `simplechat replay`: names and addresses are in it,
    /// texts only as their length, passwords and keys not at all
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Record the texts of messages too
    #[arg(long, requires = "record")]
    pub record_text: bool,
    /// Settings.
    #[command(flatten)]
    pub common: Common,
}

/// `simplechat store`
#[derive(Debug, Args)]
#[command(after_help = "\
All of it can be done while the server runs.

Exit codes: 0 done, 1 there is no store, it is damaged, or something went wrong, 2 wrong command line or settings.")]
pub struct Store {
    /// What to do.
    #[command(subcommand)]
    pub action: StoreAction,
}

/// What can be done with what a server keeps.
#[derive(Debug, Subcommand)]
pub enum StoreAction {
    /// Read all of it, and say whether it is sound
    Check {
        /// Where it is kept.
        #[command(flatten)]
        kept: ServerData,
    },
    /// Copy it as it is at this moment
    Backup {
        /// A new file. To restore it, end the server, put it in the place of store.sqlite, and remove store.sqlite-wal
        /// and store.sqlite-shm
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Where it is kept.
        #[command(flatten)]
        kept: ServerData,
    },
    /// Show how much is kept for whom
    Stats {
        /// Where it is kept.
        #[command(flatten)]
        kept: ServerData,
    },
}

/// Where a server's data are.
#[derive(Debug, Args)]
pub struct ServerData {
    /// The directory that `simplechat serve` was given [default: simplechat/server in your data directory]
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Settings.
    #[command(flatten)]
    pub common: Common,
}

/// `simplechat account`
#[derive(Debug, Args)]
#[command(after_help = "\
A server that runs reads the file again on SIGHUP.

Exit codes: 0 done, 1 the file cannot be written, 2 wrong command line, settings, accounts or password, \
or no such account.")]
pub struct Account {
    /// What to do.
    #[command(subcommand)]
    pub action: AccountAction,
}

/// What can be done with accounts.
#[derive(Debug, Subcommand)]
pub enum AccountAction {
    /// Add an account; the file is made if there is none
    Add(OneAccount),
    /// Give an account a new password
    Passwd(OneAccount),
    /// Remove an account; the server forgets what it kept for it when it reads the file again
    Remove {
        /// Whose account
        #[arg(value_name = "NAME")]
        name: Name,
        /// The file.
        #[command(flatten)]
        file: AccountsFile,
    },
    /// List all accounts, and which have their password in plain text
    List {
        /// The file.
        #[command(flatten)]
        file: AccountsFile,
    },
    /// Replace passwords in plain text by hashes
    Harden {
        /// The file.
        #[command(flatten)]
        file: AccountsFile,
    },
}

/// An account that gets a password.
#[derive(Debug, Args)]
pub struct OneAccount {
    /// Whose account
    #[arg(value_name = "NAME")]
    pub name: Name,
    /// Read the password from the first line of this file (- for the standard input), without asking for it
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// The file.
    #[command(flatten)]
    pub file: AccountsFile,
}

impl OneAccount {
    /// The file with the password, if there is one.
    #[must_use]
    pub fn password_file(&self) -> Option<&Path> {
        self.password_file.as_deref()
    }
}

/// The file with the accounts.
#[derive(Debug, Args)]
pub struct AccountsFile {
    /// The file with the accounts [default: credentials.txt]
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// Settings.
    #[command(flatten)]
    pub common: Common,
}

/// `simplechat replay`
#[derive(Debug, Args)]
#[command(after_help = "\
Each line has the time, the connection (a: accepted, d: dialled), the user, and what the server got (<) or gave (>).

Exit codes: 0 the server's machine did the same again, 1 the recording cannot be read or breaks off, \
2 wrong command line, 6 the machine did something else.")]
pub struct Replay {
    /// What `simplechat serve --record` wrote
    #[arg(value_name = "FILE")]
    pub recording: PathBuf,
    /// Show only what has to do with this user
    #[arg(long, value_name = "NAME")]
    pub user: Option<Name>,
}

/// `simplechat join`
#[derive(Debug, Args)]
#[command(after_help = "\
Without a terminal the name and password are the first two lines of the input, unless they are given.

Exit codes: 0 left in order, 1 something went wrong or, with --no-history, messages stay unsent, 2 wrong command line or settings, \
3 login refused or locked, 4 server unreachable, 5 taken over by another login, 7 server not trusted.")]
pub struct Join {
    /// Where the server is, and behind a # the fingerprint of its key, as the server prints it when it starts. Without a
    /// fingerprint you are asked whether to trust a server that you have not joined before
    #[arg(value_name = "HOST:PORT[#FINGERPRINT]")]
    pub server: String,
    /// Trust the server if its key has this fingerprint: the same as behind the #
    #[arg(long, value_name = "FINGERPRINT")]
    pub server_key: Option<Fingerprint>,
    /// Without a person to ask: trust a server that was not joined before if it is on this machine. For one elsewhere give
    /// its fingerprint: the password would go to whoever answers in its place
    #[arg(long)]
    pub accept_new: bool,
    /// Log in under this name, without asking for it
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Read the password from the first line of this file, without asking for it
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Listen on this address and port for the server and for peers [default: any free port]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// How the server reaches you: by calling this client for each exchange, or on a connection that this client holds
    /// open. auto holds one if the server cannot call [default: auto]
    #[arg(long, value_parser = LINKS)]
    pub link: Option<String>,
    /// What waits for connections: a few threads, or tasks of async-std [default: std]
    #[arg(long, value_parser = TRANSPORTS)]
    pub transport: Option<String>,
    /// Keep your keys, the servers that you trust and your messages in this directory [default: simplechat/client in your
    /// data directory]
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Start without the server, with the address book that is kept on this device: private messages work between peers who
    /// find each other, and the login is made as soon as the server is back
    #[arg(long, conflicts_with = "no_history")]
    pub offline: bool,
    /// Keep no messages: what was said, what waits to be sent and your address book end with this client
    #[arg(long)]
    pub no_history: bool,
    /// Settings.
    #[command(flatten)]
    pub common: Common,
}

/// `simplechat doctor`
#[derive(Debug, Args)]
#[command(after_help = "\
Each step is ok, a note (it works, but you may want to know), or failed, and then the last one.

Exit codes: 0 all is well, 1 something went wrong or the server cannot call this client, 2 wrong command line or \
settings, 3 login refused or locked, 4 server unreachable, 7 server not trusted.")]
pub struct Doctor {
    /// Where the server is, and behind a # the fingerprint of its key, as for join. Nothing is remembered
    #[arg(value_name = "HOST:PORT[#FINGERPRINT]")]
    pub server: String,
    /// Log in too, compare clocks, and see whether the server can call this client. As with any login, a client that is
    /// logged in under this name ends. It asks for the password
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Read the password from the first line of this file, without asking for it
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// Listen on this address and port, as for join [default: any free port]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// The directory that `simplechat join` was given [default: simplechat/client in your data directory]
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Print one JSON object, for programs
    #[arg(long)]
    pub json: bool,
    /// Settings.
    #[command(flatten)]
    pub common: Common,
}

/// `simplechat known`
#[derive(Debug, Args)]
pub struct Known {
    /// What to do.
    #[command(subcommand)]
    pub action: KnownAction,
}

/// What can be done with the servers that are known.
#[derive(Debug, Subcommand)]
pub enum KnownAction {
    /// Show them: place, fingerprint and the day on which each was first seen
    List {
        /// Where they are kept.
        #[command(flatten)]
        kept: ClientData,
    },
    /// Forget one, so that its next key counts as that of a new server
    Forget {
        /// Where the server is
        #[arg(value_name = "HOST:PORT")]
        place: String,
        /// Where it is kept.
        #[command(flatten)]
        kept: ClientData,
    },
}

/// Where a client's data are.
#[derive(Debug, Args)]
pub struct ClientData {
    /// The directory that `simplechat join` was given [default: simplechat/client in your data directory]
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Settings.
    #[command(flatten)]
    pub common: Common,
}

/// `simplechat fingerprint`
#[derive(Debug, Args)]
pub struct ShowFingerprint {
    /// The directory that `simplechat serve` was given [default: simplechat/server in your data directory]
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Settings.
    #[command(flatten)]
    pub common: Common,
}

impl Serve {
    /// Where to listen, as the setting is written.
    pub(crate) fn listen(&self) -> Option<String> {
        let addresses: Vec<_> = self.listen.iter().map(ToString::to_string).collect();
        (!addresses.is_empty()).then(|| addresses.join(","))
    }
}

impl Common {
    /// Reads the settings in all their layers. `flags` are those with an option of their own: its name, the setting's
    /// key and the value that was given.
    pub(crate) fn settings(
        &self,
        flags: &[(&str, &str, Option<String>)],
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Settings, Failure> {
        let usage = |message: String| Failure::new(Exit::Usage, message);
        let mut overrides = Vec::new();
        for assignment in &self.set {
            let set = Override::from_assignment(assignment, "--set")
                .map_err(|error| usage(format!("--set {assignment}: {error}")))?;
            overrides.push(set);
        }
        for (flag, key, value) in flags {
            overrides.extend(value.clone().map(|value| Override {
                key: (*key).to_owned(),
                value,
                place: (*flag).to_owned(),
            }));
        }
        Settings::load(self.config.as_deref(), environment, &overrides)
            .map_err(|error| usage(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_flag_overrules_a_set() {
        let Command::Serve(serve) = Arguments::parse_from([
            "simplechat",
            "serve",
            "--set",
            "serve.listen=127.0.0.1:1",
            "--listen",
            "127.0.0.1:2",
            "--listen",
            "[::1]:2",
        ])
        .command
        else {
            panic!("that is serve");
        };
        let settings = serve
            .common
            .settings(&[("--listen", "serve.listen", serve.listen())], [])
            .unwrap();
        let both = ["127.0.0.1:2", "[::1]:2"].map(|address| address.parse().unwrap());
        assert_eq!(settings.serve.listen, both);
    }

    #[test]
    fn help_is_readable() {
        let help = |name: &str| {
            let mut command = Arguments::command().term_width(90);
            command.build();
            let found = command.find_subcommand_mut(name);
            found.unwrap().render_long_help().to_string()
        };
        insta::assert_snapshot!("help_serve", help("serve"));
        insta::assert_snapshot!("help_account", help("account"));
        insta::assert_snapshot!("help_store", help("store"));
        insta::assert_snapshot!("help_join", help("join"));
        insta::assert_snapshot!("help_doctor", help("doctor"));
        insta::assert_snapshot!("help_replay", help("replay"));
        insta::assert_snapshot!("help_bench", help("bench"));
        insta::assert_snapshot!("help_config", help("config"));
        insta::assert_snapshot!("help_known", help("known"));
        insta::assert_snapshot!("help_fingerprint", help("fingerprint"));
        let mut all = Arguments::command().term_width(90);
        insta::assert_snapshot!("help", all.render_long_help());
    }
}
