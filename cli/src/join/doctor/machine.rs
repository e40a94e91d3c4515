//! The client's machine on a driver, asked for one thing after the other.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use simplechat_core::client::command::Command;
use simplechat_core::client::config::Config;
use simplechat_core::client::event::{Event, SessionEvent};
use simplechat_core::client::{Client, Done, Trust};
use simplechat_core::id::EffectId;
use simplechat_core::key::PublicKey;
use simplechat_core::name::Name;
use simplechat_core::text::Password;
use simplechat_core::time::WallTime;
use simplechat_core::wire::login::LinkChoice;
use simplechat_driver::{Clock, Handle, Listener, Options};

use super::report::Report;
use super::{Failed, Item, Reporter, options, wording};
use crate::entropy::{OsSecrets, seed};
use crate::exit::{Exit, Failure};
use crate::settings::JoinSettings;
use crate::transport::Driver;

/// A server tries a listener for 3 s at most.
const CALL_WITHIN: Duration = Duration::from_secs(5);
/// How often it is looked whether the server has called.
const GLANCE: Duration = Duration::from_millis(20);

/// A client's machine that runs.
pub(super) struct Running {
    driver: Driver<Client>,
    handle: Handle<Client>,
    items: Receiver<Item>,
    port: u16,
}

impl Running {
    /// A client of the server at these addresses, which can be called at `listener`.
    pub(super) fn start(
        settings: &JoinSettings,
        servers: Vec<SocketAddr>,
        listener: SocketAddr,
        listeners: Vec<Listener>,
    ) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Failed, error);
        let config = Config {
            // With a held link the server would not try.
            link: match settings.link {
                LinkChoice::PerMessage => LinkChoice::PerMessage,
                LinkChoice::Auto | LinkChoice::Held => LinkChoice::Auto,
            },
            ..Config::new(servers, listener)
        };
        let machine = Client::new(config, seed()?, Box::new(OsSecrets), Clock.now());
        let (sender, items) = channel();
        let transport = settings.transport;
        let options = Options {
            // The server does not end a handshake that is left unfinished, and all else was answered before it is ended.
            linger: Duration::ZERO,
            ..options(settings)
        };
        let driver = Driver::start(transport, machine, listeners, options, |_| Reporter(sender))
            .map_err(|error| failed(&error))?;
        Ok(Self {
            handle: driver.handle(),
            driver,
            items,
            port: listener.port(),
        })
    }

    /// Begins a login: the key of the server, which is asked to be judged.
    pub(super) fn meet(
        &self,
        user: Name,
        password: Password,
    ) -> Result<(EffectId, PublicKey), Failed> {
        // It can be refused only before the first one.
        let _ = self.handle.command(Command::Login { user, password });
        self.wait("key", |item| match item {
            Item::Judge { id, key, .. } => Some((id, key)),
            Item::Event(_)
            | Item::Store { .. }
            | Item::Show { .. }
            | Item::Text(_)
            | Item::Past(_)
            | Item::Successor(_) => None,
        })
    }

    pub(super) fn judged(&self, id: EffectId, trust: Trust) {
        self.handle.effect_done(Done::ServerJudged { id, trust });
    }

    /// Waits to be let in: what time it is at the server.
    pub(super) fn await_welcome(&self) -> Result<WallTime, Failed> {
        self.wait("login", |item| match item {
            Item::Event(Event::Session(SessionEvent::LoggedIn { time, .. })) => Some(time),
            Item::Event(_)
            | Item::Store { .. }
            | Item::Show { .. }
            | Item::Judge { .. }
            | Item::Text(_)
            | Item::Past(_)
            | Item::Successor(_) => None,
        })
    }

    /// Waits for something that the machine says.
    fn wait<T>(&self, step: &'static str, wanted: impl Fn(Item) -> Option<T>) -> Result<T, Failed> {
        // The machine always comes to an end by itself: each of its connections has a deadline.
        for item in &self.items {
            if let Some(failure) = failure_of(&item) {
                return Err((step, failure));
            }
            if let Some(found) = wanted(item) {
                return Ok(found);
            }
        }
        Err((step, Failure::new(Exit::Failed, "the client has ended")))
    }

    /// Whether the server calls back.
    pub(super) fn await_call(&self, report: &mut Report) -> Result<(), Failed> {
        let port = self.port;
        let deadline = Instant::now() + CALL_WITHIN;
        while Instant::now() < deadline {
            if self.handle.counters().accepted > 0 {
                report.fine(
                    "listener",
                    format!("the server can call this client, at port {port}"),
                );
                return Ok(());
            }
            match self.items.recv_timeout(GLANCE) {
                Ok(Item::Event(Event::Session(SessionEvent::LinkHeld { .. }))) => {
                    report.note("listener", format!(
                        "the server cannot call this client at port {port}, so one connection stays open: the chat works. \
                         For private messages from peers open that port, or choose one with --listen"
                    ));
                    return Ok(());
                }
                Ok(Item::Event(Event::Session(SessionEvent::ListenerUnreachable { .. }))) => {
                    let message = format!(
                        "the server cannot call this client at port {port}, so messages wait: open that port, choose one \
                         with --listen, or do without with --link auto"
                    );
                    return Err(("listener", Failure::new(Exit::Failed, message)));
                }
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        report.note(
            "listener",
            "the server has not said whether it can call this client",
        );
        Ok(())
    }

    /// Leaves, and waits until all is said.
    pub(super) fn leave(self) -> Result<(), Failed> {
        // Once to leave; it is refused only when the machine has ended.
        let _ = self.handle.command(Command::Leave);
        let ended = self.driver.wait();
        ended.map_err(|error| ("logout", Failure::new(Exit::Failed, error)))
    }
}

/// Why it ends here, if it does.
fn failure_of(item: &Item) -> Option<Failure> {
    let Item::Event(event @ Event::Session(session)) = item else {
        return None;
    };
    let exit = if matches!(session, SessionEvent::LoginRefused { .. }) {
        Exit::LoginRefused
    } else if matches!(session, SessionEvent::Ended { .. }) {
        Exit::Unreachable
    } else {
        return None;
    };
    let said = wording::say(event, &wording::Clock::now()).unwrap_or_default();
    Some(Failure::new(exit, said.trim_start_matches("! ")))
}
