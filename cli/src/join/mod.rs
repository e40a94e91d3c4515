//! `simplechat join`: the client, one line at a time.
//!
//! Four threads besides the driver's: one reads what is typed and hands it to the machine (`reader`), one waits for signals,
//! one for another client that wants to go on with what is kept (`takeover`), and this one keeps and shows what happens
//! (`conversation`).

mod console;
mod conversation;
pub(crate) mod doctor;
mod keeping;
mod last_time;
pub(crate) mod place;
mod reader;
mod recall;
mod takeover;
mod trust;
mod wording;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use simplechat_core::client::command::Command;
use simplechat_core::client::config::{Config, Start, StoreKind};
use simplechat_core::client::event::Event;
use simplechat_core::client::record::Record;
use simplechat_core::client::{Client, Effect};
use simplechat_core::id::EffectId;
use simplechat_core::key::PublicKey;
use simplechat_core::machine::Host;
use simplechat_core::name::Name;
use simplechat_core::text::Password;
use simplechat_core::wire::frame::{Frame, RefusalCode};
use simplechat_driver::{Clock, Handle, Listener, Options};

use crate::args::Join;
use crate::command_line;
use crate::entropy::{OsSecrets, seed};
use crate::exit::{Exit, Failure};
use crate::settings::JoinSettings;
use crate::signals;
use crate::transport::Driver;
use console::Input;
use conversation::{Again, Conversation, Ended};
use keeping::{Keeping, Past};
use last_time::LastTime;
use takeover::Successor;
use trust::Trust;

/// Something to show, or to keep and show.
enum Item {
    /// What the machine says of itself.
    Event(Event),
    /// What is to be kept; it is reported back when it is.
    Store { id: EffectId, records: Vec<Record> },
    /// What others sent; it is reported back when it is kept and shown.
    Show {
        id: EffectId,
        events: Vec<Event>,
        records: Vec<Record>,
    },
    /// Whether the server with this key at this address is who the user means.
    Judge {
        id: EffectId,
        key: PublicKey,
        address: SocketAddr,
    },
    /// A word on what was typed.
    Text(String),
    /// Something about messages of the past was typed.
    Past(command_line::Past),
    /// Another client wants to go on with what is kept.
    Successor(Successor),
}

struct Reporter(Sender<Item>);

impl Host<Client> for Reporter {
    fn perform(&mut self, effect: Effect) {
        let item = match effect {
            Effect::Store { id, records } => Item::Store { id, records },
            Effect::Show {
                id,
                events,
                records,
            } => Item::Show {
                id,
                events,
                records,
            },
            Effect::JudgeServer { id, key, address } => Item::Judge { id, key, address },
        };
        // Nobody listens any more only when the program is ending.
        let _ = self.0.send(item);
    }

    fn show(&mut self, event: Event) {
        let _ = self.0.send(Item::Event(event));
    }
}

/// Who is told to leave when the program is.
#[derive(Clone, Default)]
struct Leaver(Arc<Mutex<Option<Handle<Client>>>>);

impl Leaver {
    fn set(&self, handle: Handle<Client>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }

    fn leave(&self) {
        let handle = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(handle) = handle {
            leave(&handle);
        }
    }
}

/// Chats until the user leaves or the session ends.
pub(crate) fn run(args: &Join) -> Result<Exit, Failure> {
    let settings = settings(args)?;
    let trust = Trust::new(args, &settings)?;
    let start = if args.offline {
        Start::Offline
    } else {
        Start::WithServer
    };
    let found = match start {
        Start::WithServer => Ok(place::resolve(trust.place())?),
        // Where a name leads may not be known without a server either.
        Start::Offline => place::resolve(trust.place()),
    };
    let (mut input, screen) = console::open()?;
    let user = name(args, &mut input)?;
    let known = trust.known_key(user);
    let servers = found.or_else(|failure| {
        let last = known.map(|server| last_time::servers(&trust.store(&server, user)));
        last.filter(|last| !last.is_empty()).ok_or(failure)
    })?;
    let listeners = listen(&settings, &servers, &trust, known, user)?;
    let password = password(args.password_file.as_deref(), &mut input)?;
    let leaver = Leaver::default();
    let signalled = leaver.clone();
    signals::listen(move |_| signalled.leave()).map_err(failed)?;
    let login = Login {
        settings: &settings,
        servers,
        user,
        password,
        may_ask_again: args.password_file.is_none(),
        start,
    };
    let mut again = Again {
        server: known,
        trust,
        input,
        screen,
    };
    let mut listeners = Some(listeners);
    loop {
        let listening = listeners.take();
        let listening = listening.map_or_else(
            || listen(&settings, &login.servers, &again.trust, again.server, user),
            Ok,
        )?;
        match login.chat(again, listening, &leaver)? {
            Ok(exit) => return Ok(exit),
            Err(other) => again = *other,
        }
    }
}

fn settings(args: &Join) -> Result<JoinSettings, Failure> {
    let listen = args.listen.map(|listen| listen.to_string());
    // Settings have words that RON can read.
    let link = args.link.as_ref().map(|link| link.replace('-', "_"));
    let store = args.no_history.then(|| "memory".to_owned());
    let flags = [
        ("--listen", "join.listen", listen),
        ("--data", "join.data", args.data.clone()),
        ("--no-history", "join.store", store),
        ("--transport", "join.transport", args.transport.clone()),
        ("--link", "join.link", link),
    ];
    Ok(args.common.settings(&flags, std::env::vars_os())?.join)
}

