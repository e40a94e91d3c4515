//! `simplechat serve`: the server.
//!
//! The three lines that a person needs go to standard output; what happens is logged to standard error.

mod accounts;
mod checking;
pub(crate) mod descriptors;
mod listening;
mod log;
mod past;
mod record;
mod storing;

use std::fmt;
use std::io::{self, Write as _};
use std::sync::Arc;

use simplechat_core::machine::Host;
use simplechat_core::server::event::Event;
use simplechat_core::server::identity::Identity;
use simplechat_core::server::recording::{Header, RecordedAccount, Texts};
use simplechat_core::server::{AccountEntry, Command, Done, Effect, Missing, Server, Verdict};
use simplechat_core::wire::frame::{Frame, RefusalCode};
use simplechat_driver::{Clock, Handle, Listener, Options};

use crate::args::Serve;
use crate::credentials::Credentials;
use crate::data::{DataDirectory, DataError, Part, ServerIdentity};
use crate::entropy::{OsSecrets, seed};
use crate::exit::{Exit, Failure};
use crate::settings::ServeSettings;
use crate::signals::{self, Signal};
use crate::transport::Driver;
use accounts::Accounts;
use checking::{Check, Checking};
use descriptors::Room;
use log::{Log, Rest};
use past::Past;
use record::Recording;
use storing::{Answer, Batch, Storing};

/// Deliveries that may wait for their turn to be dialled; each client has one at most.
const DIAL_QUEUE_MAX: usize = 65_536;

/// Has passwords checked and records kept, and logs events.
struct Operator {
    accounts: Arc<Accounts>,
    credentials: Arc<Credentials>,
    checking: Checking,
    /// `None`: what the machine keeps in memory is all there is.
    storing: Option<Storing>,
    handle: Handle<Server>,
    log: Log,
}

impl Host<Server> for Operator {
    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::CheckPassword { id, name, password } => {
                let handle = self.handle.clone();
                let answer = move |verdict| {
                    handle.effect_done(Done::PasswordChecked { id, verdict });
                };
                let check = Check {
                    name,
                    password,
                    credentials: Arc::clone(&self.credentials),
                    answer: Box::new(answer),
                };
                // The machine has no more checks under way than can wait. If it had, nobody would get in unchecked.
                if let Err(Check { answer, .. }) = self.checking.add(check) {
                    answer(Verdict::Wrong);
                }
            }
            Effect::Store { id, records } => {
                let handle = self.handle.clone();
                let answer = Answer::new(move |result| {
                    handle.effect_done(Done::Stored { id, result });
                });
                match &self.storing {
                    Some(storing) => storing.keep(Batch { records, answer }),
                    None => answer.give(Ok(())),
                }
            }
        }
    }

    fn show(&mut self, event: Event) {
        if event == Event::Reloaded
            && let Some(credentials) = self.accounts.taken()
        {
            self.credentials = credentials;
        }
        self.log.note(event);
    }
}

/// Serves until somebody ends it.
pub(crate) fn run(args: &Serve) -> Result<Exit, Failure> {
    let settings = settings(args)?;
    let failed = |error: &dyn fmt::Display| Failure::new(Exit::Failed, error);
    // First of all, as it proves that new keys cannot be guessed.
    let seed = seed()?;
    let identity = identity(&settings).map_err(|error| failed(&error))?;
    let accounts = Arc::new(Accounts::new(settings.clone(), identity.digest_key()));
    let credentials = accounts.read()?;
    let entries = accounts.entries(&credentials);
    let fingerprint = identity.key.public().fingerprint();
    let past = Past::open(&settings, &entries, missing(args))?;
    let listeners = listening::bind(&settings.listen).map_err(|error| failed(&error))?;
    let addresses: Vec<_> = listeners.iter().map(Listener::local_addr).collect();
    let count = entries.len();
    let (machine, recording) = machine(args, &settings, past.with_gone(&entries), seed)?;
    let machine =
        past.restore(machine.known_as(Identity::new(identity.key, identity.ticket_key)))?;
    let (log, logging) = log::start(settings.log).map_err(|error| failed(&error))?;
    accounts.warn_of(&credentials);
    let has_gone = past.has_gone();
    let (storing, keeper) = past
        .store
        .map(storing::start)
        .transpose()
        .map_err(|error| failed(&error))?
        .unzip();
    let checking = Checking::start(settings.hash_threads).map_err(|error| failed(&error))?;
    let (transport, options) = (settings.transport, options(&settings));
    let driver = Driver::start(transport, machine, listeners, options, |handle| Operator {
        accounts: Arc::clone(&accounts),
        credentials,
        checking,
        storing,
        handle: handle.clone(),
        log,
    })
    .map_err(|error| failed(&error))?;
    let handle = driver.handle();
    if has_gone {
        // It is refused only when the server is ending anyway.
        let _ = handle.command(Command::Reload {
            accounts: entries,
            missing: Missing::Confirmed,
        });
    }
    let mut ends = 0;
    signals::listen(move |signal| match signal {
        Signal::End => {
            end(&handle, ends);
            ends += 1;
        }
        Signal::HangUp => accounts.reload(&handle),
    })
    .map_err(|error| failed(&error))?;
    say(&listening::announce(&addresses, count, fingerprint));
    driver.wait().map_err(|error| failed(&error))?;
    if let Some(recording) = recording {
        recording.finish();
    }
    if let Some(keeper) = keeper {
        keeper.finish();
    }
    if let Some(rest) = logging.finish() {
        say(&stopped(rest));
    }
    Ok(Exit::Ok)
}

