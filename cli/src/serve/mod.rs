//! `simplechat serve`: the server.
//!
//! The three lines that a person needs go to standard output; what happens is logged to standard error.

mod accounts;
mod checking;
pub(crate) mod descriptors;
mod listening;
mod log;
mod record;

use std::fmt;
use std::io::{self, Write as _};
use std::sync::Arc;

use simplechat_core::machine::Host;
use simplechat_core::server::event::Event;
use simplechat_core::server::identity::Identity;
use simplechat_core::server::recording::{Header, RecordedAccount, Texts};
use simplechat_core::server::{AccountEntry, Command, Done, Effect, Server, Verdict};
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
use log::Log;
use record::Recording;

/// Deliveries that may wait for their turn to be dialled; each client has one at most.
const DIAL_QUEUE_MAX: usize = 65_536;

/// Has passwords checked and logs events.
struct Operator {
    accounts: Arc<Accounts>,
    credentials: Arc<Credentials>,
    checking: Checking,
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
            // There is no store yet: what the machine keeps in memory is kept as long as this program runs.
            Effect::Store { id, records: _ } => {
                self.handle.effect_done(Done::Stored { id, result: Ok(()) });
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
    let fingerprint = identity.key.public().fingerprint();
    let listeners = listening::bind(&settings.listen).map_err(|error| failed(&error))?;
    let addresses: Vec<_> = listeners.iter().map(Listener::local_addr).collect();
    let entries = accounts.entries(&credentials);
    let count = entries.len();
    let (machine, recording) = machine(args, &settings, entries, seed)?;
    let machine = machine.known_as(Identity::new(identity.key, identity.ticket_key));
    let (log, logging) = log::start(settings.log).map_err(|error| failed(&error))?;
    accounts.warn_of(&credentials);
    let checking = Checking::start(settings.hash_threads).map_err(|error| failed(&error))?;
    let (transport, options) = (settings.transport, options(&settings));
    let driver = Driver::start(transport, machine, listeners, options, |handle| Operator {
        accounts: Arc::clone(&accounts),
        credentials,
        checking,
        handle: handle.clone(),
        log,
    })
    .map_err(|error| failed(&error))?;
    let handle = driver.handle();
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
    if let Some(undelivered) = logging.finish() {
        say(&stopped(undelivered));
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

fn stopped(undelivered: u64) -> String {
    match undelivered {
        0 => "The server has ended; every message was delivered.".into(),
        1 => "The server has ended; 1 message was not delivered.".into(),
        count => format!("The server has ended; {count} messages were not delivered."),
    }
}

/// A reader who is gone is no reason to end.
fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{text}");
    let _ = stdout.flush();
}
