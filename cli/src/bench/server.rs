//! The server that is measured: one of our own, which is a process with all its files in a folder that is removed in the end,
//! or one that runs already.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::{self, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use simplechat_core::key::Fingerprint;
use simplechat_core::name::Name;
use simplechat_core::text::Password;

use crate::args::bench::Bench;
use crate::credentials::{BadLine, Cost, Hash, Proof, Workbench, parse_line};
use crate::exit::{Exit, Failure};
use crate::join::place::resolve;
use crate::place::Invitation;

const PASSWORD: &str = "bench";
/// Cheap on purpose: this measures a server, and not Argon2id.
const HASH_MEMORY_KIB: u32 = 8;
const HASH_PASSES: u32 = 1;
const SALT: [u8; 16] = *b"simplechat-bench";
/// What keeps one user from taking too much, and would be all that is measured.
const RAISED: [&str; 12] = [
    "serve.operations_burst=1000000",
    "serve.operations_per_second=1000000",
    "serve.deliveries_burst=1000000",
    "serve.deliveries_per_second=1000000",
    "serve.handshakes_per_minute=1000000",
    "serve.handshakes_per_minute_returning=1000000",
    "serve.connections_per_source_max=1000000",
    "serve.max_login_attempts=10000",
    "serve.account_failures=10000",
    "serve.mailbox_messages=1000000",
    "serve.mailbox_bytes=1073741824",
    "serve.mailbox_sender_percent=100",
];

/// Where the server is, and who can log in.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) fingerprint: Fingerprint,
    pub(super) accounts: Vec<(Name, Password)>,
    pub(super) own: Option<OwnServer>,
}

/// A server that was started for this. It ends when this is dropped, and nothing is left of it.
#[derive(Debug)]
pub(super) struct OwnServer {
    child: Child,
    /// Outlives the process.
    _folder: Folder,
}

/// Removed when it is dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Target {
    /// The server that the command line names, or one that is started now.
    pub(super) fn of(args: &Bench, users: u32) -> Result<Self, Failure> {
        match (&args.server, &args.accounts) {
            (Some(server), Some(accounts)) => Self::foreign(server, accounts, users),
            _ => Self::own(args, users),
        }
    }

    fn foreign(server: &str, accounts: &Path, users: u32) -> Result<Self, Failure> {
        let usage = |message: String| Failure::new(Exit::Usage, message);
        let invitation: Invitation = server.parse().map_err(|error| usage(format!("{error}")))?;
        let fingerprint = invitation.fingerprint.ok_or_else(|| {
            usage(format!(
                "{server}: the fingerprint of the server's key is missing: HOST:PORT#FINGERPRINT"
            ))
        })?;
        let addresses = resolve(&invitation.place)?;
        let Some(&address) = addresses.first() else {
            return Err(usage(format!("{server}: this host has no address")));
        };
        let shown = accounts.display();
        let bytes = fs::read(accounts)
            .map_err(|error| usage(format!("the accounts file {shown} cannot be read: {error}")))?;
        let accounts =
            plain_accounts(&bytes).map_err(|error| usage(format!("{shown}: {error}")))?;
        let wanted = usize::try_from(users).unwrap_or(usize::MAX);
        if accounts.len() < wanted {
            return Err(usage(format!(
                "{shown} has {} accounts with a password in plain text, and {users} users need one each",
                accounts.len()
            )));
        }
        Ok(Self {
            address,
            fingerprint,
            accounts: accounts.into_iter().take(wanted).collect(),
            own: None,
        })
    }

    fn own(args: &Bench, users: u32) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            Failure::new(Exit::Failed, format!("cannot start a server: {error}"))
        };
        let folder = Folder::make().map_err(failed)?;
        let accounts = accounts(users)?;
        let credentials = folder.0.join("credentials.txt");
        fs::write(&credentials, credentials_text(&accounts)?).map_err(failed)?;
        let mut child = command(args, users, &folder.0, &credentials)
            .map_err(failed)?
            .spawn()
            .map_err(failed)?;
        let greeting = child.stdout.take().map(BufReader::new);
        let own = OwnServer {
            child,
            _folder: folder,
        };
        let (address, fingerprint) = greeting.and_then(read_greeting).ok_or_else(|| {
            Failure::new(
                Exit::Failed,
                "the server that was to be measured did not start",
            )
        })?;
        Ok(Self {
            address,
            fingerprint,
            accounts,
            own: Some(own),
        })
    }
}

