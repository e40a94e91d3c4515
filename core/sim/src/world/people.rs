//! What the people of a world do: they sit down, log in, type, and read.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use simplechat_core::client::Client;
use simplechat_core::client::command::{Command, Rejected};
use simplechat_core::client::config::{Config as ClientConfig, Start, StoreKind};
use simplechat_core::client::event::{Event, SessionEvent};
use simplechat_core::key::StaticKey;
use simplechat_core::machine::Machine;
use simplechat_core::rng::SeededSecrets;
use simplechat_core::text::Password;
use simplechat_core::wire::login::LinkChoice;

use super::keeping::Disk;
use super::{Chore, ClientId, Place, Seat, World, first_address};
use crate::net::{Kind, Listening};
use crate::observation::Observation;
use crate::script;

impl World {
    /// Sits somebody down before a client that is not logged in yet. The label names them in the log.
    pub fn sit_down(&mut self, label: &str) -> ClientId {
        self.sit_down_with(label, LinkChoice::Auto)
    }

    /// The same, with a client that is to be reached so.
    pub fn sit_down_with(&mut self, label: &str, link: LinkChoice) -> ClientId {
        self.sit_down_before(label, link, StoreKind::None)
    }

    /// The same, with a client that has a store or none.
    pub fn sit_down_before(&mut self, label: &str, link: LinkChoice, store: StoreKind) -> ClientId {
        self.sit_down_knowing(label, link, store, &[Place::Server(Kind::Ipv4)])
    }

    /// The same, with a client that looks for the server in these places.
    pub fn sit_down_knowing(
        &mut self,
        label: &str,
        link: LinkChoice,
        store: StoreKind,
        places: &[Place],
    ) -> ClientId {
        let places = places.iter().take(self.addresses_max);
        let servers = places.map(|place| place.address()).collect();
        let id = ClientId(self.seats.len());
        let listener = first_address(id);
        let anywhere = SocketAddr::from(([0, 0, 0, 0], listener.port()));
        let config = ClientConfig {
            link,
            store,
            ..ClientConfig::new(servers, anywhere)
        };
        let seed = self.dice.seed();
        let secrets = SeededSecrets::new(self.dice.roll());
        let key = StaticKey::generate(&mut SeededSecrets::new(self.dice.roll()));
        let disk = (store == StoreKind::Lasting).then(|| Disk::new(self.disks));
        let machine = self.client_machine(id, config.clone(), seed, secrets, &key);
        self.net.place(id.host(), listener);
        self.seats.push(Seat {
            label: label.to_owned(),
            machine,
            config,
            disk,
            seen: Vec::new(),
            screen: Some(Duration::ZERO),
            stuck: Vec::new(),
            key,
            typed: None,
            calls: BTreeMap::new(),
            ended: false,
        });
        self.observe(Observation::SatDown { client: id });
        id
    }

    fn client_machine(
        &mut self,
        id: ClientId,
        config: ClientConfig,
        seed: [u8; 32],
        secrets: SeededSecrets,
        key: &StaticKey,
    ) -> Client {
        let start = config.start;
        let mut machine = Client::new(config, seed, Box::new(secrets), self.moment_on(id.host()));
        // Half of them have the server's key from somebody they trust; without it nobody starts without the server.
        if self.dice.below(2) == 0 || start == Start::Offline {
            machine = machine
                .trusting(self.identity.0.public())
                .known_as(key.clone());
        }
        match &self.protection {
            Some(protection) => machine.protected_by(Arc::clone(protection)),
            None => machine,
        }
    }

    /// Somebody starts their client again, which has ended, with what its store has kept. It is not logged in yet.
    ///
    /// # Panics
    ///
    /// When it has no store, or has not ended: the test is wrong.
    pub fn start_again(&mut self, id: ClientId) {
        self.start_again_as(id, Start::WithServer);
    }

    /// The same, with a client that does without the server if it has to.
    ///
    /// # Panics
    ///
    /// As above.
    pub fn start_again_as(&mut self, id: ClientId, start: Start) {
        assert!(self.has_ended(id), "a client is started again that runs");
        let seat = self.seat(id);
        let (mut config, key) = (seat.config.clone(), seat.key.clone());
        config.start = start;
        let records = seat.disk.as_ref().expect("it has a store").store.records();
        let seed = self.dice.seed();
        let secrets = SeededSecrets::new(self.dice.roll());
        let machine = self.client_machine(id, config, seed, secrets, &key);
        // What was under way for the one before is for nobody.
        self.drop_chores_of(id);
        let seat = self.seat_mut(id);
        seat.machine = machine.restore(records);
        seat.screen = Some(Duration::ZERO);
        seat.stuck.clear();
        seat.calls.clear();
        seat.ended = false;
        let address = self.address_of(id);
        self.net.place(id.host(), address);
        self.note_seat(id, || "starts again".into());
        self.observe(Observation::StartedAgain { client: id });
        let (client, listening) = (id, Listening::There);
        self.observe(Observation::Listens { client, listening });
    }

    fn drop_chores_of(&mut self, id: ClientId) {
        self.chores.retain(|_, chore| match chore {
            Chore::Check(..) | Chore::Store { .. } => true,
            Chore::Show(client, _)
            | Chore::Write(client)
            | Chore::Judge(client, ..)
            | Chore::TypePassword(client) => *client != id,
        });
    }

