//! Peace: everything is mended, and after a while whatever was promised must have come true.

use std::time::Duration;

use simplechat_core::client::command::Command;
use simplechat_core::client::config::{Start, StoreKind};
use simplechat_core::client::ledger::MessageNumber;
use simplechat_core::wire::login::LinkChoice;

use super::{Checked, Trial, name_of};
use crate::net::Kind;
use crate::store::Health;
use crate::trials::checker::bounded::Occasion;
use crate::trials::checker::{Promise, Violation};
use crate::trials::model::{Client, Climate, Life};
use crate::trials::plan::{Disk, Guess, Millis};
use crate::world::{ClientId, SERVER};

/// Of so many of their messages everybody asks what became of them.
const WHYS: u64 = 30;

impl Trial<'_> {
    /// Mends everything, and sees to it that what was promised comes true.
    pub(super) fn make_peace(&mut self) -> Checked {
        self.make_peace_with(&Kind::BOTH)
    }

    /// The same, with a server to which everybody can connect at its address of this kind only.
    pub(super) fn make_peace_at(&mut self, kind: Kind) -> Checked {
        if self.plan.all_look_at(kind) {
            self.make_peace_with(&[kind])
        } else {
            self.make_peace()
        }
    }

    /// The server listens at its addresses of these kinds.
    fn make_peace_with(&mut self, open: &[Kind]) -> Checked {
        self.world.wake(SERVER);
        // A server that is shutting down ends first.
        self.pass(Duration::from(self.plan.settings.shutdown_deadline) + Duration::from_secs(1))?;
        self.mend();
        for kind in Kind::BOTH {
            if open.contains(&kind) {
                self.world.open_server_at(kind);
            } else {
                self.world.close_server_at(kind);
            }
        }
        let now = self.world.moment().at;
        self.checker.set_climate(Climate::Kind(now));
        self.look()?;
        self.call_back()?;
        self.ask_why();
        self.pass(self.plan.longest_rest())?;
        self.talk();
        self.pass(Duration::from_secs(90))?;
        for client in self.running() {
            for command in [Command::Online, Command::AddressBook] {
                let _ = self.world.command(client, command);
            }
        }
        self.ask_why();
        self.pass(Duration::from_secs(10))?;
        self.check_quiet()?;
        self.measure(Occasion::Rest)?;
        self.checker.rest(self.world.moment().at)
    }

    /// Everybody asks what became of their messages.
    fn ask_why(&mut self) {
        for client in self.running() {
            for number in 1..=WHYS {
                let message = Some(MessageNumber(number));
                let _ = self.world.command(client, Command::Why { message });
            }
        }
    }

    fn mend(&mut self) {
        self.world.net.calm();
        self.world.store.health = Health::Working;
        self.world.store.takes = Duration::ZERO;
        self.world.check_takes = Duration::from_millis(1);
        self.start_server();
        let running: Vec<_> = self
            .seats
            .iter()
            .map(|(person, client)| (*person, *client))
            .filter(|(_, client)| !self.world.has_ended(*client))
            .collect();
        for (person, client) in &running {
            self.world.wake(client.host());
            // Others stay behind their walls.
            if self.plan.link_of(*person) == LinkChoice::PerMessage {
                self.world.open_listener(*client);
            }
            self.world.loosen_screen(*client);
        }
        let all: Vec<_> = self.seats.keys().copied().collect();
        for person in all {
            self.change_disk(person, Disk::Works);
            self.change_disk(person, Disk::Takes(Millis(0)));
        }
    }

    /// Whose client has ended and has a store starts it again, unless somebody else has logged in as the same user: what they
    /// wished is to come true.
    fn call_back(&mut self) -> Checked {
        let all: Vec<_> = self.seats.keys().copied().collect();
        for person in all {
            let user = name_of(self.plan.account_of(person));
            let clients = &self.checker.model().clients;
            let is_there = clients
                .values()
                .any(|client| client.user == Some(user) && client.life != Life::Over);
            if self.plan.store_of(person) == StoreKind::Lasting && !is_there {
                self.sit_down(person, Guess::Right, Start::WithServer);
                self.look()?;
            }
        }
        Ok(())
    }

    /// The clients that somebody sits before, logged in.
    fn running(&self) -> Vec<ClientId> {
        let clients = &self.checker.model().clients;
        let runs = |(id, client): (&ClientId, &Client)| {
            (client.logged_in && client.life == Life::Running).then_some(*id)
        };
        clients.iter().filter_map(runs).collect()
    }

    /// Everybody writes to the next one, and to all peers: the ways are open, so these arrive.
    fn talk(&mut self) {
        let accounts: Vec<_> = self.checker.model().accounts.iter().copied().collect();
        for client in self.running() {
            let model = self.checker.model();
            let peers: Vec<_> = model.clients[&client].book.keys().copied().collect();
            let next = accounts
                .iter()
                .find(|name| Some(**name) > model.user(client))
                .or_else(|| accounts.first());
            if let Some(to) = next.copied().filter(|to| Some(*to) != model.user(client)) {
                let text = self.text(1);
                let _ = self.world.command(client, Command::Message { to, text });
            }
            for to in peers {
                let text = self.text(1);
                let _ = self.world.command(client, Command::Private { to, text });
            }
        }
    }

    /// At rest nothing is done but heartbeats.
    fn check_quiet(&mut self) -> Checked {
        const MINUTE: Duration = Duration::from_secs(60);
        /// What a heartbeat, or whatever else somebody does now and then, may take.
        const STEPS_A_BEAT: u64 = 30;
        let before = self.world.steps();
        self.pass(MINUTE)?;
        let steps = self.world.steps() - before;
        let beats = MINUTE.as_millis() / u128::from(self.plan.settings.heartbeat_interval.0) + 2;
        let clients = u64::try_from(self.seats.len()).unwrap_or(u64::MAX);
        let allowed = u64::try_from(beats).unwrap_or(u64::MAX) * clients * STEPS_A_BEAT;
        if steps > allowed {
            let (promise, at) = (Promise::Liveness, self.world.moment().at);
            let what = format!("at rest {steps} steps are done in a minute, more than {allowed}");
            return Err(Violation { promise, at, what });
        }
        Ok(())
    }
}