impl OwnServer {
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Ends it in order, as an operator would.
    pub(super) fn end(mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // Whoever has ended already cannot be killed, and is only waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Folder {
    fn make() -> io::Result<Self> {
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(|error| io::Error::other(error.to_string()))?;
        let name = format!("simplechat-bench-{:016x}", u64::from_le_bytes(name));
        let path = std::env::temp_dir().join(name);
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It is in the place for files that nobody needs any more.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn command(args: &Bench, users: u32, folder: &Path, credentials: &Path) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--credentials"])
        .arg(credentials)
        .arg("--data")
        .arg(folder.join("data"))
        .args(["--set", "serve.log=error"])
        .args(RAISED.iter().flat_map(|setting| ["--set", setting]));
    // Each user may have a connection open and another one that is closing.
    let connections = u64::from(users).saturating_mul(2).clamp(4_096, 1_000_000);
    command
        .arg("--set")
        .arg(format!("serve.connections_max={connections}"));
    for setting in &args.set {
        command.arg("--set").arg(setting);
    }
    if let Some(recording) = &args.record {
        command.arg("--record").arg(recording);
    }
    // What this machine's own server is set to be is not for this one.
    let is_setting = |name: &OsStr| name.to_string_lossy().starts_with("SIMPLECHAT_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    Ok(command)
}

/// The first two lines of a server: where it listens, and the fingerprint of its key.
fn read_greeting(output: impl io::BufRead) -> Option<(SocketAddr, Fingerprint)> {
    let mut lines = output.lines().map_while(Result::ok);
    let listening = lines.next()?;
    let address = listening.strip_prefix("Listening on ")?.split(',').next()?;
    let fingerprint = lines.next()?;
    let fingerprint = fingerprint.strip_prefix("Fingerprint:")?.trim();
    Some((address.parse().ok()?, fingerprint.parse().ok()?))
}

fn accounts(users: u32) -> Result<Vec<(Name, Password)>, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Failed, error);
    let password = Password::new(PASSWORD.into()).map_err(|error| failed(&error))?;
    (0..users)
        .map(|number| {
            let name = format!("user{number}").parse();
            Ok((name.map_err(|error| failed(&error))?, password.clone()))
        })
        .collect()
}

/// All have the same password, and so one hash will do.
fn credentials_text(accounts: &[(Name, Password)]) -> Result<String, Failure> {
    let Some((_, password)) = accounts.first() else {
        return Ok(String::new());
    };
    let cost = Cost::new(HASH_MEMORY_KIB, HASH_PASSES);
    let hash = Hash::make(password, cost, SALT, &mut Workbench::default())
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let lines = accounts
        .iter()
        .map(|(name, _)| format!("{name} {}\n", hash.as_str()));
    Ok(lines.collect())
}

/// Whose password is a hash cannot be played here.
fn plain_accounts(bytes: &[u8]) -> Result<Vec<(Name, Password)>, BadLine> {
    let mut accounts = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Some((name, Proof::Plain(password))) = parse_line(line)? {
            accounts.push((name, password));
        }
    }
    Ok(accounts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_where_it_is() {
        let fingerprint = "aaaq-eayd-aucq-mbyi-beaq-yba4-bafa-wcya";
        let text = format!(
            "Listening on 127.0.0.1:5150, with 3 accounts. Ctrl-C ends the server.\nFingerprint:  {fingerprint}\nJoin with: …\n"
        );
        let (address, found) = read_greeting(text.as_bytes()).unwrap();
        assert_eq!(address, "127.0.0.1:5150".parse().unwrap());
        assert_eq!(found.to_string(), fingerprint);
        assert_eq!(read_greeting("simplechat: no\n".as_bytes()), None);
    }

    #[test]
    fn only_who_has_a_plain_password_can_be_played() {
        let file = b"# ours\nalice pw\n\nbob $argon2id$v=19$m=8,t=1,p=1$c2ltcGxlY2hhdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\ncarol pw2\n";
        let names: Vec<_> = plain_accounts(file)
            .unwrap()
            .iter()
            .map(|(name, _)| name.to_string())
            .collect();
        assert_eq!(names, ["alice", "carol"]);
    }
}