    /// Somebody logs in with the right password, and all that follows happens.
    ///
    /// # Panics
    ///
    /// When the login is refused: the test is wrong.
    pub fn join(&mut self, name: &str) -> ClientId {
        let id = self.sit_down(name);
        self.enter(id, name)
    }

    /// The same, with a client that has a store.
    ///
    /// # Panics
    ///
    /// When the login is refused: the test is wrong.
    pub fn join_keeping(&mut self, name: &str) -> ClientId {
        let id = self.sit_down_before(name, LinkChoice::Auto, StoreKind::Lasting);
        self.enter(id, name)
    }

    fn enter(&mut self, id: ClientId, name: &str) -> ClientId {
        self.log_in(id, name, name);
        self.settle();
        assert!(
            self.seat(id)
                .seen
                .iter()
                .any(|event| matches!(event, Event::Session(SessionEvent::LoggedIn { .. }))),
            "{name} is logged in: {:?}",
            self.seat(id).seen
        );
        id
    }

    /// Two people who are logged in put each other into their address books.
    ///
    /// # Panics
    ///
    /// When that fails: the test is wrong.
    pub fn introduce(&mut self, asker: ClientId, asked: ClientId) {
        let (asker_name, asked_name) = (self.label(asker), self.label(asked));
        self.types(asker, &format!("getaddress {asked_name}"));
        self.settle();
        self.types(asked, &format!("accept {asker_name}"));
        self.settle();
        let seen = self.saw(asked);
        assert!(
            seen.contains(&format!("introduced to {asker_name}")),
            "{asker_name} and {asked_name} are introduced: {seen:?}"
        );
    }

    /// Somebody tries a password.
    ///
    /// # Panics
    ///
    /// When the name or password is malformed, or the client refuses: the test is wrong.
    pub fn log_in(&mut self, id: ClientId, name: &str, password: &str) {
        let command = Command::Login {
            user: name.parse().expect("a name"),
            password: Password::new(password.to_owned()).expect("a password"),
        };
        self.command(id, command)
            .expect("the client takes the login");
    }

    /// Somebody wishes something of their client.
    ///
    /// # Errors
    ///
    /// When the client refuses on the spot.
    pub fn command(&mut self, id: ClientId, command: Command) -> Result<(), Rejected> {
        assert!(
            !self.is_asleep(id.host()),
            "nobody types while the host sleeps"
        );
        let moment = self.moment_on(id.host());
        self.note_seat(id, || format!("> {}", script::show_command(&command)));
        let watched = self.observed.is_some().then(|| command.clone());
        let login = matches!(command, Command::Login { .. }).then(|| command.clone());
        let result = self.seat_mut(id).machine.handle_command(moment, command);
        match &result {
            Ok(()) if login.is_some() => self.seat_mut(id).typed = login,
            Ok(()) => {}
            Err(rejected) => self.note_seat(id, || format!("! {rejected}")),
        }
        if let Some(command) = watched {
            self.observe(Observation::Wished {
                client: id,
                command,
                result: result.clone(),
            });
        }
        self.drain_client(id);
        result
    }

    /// Somebody types a line, such as `message bob hi`.
    ///
    /// # Panics
    ///
    /// When the line is none, or the client refuses: the test is wrong.
    pub fn types(&mut self, id: ClientId, line: &str) {
        let command = script::parse(line);
        self.command(id, command).expect("the client takes it");
    }

    /// Somebody types a line that the client refuses.
    ///
    /// # Panics
    ///
    /// When the line is none, or the client takes it: the test is wrong.
    pub fn types_in_vain(&mut self, id: ClientId, line: &str) -> Rejected {
        let command = script::parse(line);
        self.command(id, command).expect_err("the client refuses")
    }

    /// Somebody who is logged in logs in once more, which the client refuses.
    ///
    /// # Panics
    ///
    /// When the client takes it: the test is wrong.
    pub fn types_in_vain_login(&mut self, id: ClientId) -> Rejected {
        let command = Command::Login {
            user: "alice".parse().expect("a name"),
            password: Password::new("alice".to_owned()).expect("a password"),
        };
        self.command(id, command).expect_err("the client refuses")
    }

    /// What somebody will type who is asked for their password again.
    pub fn remember(&mut self, id: ClientId, login: Command) {
        self.seat_mut(id).typed = Some(login);
    }

    /// The screen of a client takes nothing until [`Self::loosen_screen`].
    pub fn stick_screen(&mut self, id: ClientId) {
        self.seat_mut(id).screen = None;
    }

    /// It takes what it was given, and goes on.
    pub fn loosen_screen(&mut self, id: ClientId) {
        let seat = self.seat_mut(id);
        seat.screen = Some(Duration::ZERO);
        for effect in std::mem::take(&mut seat.stuck) {
            self.add_chore(Duration::ZERO, Chore::Show(id, effect));
        }
    }

    /// What somebody has seen since the last look, a line each.
    pub fn saw(&mut self, id: ClientId) -> Vec<String> {
        std::mem::take(&mut self.seat_mut(id).seen)
            .iter()
            .map(script::show_event)
            .collect()
    }

    /// Forgets what everybody has seen until now.
    pub fn look_away(&mut self) {
        for seat in &mut self.seats {
            seat.seen.clear();
        }
    }
}
