//! The checker: holds what happens against what is promised, after every step and at rest. A file a promise.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "each part looks at the few things that concern it"
)]

mod accounts;
mod addresses;
mod blocking;
pub mod bounded;
mod endings;
mod expiry;
mod genuine;
mod heartbeat;
mod letters;
mod lockout;
mod logins;
mod pace;
mod rest;
mod verified;
mod words;

use std::fmt;

use simplechat_core::client::{self, event::Event};
use simplechat_core::name::Name;
use simplechat_core::server;
use simplechat_core::time::Timestamp;

use crate::observation::{Observation, Observed};
use crate::world::ClientId;

use super::model::{Climate, Model};
use super::plan::Settings;
use bounded::Occasion;

/// What is promised.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Promise {
    /// Every text is shown once, as it was written, by whom and to whom it was written.
    Once,
    /// In the order in which they were sent, for each sender, recipient and route.
    InOrder,
    /// What was accepted arrives.
    Kept,
    /// Each wish gets one final word, in order, and a true one.
    OneFinalWord,
    /// From the acknowledgement of a block nothing of the blocked one's arrives, nor anything of the user at them.
    Blocked,
    /// Nobody learns an address without its owner's yes.
    Consent,
    /// Nobody guesses passwords without end, and nobody is locked out without failures.
    Lockout,
    /// Who has no account has no session, and a new account has nothing of an earlier one of its name.
    Accounts,
    /// Nobody is taken for another, and nobody hears what is not for them.
    Genuine,
    /// Nobody's client ends without a reason.
    Staying,
    /// A login is one login, whoever brings it how often.
    LoginsOnce,
    /// Who falls silent is gone a timeout later, and nobody else.
    Heartbeat,
    /// Who is online is who is told to be.
    Presence,
    /// What is shown as verified comes under the key that the user has marked, and under no other.
    Verified,
    /// Peers are in each other's address books.
    Books,
    /// Nothing waits for ever, and nothing runs in circles.
    Liveness,
    /// Nobody has more done in a time than their allowance.
    Paced,
    /// Every table stays within its bound.
    Bounded,
    /// The machines never panic.
    NoPanic,
}

/// A promise that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// When.
    pub at: Timestamp,
    /// How.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = &self.what;
        write!(
            f,
            "{:?} at {}: {what}",
            self.promise,
            super::report::clock(self.at)
        )
    }
}

/// What a check comes to.
pub type Check = Result<(), (Promise, String)>;

/// A check that fails if the condition does not hold.
macro_rules! promise {
    ($holds:expr, $promise:ident, $($what:tt)+) => {
        if !$holds {
            return Err((crate::trials::checker::Promise::$promise, format!($($what)+)));
        }
    };
}
use promise;

/// Something shown at a client.
#[derive(Clone, Copy, Debug)]
struct Sight<'a> {
    client: ClientId,
    user: Name,
    event: &'a Event,
}

/// A part of the checker, for some of the promises. Each is asked before the model takes a thing in.
trait Watcher: fmt::Debug {
    /// Something happened.
    fn on(&mut self, _observed: &Observed, _model: &Model) -> Check {
        Ok(())
    }

    /// A user is shown something.
    fn on_sight(&mut self, _sight: Sight<'_>, _model: &Model) -> Check {
        Ok(())
    }

    /// Everything is mended, and there was time enough.
    fn at_rest(&mut self, _at: Timestamp, _model: &Model) -> Check {
        Ok(())
    }
}

/// Watches a world.
#[derive(Debug)]
pub struct Checker {
    model: Model,
    watchers: Vec<Box<dyn Watcher>>,
}

impl Checker {
    /// A checker of a world with these settings and accounts.
    #[must_use]
    pub fn new(settings: Settings, accounts: impl IntoIterator<Item = Name>) -> Self {
        Self {
            model: Model::new(settings, accounts),
            watchers: vec![
                Box::new(letters::Letters::default()),
                Box::new(words::Words),
                Box::new(expiry::Expiry),
                Box::new(blocking::Blocking::default()),
                Box::new(addresses::Addresses),
                Box::new(accounts::Accounts),
                Box::new(verified::Verified::default()),
                Box::new(lockout::Lockout::default()),
                Box::new(logins::Logins::default()),
                Box::new(genuine::Genuine),
                Box::new(endings::Endings::default()),
                Box::new(heartbeat::Heartbeat::default()),
                Box::new(pace::Pace::default()),
                Box::new(rest::Rest),
            ],
        }
    }

    /// The truth as far as it is known.
    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// Takes in what happened.
    ///
    /// # Errors
    ///
    /// When a promise is broken.
    pub fn see(&mut self, observed: &Observed) -> Result<(), Violation> {
        let at = observed.at;
        self.check(observed)
            .map_err(|(promise, what)| Violation { promise, at, what })
    }

    /// Takes a look at how much the server and the clients that run have in their tables.
    ///
    /// # Errors
    ///
    /// When a table is beyond its bound.
    pub fn measure(
        &self,
        at: Timestamp,
        occasion: Occasion,
        server: Option<server::sizes::Sizes>,
        clients: impl Iterator<Item = client::sizes::Sizes>,
    ) -> Result<(), Violation> {
        let settings = &self.model.settings;
        server
            .map_or(Ok(()), |sizes| {
                bounded::check_server(sizes, occasion, settings)
            })
            .and_then(|()| {
                let mut clients = clients;
                clients.try_for_each(|sizes| bounded::check_client(sizes, occasion))
            })
            .map_err(|(promise, what)| Violation { promise, at, what })
    }

    /// Something is done that may keep clients from being heard, or nothing is any more.
    pub const fn set_climate(&mut self, climate: Climate) {
        self.model.climate = climate;
    }

    /// The server's wall clock is set by so many milliseconds.
    pub fn note_server_clock(&mut self, by: i64) {
        self.model.clock_changes.note(by);
    }

    fn check(&mut self, observed: &Observed) -> Check {
        for watcher in &mut self.watchers {
            watcher.on(observed, &self.model)?;
        }
        match &observed.what {
            Observation::Told { client, event } => {
                self.check_sight(*client, event)?;
                self.model.apply_event(observed.at, *client, event, None);
            }
            // One after the other, so that a repetition within is one.
            Observation::Shown {
                client,
                effect,
                events,
            } => {
                for event in events {
                    self.check_sight(*client, event)?;
                    self.model
                        .apply_event(observed.at, *client, event, Some(*effect));
                }
            }
            _ => {}
        }
        self.model.apply(observed);
        Ok(())
    }

    fn check_sight(&mut self, client: ClientId, event: &Event) -> Check {
        let Some(user) = self.model.user(client) else {
            return Ok(());
        };
        let sight = Sight {
            client,
            user,
            event,
        };
        for watcher in &mut self.watchers {
            watcher.on_sight(sight, &self.model)?;
        }
        Ok(())
    }

    /// Everything is mended, and there was time enough for all that was promised.
    ///
    /// # Errors
    ///
    /// When a promise has not come true.
    pub fn rest(&mut self, at: Timestamp) -> Result<(), Violation> {
        for watcher in &mut self.watchers {
            watcher
                .at_rest(at, &self.model)
                .map_err(|(promise, what)| Violation { promise, at, what })?;
        }
        self.model.at_rest();
        Ok(())
    }
}
