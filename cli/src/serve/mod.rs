//! `simplechat serve`: the server.
//!
//! The three lines that a person needs go to standard output; what happens is logged to standard error.

mod descriptors;
mod log;
mod record;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use simplechat_core::key::Fingerprint;
use simplechat_core::machine::Host;
use simplechat_core::server::event::Event;
use simplechat_core::server::recording::{Header, Texts};
use simplechat_core::server::{Command, Done, Effect, Server, Verdict};
use simplechat_core::wire::frame::{Frame, RefusalCode};
use simplechat_transport_std::{Clock, Driver, Handle, Listener, Options};

use crate::args::Serve;
use crate::credentials::Credentials;
use crate::data::{DataDirectory, DataError, Part, ServerIdentity};
use crate::entropy::{OsSecrets, seed};
use crate::exit::{Exit, Failure};
use crate::settings::ServeSettings;
use crate::signals;
use log::Log;
use record::Recording;

/// Deliveries that may wait for their turn to be dialled; each client has one at most.
const DIAL_QUEUE_MAX: usize = 65_536;

/// Checks passwords and logs events.
struct Operator {
    credentials: Arc<Credentials>,
    handle: Handle<Server>,
    log: Log,
}

impl Host<Server> for Operator {
    fn perform(&mut self, effect: Effect) {
        let done = match effect {
            // Plain passwords are compared in no time; the result goes back as that of a slow check would.
            Effect::CheckPassword { id, name, password } => {
                let verdict = if self.credentials.verify(name, &password) {
                    Verdict::Right
                } else {
                    Verdict::Wrong
                };
                Done::PasswordChecked { id, verdict }
            }
            // There is no store yet: what the machine keeps in memory is kept as long as this program runs.
            Effect::Store { id, records: _ } => Done::Stored { id, result: Ok(()) },
        };
        self.handle.effect_done(done);
    }

    fn show(&mut self, event: Event) {
        self.log.note(event);
    }
}

/// Serves until somebody ends it.
pub(crate) fn run(args: &Serve) -> Result<Exit, Failure> {
    let flags = [
        (
            "--listen",
            "serve.listen",
            args.listen.map(|listen| listen.to_string()),
        ),
        (
            "--credentials",
            "serve.credentials",
            args.credentials
                .as_ref()
                .map(|path| path.display().to_string()),
        ),
        ("--data", "serve.data", args.data.clone()),
    ];
    let settings = args.common.settings(&flags, std::env::vars_os())?.serve;
    let credentials = Credentials::read(&settings.credentials)
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    let credentials = Arc::new(credentials);
    // First of all, as it proves that new keys cannot be guessed.
    let seed = seed()?;
    let identity = identity(&settings).map_err(|error| Failure::new(Exit::Failed, error))?;
    let fingerprint = identity.key.public().fingerprint();
    let listener =
        Listener::bind(settings.listen).map_err(|error| Failure::new(Exit::Failed, error))?;
    let address = listener.local_addr();
    let (machine, recording) = machine(args, &settings, &credentials, seed)?;
    let (log, logging) =
        log::start(settings.log).map_err(|error| Failure::new(Exit::Failed, error))?;
    let accounts = credentials.names().len();
    let driver = Driver::start(machine, vec![listener], options(&settings), |handle| {
        Operator {
            credentials,
            handle: handle.clone(),
            log,
        }
    })
    .map_err(|error| Failure::new(Exit::Failed, error))?;
    let handle = driver.handle();
    signals::on_end(move |before| end(&handle, before))
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    say(&format!(
        "Listening on {address}, with {accounts} accounts. Ctrl-C ends the server.\nFingerprint:  {fingerprint}\nJoin with:  {}",
        join_line(address, fingerprint)
    ));
    driver
        .wait()
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    if let Some(recording) = recording {
        recording.finish();
    }
    if let Some(undelivered) = logging.finish() {
        say(&stopped(undelivered));
    }
    Ok(Exit::Ok)
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
    credentials: &Credentials,
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
        accounts: credentials.names().collect(),
        seed,
        started: (started.at.as_micros(), started.wall),
    };
    let machine = header.server(Box::new(OsSecrets));
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
    let connections_max = descriptors::make_room(settings.connections_max);
    Options {
        worker_threads: settings.worker_threads,
        connections_max,
        dialled_max: connections_max,
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

/// What a user types to join, as this program was called.
fn join_line(address: SocketAddr, fingerprint: Fingerprint) -> String {
    let program = std::env::args().next().unwrap_or_default();
    let program = if program.is_empty() {
        "simplechat".into()
    } else {
        program
    };
    let place = if address.ip().is_unspecified() {
        let host = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        format!("{host}:{}", address.port())
    } else {
        address.to_string()
    };
    format!("{program} join {place}#{fingerprint}")
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