fn listen(
    settings: &JoinSettings,
    servers: &[SocketAddr],
    trust: &Trust,
    known: Option<PublicKey>,
    user: Name,
) -> Result<Vec<Listener>, Failure> {
    let last = known.and_then(|server| last_time::port(&trust.store(&server, user)));
    place::listen(settings.listen, last, servers).map_err(failed)
}

fn failed(error: impl ToString) -> Failure {
    Failure::new(Exit::Failed, error)
}

/// What a user logs in with.
struct Login<'a> {
    settings: &'a JoinSettings,
    servers: Vec<SocketAddr>,
    user: Name,
    password: Password,
    may_ask_again: bool,
    start: Start,
}

impl Login<'_> {
    /// Chats until the end, or until it turns out that there is another past to go on from.
    fn chat(
        &self,
        begun: Again,
        listeners: Vec<Listener>,
        leaver: &Leaver,
    ) -> Result<Result<Exit, Box<Again>>, Failure> {
        let Some(listener) = listeners.first().map(Listener::local_addr) else {
            return Err(failed("there is nowhere to listen"));
        };
        let (user, settings) = (self.user, self.settings);
        let (sender, items) = channel();
        let last_time = LastTime {
            port: listener.port(),
            servers: self.servers.clone(),
        };
        let (keeping, past) = match settings.store {
            StoreKind::None => (
                Keeping::nothing(settings, &sender, last_time),
                Past::default(),
            ),
            StoreKind::Lasting => {
                let directory = begun.server.map(|key| begun.trust.store(&key, user));
                Keeping::open(directory.as_deref(), settings, &sender, last_time)?
            }
        };
        let config = Config {
            link: settings.link,
            store: settings.store,
            start: self.start,
            ..Config::new(self.servers.clone(), listener)
        };
        let machine = Client::new(config, seed()?, Box::new(OsSecrets), Clock.now());
        let machine = self.acquainted(machine, &begun, &past)?;
        let machine = machine.restore(past.records);
        let reporter = Reporter(sender.clone());
        let (transport, options) = (settings.transport, options(settings));
        let driver =
            Driver::start(transport, machine, listeners, options, |_| reporter).map_err(failed)?;
        let handle = driver.handle();
        leaver.set(handle.clone());
        // It can be refused only before the first one.
        let password = self.password.clone();
        let _ = handle.command(Command::Login { user, password });
        let conversation = Conversation {
            handle,
            screen: begun.screen,
            sender,
            input: Some(begun.input),
            trust: begun.trust,
            untrusted: None,
            other_past: None,
            user,
            may_ask_again: self.may_ask_again,
            start: self.start,
            is_closing: Arc::new(AtomicBool::new(false)),
            refusal: None,
            is_unseen: false,
            keeping,
            recent: past.recent,
            waiting: Vec::new(),
        };
        conclude(conversation.hold(&items), driver)
    }

    /// A client that starts without the server has to know from before who it is to whom.
    fn acquainted(&self, machine: Client, begun: &Again, past: &Past) -> Result<Client, Failure> {
        match (self.start, begun.server) {
            (Start::WithServer, _) => Ok(machine),
            (Start::Offline, Some(server)) if !past.records.is_empty() => {
                let own = begun.trust.own_key(&server, self.user)?;
                Ok(machine.known_as(own).trusting(server))
            }
            (Start::Offline, _) => Err(failed(format!(
                "nothing is kept here of {} at {}: join once while the server is there",
                self.user,
                begun.trust.place()
            ))),
        }
    }
}

fn conclude(ended: Ended, driver: Driver<Client>) -> Result<Result<Exit, Box<Again>>, Failure> {
    match ended {
        Ended::InOrder(exit) => {
            driver.wait().map_err(failed)?;
            exit.map(Ok)
        }
        Ended::TakenOver => Ok(Ok(Exit::TakenOver)),
        Ended::Again(again) => {
            driver.wait().map_err(failed)?;
            Ok(Err(again))
        }
    }
}

fn options(settings: &JoinSettings) -> Options {
    Options {
        worker_threads: settings.worker_threads,
        connections_max: settings.connections_max,
        dial_timeout: settings.dial_timeout,
        connection_deadline: settings.connection_deadline,
        refusal: Frame::Refusal(RefusalCode::Busy).to_bytes(),
        ..Options::default()
    }
}

fn name(args: &Join, input: &mut Input) -> Result<Name, Failure> {
    let given = match &args.user {
        Some(user) => user.clone(),
        None => input.ask_name()?,
    };
    given
        .trim()
        .parse()
        .map_err(|error| Failure::new(Exit::Usage, error))
}

fn password(file: Option<&Path>, input: &mut Input) -> Result<Password, Failure> {
    let given = match file {
        Some(path) => {
            let file = fs::read_to_string(path).map_err(|error| {
                let path = path.display();
                let message = format!("the password file {path} cannot be read: {error}");
                Failure::new(Exit::Usage, message)
            })?;
            file.lines().next().unwrap_or_default().to_owned()
        }
        None => input.ask_password()?,
    };
    Password::new(given).map_err(|error| Failure::new(Exit::Usage, error))
}

fn leave(handle: &Handle<Client>) {
    // Leaving is never refused.
    let _ = handle.command(Command::Leave);
}
