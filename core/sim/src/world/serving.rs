//! The server of a world: it starts, is asked things by its operator, and ends, with what becomes of its store.

use std::sync::Arc;

use simplechat_core::key::StaticKey;
use simplechat_core::machine::Machine;
use simplechat_core::name::Name;
use simplechat_core::rng::{SecretSource, SeededSecrets};
use simplechat_core::server::identity::Identity;
use simplechat_core::server::recording::{Header, RecordedAccount, Texts};
use simplechat_core::server::{self, AccountEntry, CredentialsDigest, Server};
use zeroize::Zeroizing;

use super::{Chore, SERVER, World};
use crate::observation::Observation;
use crate::tape::Tape;

impl World {
    /// Starts a server that knows its accounts and what the one before had stored.
    pub fn start_server(&mut self) {
        let seed = self.dice.seed();
        let secrets = SeededSecrets::new(self.dice.roll());
        let started = self.moment_on(SERVER);
        let accounts = self.account_entries();
        let header = Header {
            program: "sim".to_owned(),
            texts: self.tape.as_ref().map_or(Texts::Kept, |(_, texts)| *texts),
            config: self.config.clone(),
            accounts: RecordedAccount::list(&accounts),
            seed,
            started: (started.at.as_micros(), started.wall),
        };
        let secrets: Box<dyn SecretSource> = match &self.tape {
            Some((tape, _)) => tape.watch(secrets),
            None => Box::new(secrets),
        };
        let config = self.config.clone();
        let mut server = Server::new(config, accounts, seed, secrets, started);
        if let Some((tape, texts)) = &self.tape {
            server = server.recorded_by(*texts, tape.start(&header));
        }
        let (key, ticket_key) = &self.identity;
        let key = self.impostor.as_ref().unwrap_or(key);
        server = server.known_as(Identity::new(key.clone(), Zeroizing::new(*ticket_key)));
        if let Some(protection) = &self.protection {
            server = server.protected_by(Arc::clone(protection));
        }
        self.server = Some(server.restore(self.store.records()));
        self.place_server();
        self.note("server", "starts");
        self.observe(Observation::ServerStarted);
        self.drain_server();
    }

    /// The accounts as a server is told of them. What stands for a password here is the password.
    fn account_entries(&self) -> Vec<AccountEntry> {
        self.accounts
            .iter()
            .map(|(name, password)| {
                let mut digest = [0; 32];
                for (byte, given) in digest.iter_mut().zip(password.bytes()) {
                    *byte = given;
                }
                AccountEntry {
                    name: *name,
                    credentials: CredentialsDigest(digest),
                }
            })
            .collect()
    }

    /// The operator sets an account's password, and makes the account if there is none; the server hears of it with
    /// [`Self::reload`].
    ///
    /// # Panics
    ///
    /// When that is no name: the test is wrong.
    pub fn set_account(&mut self, name: &str, password: &str) {
        let name = name.parse().expect("a name");
        self.accounts.insert(name, password.to_owned());
    }

    /// The operator removes an account; the server hears of it with [`Self::reload`].
    ///
    /// # Panics
    ///
    /// When that is no name: the test is wrong.
    pub fn remove_account(&mut self, name: &str) {
        let name: Name = name.parse().expect("a name");
        self.accounts.remove(&name);
    }

    /// The server reads the accounts again.
    ///
    /// # Errors
    ///
    /// When it refuses to.
    ///
    /// # Panics
    ///
    /// When there is no server: the test is wrong.
    pub fn reload(&mut self) -> Result<(), server::Rejected> {
        let accounts = self.account_entries();
        let moment = self.moment_on(SERVER);
        let server = self.server.as_mut().expect("a server runs");
        let missing = server::Missing::Doubtful;
        server.handle_command(moment, server::Command::Reload { accounts, missing })?;
        self.drain_server();
        Ok(())
    }

    /// Somebody takes the server's place who has its accounts and records, and not its key.
    pub fn start_impostor(&mut self) {
        let mut secrets = SeededSecrets::new(self.dice.roll());
        self.impostor = Some(StaticKey::generate(&mut secrets));
        self.start_server();
        self.impostor = None;
    }

    /// How many passwords servers have had checked since the world began.
    #[must_use]
    pub const fn password_checks(&self) -> usize {
        self.password_checks
    }

    /// Ends the server; the next ones are recorded, each on the same tape in place of the one before.
    pub fn record(&mut self, texts: Texts) -> Tape {
        self.crash_server();
        let tape = Tape::default();
        self.tape = Some((tape.clone(), texts));
        tape
    }

    /// The server is gone, with all that it had in memory. What it had just given to the store is lost, or is kept
    /// without its having heard so.
    pub fn crash_server(&mut self) {
        if self.server.take().is_some() {
            self.net.remove(self.now, SERVER);
            self.forget_sleep(SERVER);
            self.drop_chores_of_server();
            self.store.crash();
            self.agenda.set(SERVER, None);
            self.note("server", "crashes");
            self.observe(Observation::ServerCrashed);
        }
    }

    /// The server's machine is no more, and hears of no effect.
    pub(super) fn drop_chores_of_server(&mut self) {
        let gone = self.chores.extract_if(.., |_, chore| {
            matches!(chore, Chore::Check(..) | Chore::Store { .. })
        });
        for (_, chore) in gone {
            if let Chore::Store { records, .. } = chore
                && self.dice.below(2) == 0
            {
                let _ = self.store.keep(records);
            }
        }
    }

    /// The operator asks the server to do something.
    ///
    /// # Panics
    ///
    /// When there is no server, or it refuses: the test is wrong.
    pub fn operate(&mut self, command: server::Command) {
        let moment = self.moment_on(SERVER);
        let server = self.server.as_mut().expect("a server runs");
        server
            .handle_command(moment, command)
            .expect("the server takes the command");
        self.drain_server();
    }

    /// The operator asks the server to do something, if one runs and takes it.
    pub fn try_operate(&mut self, command: server::Command) {
        let moment = self.moment_on(SERVER);
        if let Some(server) = self.server.as_mut()
            && server.handle_command(moment, command).is_ok()
        {
            self.drain_server();
        }
    }

    /// What the server told its operator since the last look.
    pub fn operator_saw(&mut self) -> Vec<server::event::Event> {
        std::mem::take(&mut self.server_events)
    }

    /// Whether a server runs.
    #[must_use]
    pub const fn has_server(&self) -> bool {
        self.server.is_some()
    }

    /// The server's machine.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("a server runs")
    }
}