fn settings(args: &Serve) -> Result<ServeSettings, Failure> {
    let allows_plain = args.allow_plain_passwords.then(|| "anywhere".into());
    let flags = [
        ("--listen", "serve.listen", args.listen()),
        (
            "--credentials",
            "serve.credentials",
            args.credentials
                .as_ref()
                .map(|path| path.display().to_string()),
        ),
        ("--data", "serve.data", args.data.clone()),
        (
            "--memory",
            "serve.store",
            args.memory.then(|| "memory".into()),
        ),
        ("--transport", "serve.transport", args.transport.clone()),
        (
            "--allow-plain-passwords",
            "serve.plain_passwords",
            allows_plain,
        ),
    ];
    Ok(args.common.settings(&flags, std::env::vars_os())?.serve)
}

/// The server's keys, made at its first start.
fn identity(settings: &ServeSettings) -> Result<ServerIdentity, DataError> {
    let path = Part::Server.path(settings.data.as_deref())?;
    ServerIdentity::load(&DataDirectory::make(&path)?, &mut OsSecrets)
}

/// The server, and its recording if one is wanted.
fn machine(
    args: &Serve,
    settings: &ServeSettings,
    entries: Vec<AccountEntry>,
    seed: [u8; 32],
) -> Result<(Server, Option<Recording>), Failure> {
    let started = Clock.now();
    let header = Header {
        program: env!("CARGO_PKG_VERSION").into(),
        texts: if args.record_text {
            Texts::Kept
        } else {
            Texts::Filled
        },
        config: settings.to_config(),
        accounts: RecordedAccount::list(&entries),
        seed,
        started: (started.at.as_micros(), started.wall),
    };
    let config = header.config.clone();
    let machine = Server::new(config, entries, header.seed, Box::new(OsSecrets), started);
    let Some(path) = &args.record else {
        return Ok((machine, None));
    };
    let recorded = record::create(path).and_then(|file| record::start(file, &header));
    let (recorder, recording) = recorded.map_err(|error| {
        let why = if error.kind() == io::ErrorKind::AlreadyExists {
            "there is such a file already; name a new one".into()
        } else {
            error.to_string()
        };
        let message = format!("cannot record to {}: {why}", path.display());
        Failure::new(Exit::Failed, message)
    })?;
    let machine = machine.recorded_by(header.texts, recorder);
    Ok((machine, Some(recording)))
}

fn options(settings: &ServeSettings) -> Options {
    let room = descriptors::make_room(Room {
        accepted: settings.connections_max,
        dialled: settings.connections_max,
    });
    Options {
        worker_threads: settings.worker_threads,
        connections_max: room.accepted,
        connections_per_source_max: settings.connections_per_source_max,
        dialled_max: room.dialled,
        dials_max: settings.dials_max,
        dial_queue_max: DIAL_QUEUE_MAX,
        dial_timeout: settings.dial_timeout,
        connection_deadline: settings.connection_deadline,
        refusal: Frame::Refusal(RefusalCode::Busy).to_bytes(),
        ..Options::default()
    }
}

/// The first wish to end is done in order, the second one at once.
fn end(handle: &Handle<Server>, before: usize) {
    let command = if before == 0 {
        Command::Shutdown
    } else {
        Command::ShutdownNow
    };
    // It is refused only when the server is ending anyway.
    let _ = handle.command(command);
}

fn stopped(rest: Rest) -> String {
    let undelivered = match rest.undelivered {
        0 => None,
        1 => Some("1 message was not delivered.".to_owned()),
        count => Some(format!("{count} messages were not delivered.")),
    };
    let kept = match rest.kept {
        0 => None,
        1 => Some("1 message is kept for its recipient.".to_owned()),
        count => Some(format!("{count} messages are kept for their recipients.")),
    };
    let said: Vec<_> = [undelivered, kept].into_iter().flatten().collect();
    let said = if said.is_empty() {
        "every message was delivered.".to_owned()
    } else {
        said.join(" ")
    };
    format!("The server has ended; {said}")
}

/// What it means if many accounts are missing that something is kept for.
fn missing(args: &Serve) -> Missing {
    if args.forget_missing {
        Missing::Confirmed
    } else {
        Missing::Doubtful
    }
}

/// A reader who is gone is no reason to end.
fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{text}");
    let _ = stdout.flush();
}
