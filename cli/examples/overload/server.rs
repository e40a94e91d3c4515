//! The server that is attacked: a process, with its files in a folder for temporary ones.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};
use clap::ValueEnum;
use data_encoding::BASE64_NOPAD;

use super::attack::{self, Attack};
use super::{Trouble, people};

const PASSWORD: &str = "overload";
const SALT: &[u8; 16] = b"simplechat-bench";
/// How long anything may take that is to happen before it is measured.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the server waits for connections with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Transport {
    Std,
    Async,
}

/// What a check of a password costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HashCost {
    /// Next to nothing, where passwords are not what it is about.
    Least,
    /// What an operator has.
    Usual,
}

/// See the module's text. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) fingerprint: String,
    folder: PathBuf,
    logged: Arc<Logged>,
}

/// Lines of the server's log.
#[derive(Debug, Default)]
struct Logged {
    in_: AtomicU64,
    refused: AtomicU64,
}

impl Server {
    /// Starts one for an attack, that logs to this file, or here, where it is counted.
    pub(crate) fn start(
        attack: Attack,
        transport: Transport,
        log: Option<&Path>,
    ) -> Result<Self, Trouble> {
        let folder = std::env::temp_dir().join(format!("simplechat-overload-{:08x}", salt()?));
        fs::create_dir(&folder)?;
        write_accounts(&folder, attack)?;
        let word = transport.to_possible_value();
        let word = word.as_ref().map_or("std", |value| value.get_name());
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--transport", word])
            .arg("--credentials")
            .arg(folder.join("credentials.txt"))
            .arg("--data")
            .arg(folder.join("data"))
            .args(
                attack
                    .settings()
                    .iter()
                    .flat_map(|setting| ["--set", setting]),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(match log {
                Some(file) => Stdio::from(File::options().write(true).open(file)?),
                None => Stdio::piped(),
            });
        let mut child = command.spawn()?;
        let logged = Arc::<Logged>::default();
        if let Some(log) = child.stderr.take() {
            let logged = Arc::clone(&logged);
            thread::spawn(move || logged.read(BufReader::new(log)));
        }
        let mut greeting = String::new();
        let mut stdout = child.stdout.take().map(BufReader::new);
        if let Some(stdout) = &mut stdout {
            for _ in 0..2 {
                stdout.read_line(&mut greeting)?;
            }
        }
        let (address, fingerprint) = read(&greeting).ok_or("the server did not start")?;
        Ok(Self {
            child,
            address,
            fingerprint,
            folder,
            logged,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it is, and by what it is known.
    pub(crate) fn place(&self) -> String {
        format!("{}#{}", self.address, self.fingerprint)
    }

    /// The file with the names and passwords of so many, or of others.
    pub(crate) fn accounts(&self, of: Accounts) -> PathBuf {
        self.folder.join(of.file())
    }

    /// How many logins were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.logged.refused.load(Ordering::Relaxed)
    }

    /// Waits until so many have logged in.
    pub(crate) fn until_logged_in(&self, count: u64) -> Result<(), Trouble> {
        let began = Instant::now();
        while self.logged.in_.load(Ordering::Relaxed) < count {
            if began.elapsed() > PATIENCE {
                return Err("those who were to log in did not".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Processor time so far.
    pub(crate) fn cpu(&self) -> Result<Duration, Trouble> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        let (_, after_name) = stat.rsplit_once(") ").ok_or("no processor time")?;
        let fields = after_name.split(' ').skip(11).take(2);
        let ticks: u64 = fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        let a_second = rustix::param::clock_ticks_per_second().max(1);
        Ok(Duration::from_micros(ticks * 1_000_000 / a_second))
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> Result<u64, Trouble> {
        let open = fs::read_dir(format!("/proc/{}/fd", self.id()))?.count();
        Ok(u64::try_from(open)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, and then people did not get their messages either.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Logged {
    fn read(&self, log: impl std::io::BufRead) {
        for line in log.lines().map_while(Result::ok) {
            if line.contains(" logged in") {
                self.in_.fetch_add(1, Ordering::Relaxed);
            } else if line.contains(" refused") {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Whose accounts there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Accounts {
    /// Of those who chat.
    People,
    /// Of those who log in and do nothing.
    Idle,
    /// Of attackers.
    Rogues,
}

impl Accounts {
    const ALL: [Self; 3] = [Self::People, Self::Idle, Self::Rogues];

    fn file(self) -> &'static str {
        match self {
            Self::People => "people.txt",
            Self::Idle => "idle.txt",
            Self::Rogues => "rogues.txt",
        }
    }

    fn count(self, attack: Attack) -> u64 {
        match self {
            Self::People => people::COUNT,
            Self::Idle if attack == Attack::Idle => attack::IDLE,
            Self::Idle => 0,
            Self::Rogues => attack::ROGUES,
        }
    }

    /// The name of one of them.
    pub(crate) fn name(self, number: u64) -> String {
        match self {
            Self::People => format!("user{number}"),
            Self::Idle => format!("idle{number}"),
            Self::Rogues => format!("rogue{number}"),
        }
    }
}

/// What all of them prove themselves by.
pub(crate) fn password() -> String {
    PASSWORD.into()
}

/// All have the same password, and so one hash will do.
fn write_accounts(folder: &Path, attack: Attack) -> Result<(), Trouble> {
    let hash = hash(attack.hash_cost())?;
    let mut all = String::new();
    for of in Accounts::ALL {
        let names: Vec<_> = (0..of.count(attack))
            .map(|number| of.name(number))
            .collect();
        let lines = names.iter().map(|name| format!("{name} {PASSWORD}\n"));
        fs::write(folder.join(of.file()), lines.collect::<String>())?;
        all.extend(names.iter().map(|name| format!("{name} {hash}\n")));
    }
    Ok(fs::write(folder.join("credentials.txt"), all)?)
}

fn hash(cost: HashCost) -> Result<String, Trouble> {
    let (memory, passes) = match cost {
        HashCost::Least => (8, 1),
        HashCost::Usual => (19_456, 2),
    };
    let mut output = [0; 32];
    let params = Params::new(memory, passes, 1, Some(output.len())).map_err(text)?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(PASSWORD.as_bytes(), SALT, &mut output)
        .map_err(text)?;
    let [salt, output] = [&SALT[..], &output].map(|bytes| BASE64_NOPAD.encode(bytes));
    Ok(format!(
        "$argon2id$v=19$m={memory},t={passes},p=1${salt}${output}"
    ))
}

fn text(error: argon2::Error) -> Trouble {
    error.to_string().into()
}

fn salt() -> Result<u32, Trouble> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(u32::from_le_bytes(bytes))
}

/// Where the server says that it is, and its fingerprint.
fn read(greeting: &str) -> Option<(SocketAddr, String)> {
    let mut lines = greeting.lines();
    let listening = lines.next()?.strip_prefix("Listening on ")?;
    let address = listening.split(',').next()?.parse().ok()?;
    let fingerprint = lines.next()?.strip_prefix("Fingerprint:")?.trim();
    Some((address, fingerprint.into()))
}
