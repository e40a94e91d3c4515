//! The accounts of a server: read when it starts, and again when the operator says so.
//!
//! A file that cannot be used changes nothing: the log says why, and the accounts stay as they were. The machine decides
//! what becomes of those that are gone. From the moment at which it has said that it has the new ones, and not before,
//! passwords are checked against them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use simplechat_core::key::KEY_LEN;
use simplechat_core::server::{AccountEntry, Command, Missing, Rejected, Server};
use simplechat_driver::Handle;
use tracing::{error, info, warn};
use zeroize::Zeroizing;

use crate::credentials::Credentials;
use crate::exit::{Exit, Failure};
use crate::settings::{PlainPasswords, ServeSettings};

/// Where the accounts come from.
pub(super) struct Accounts {
    settings: ServeSettings,
    /// Keys the digests of credentials. It outlives the server, as the tickets do that are bound to them.
    key: Zeroizing<[u8; KEY_LEN]>,
    /// What was read again, until the machine has said that it took it.
    next: Mutex<Option<Arc<Credentials>>>,
}

impl Accounts {
    pub(super) fn new(settings: ServeSettings, key: Zeroizing<[u8; KEY_LEN]>) -> Self {
        Self {
            settings,
            key,
            next: Mutex::default(),
        }
    }

    /// Reads the file.
    pub(super) fn read(&self) -> Result<Arc<Credentials>, Failure> {
        let (path, cost) = (&self.settings.credentials, self.settings.hash_cost());
        let credentials =
            Credentials::read(path, cost).map_err(|error| Failure::new(Exit::Usage, error))?;
        self.check_plain(&credentials)?;
        Ok(Arc::new(credentials))
    }

    /// The accounts for the machine.
    pub(super) fn entries(&self, credentials: &Credentials) -> Vec<AccountEntry> {
        credentials.entries(&self.key).collect()
    }

    /// Reads the file again, and has the machine take what is in it.
    pub(super) fn reload(&self, handle: &Handle<Server>) {
        info!("reading the accounts again");
        let credentials = match self.read() {
            Ok(credentials) => credentials,
            Err(failure) => return stay(&failure.message),
        };
        let accounts = self.entries(&credentials);
        self.set_next(Some(Arc::clone(&credentials)));
        let missing = Missing::Doubtful;
        match handle.command(Command::Reload { accounts, missing }) {
            Ok(()) => self.warn_of(&credentials),
            Err(rejected) => {
                self.set_next(None);
                match rejected {
                    Rejected::TooManyMissing { .. } => stay(&format!(
                        "{rejected}, which may be a mistake; if it is none, start the server anew with --forget-missing"
                    )),
                    Rejected::Stopping => {}
                }
            }
        }
    }

    /// What the machine has just taken.
    pub(super) fn taken(&self) -> Option<Arc<Credentials>> {
        self.lock_next().take()
    }

    fn set_next(&self, next: Option<Arc<Credentials>>) {
        *self.lock_next() = next;
    }

    fn lock_next(&self) -> std::sync::MutexGuard<'_, Option<Arc<Credentials>>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passwords in plain text are for trying things out: whoever gets hold of the file has them all.
    fn check_plain(&self, credentials: &Credentials) -> Result<(), Failure> {
        let settings = &self.settings;
        let is_near = |at: &&SocketAddr| at.ip().to_canonical().is_loopback();
        let Some(listen) = settings.listen.iter().find(|at| !is_near(at)) else {
            return Ok(());
        };
        if credentials.plain() == 0 || settings.plain_passwords == PlainPasswords::Anywhere {
            return Ok(());
        }
        let file = settings.credentials.display();
        let message = format!(
            "{file} holds passwords in plain text, so the server does not listen at {listen}, where other machines \
             reach it. This replaces them by hashes:\n    simplechat account harden --credentials {file}\nOr take the \
             risk with --allow-plain-passwords."
        );
        Err(Failure::new(Exit::Usage, message))
    }

    pub(super) fn warn_of(&self, credentials: &Credentials) {
        let file = self.settings.credentials.display();
        let (plain, weak) = (credentials.plain(), credentials.weak());
        if plain > 0 {
            warn!(%file, accounts = plain, "passwords in plain text: simplechat account harden replaces them by hashes");
        }
        if weak > 0 {
            warn!(%file, accounts = weak, "hashes that are cheap to guess: simplechat account passwd makes better ones");
        }
    }
}

fn stay(why: &str) {
    for line in why.lines() {
        error!("the accounts stay as they are: {line}");
    }
}
