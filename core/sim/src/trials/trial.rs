//! A trial: the world of a plan, run to its end under the eyes of the checker.

mod peace;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use simplechat_core::client::command::{Command, Consent};
use simplechat_core::client::config::{Start, StoreKind};
use simplechat_core::name::Name;
use simplechat_core::server;
use simplechat_core::text::{Password, Text};
use simplechat_core::time::Timestamp;
use simplechat_core::wire::Term;

use crate::store::Health;
use crate::world::{ClientId, SERVER, World};

use super::checker::bounded::Occasion;
use super::checker::{Checker, Promise, Violation};
use super::faults::{Fault, Planted};
use super::model::Climate;
use super::plan::{
    Action, Change, Disk, Guess, Intrusion, Person, Plan, Reply, Sky, Way, Whom, Wish, account_name,
};
use super::report;

/// What a trial took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// How long it was in the world.
    pub virtual_time: Duration,
    /// How often something was handed to a machine.
    pub steps: u64,
}

/// Tables are looked at each so many steps.
const STEPS_A_MEASURE: u64 = 128;

/// Every text begins like this,
const LETTER: &str = "letter-";
/// and every password like this: neither is ever to be heard on the network.
const SECRET: &str = "secret of ";

/// Where the lines of a trial go.
pub type Listener<'a> = &'a mut dyn FnMut(&str);

/// Runs the world of a plan.
///
/// # Errors
///
/// The promise that was broken first.
pub fn run<'a>(
    plan: &'a Plan,
    fault: Option<Fault>,
    listener: Option<Listener<'a>>,
) -> Result<Figures, Violation> {
    let mut trial = Trial::new(plan, fault, listener);
    let result = catch_unwind(AssertUnwindSafe(|| trial.run()));
    let at = trial.world.moment().at;
    result.unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let what = message.unwrap_or_else(|| "a panic without words".into());
        Err(Violation {
            promise: Promise::NoPanic,
            at,
            what,
        })
    })?;
    Ok(Figures {
        virtual_time: at.since(Timestamp::from_secs(1_000)),
        steps: trial.world.steps(),
    })
}

struct Trial<'a> {
    plan: &'a Plan,
    world: World,
    checker: Checker,
    seats: BTreeMap<Person, ClientId>,
    texts: usize,
    /// How often the password of each account was changed.
    passwords: BTreeMap<Name, u32>,
    fault: Option<Planted>,
    listener: Option<Listener<'a>>,
}

type Checked = Result<(), Violation>;

impl<'a> Trial<'a> {
    fn new(plan: &'a Plan, fault: Option<Fault>, listener: Option<Listener<'a>>) -> Self {
        let fault = fault.map(Planted::new);
        let mut config = plan.settings.config();
        if let Some(fault) = &fault {
            fault.misconfigure(&mut config);
        }
        let accounts: Vec<Name> = (0..plan.accounts()).map(name_of).collect();
        let passwords = accounts.iter().map(|name| (*name, password_of(*name, 0)));
        let mut world = World::with_accounts(plan.seed, config, passwords, plan.secrecy);
        if let Some(fault) = &fault {
            fault.tamper(&mut world);
        }
        world.watch();
        world.overhear(vec![LETTER.into(), SECRET.into()]);
        world.net.weather = plan.sky.into();
        let mut checker = Checker::new(plan.settings, accounts);
        if plan.sky == Sky::CLEAR {
            checker.set_climate(Climate::Kind(world.moment().at));
        }
        Self {
            plan,
            world,
            checker,
            seats: BTreeMap::new(),
            texts: 0,
            passwords: BTreeMap::new(),
            fault,
            listener,
        }
    }

    fn run(&mut self) -> Checked {
        for step in &self.plan.steps {
            self.pass(step.pause.into())?;
            self.act(step.action)?;
        }
        self.make_peace()
    }

    /// Lets time pass, looking at everything that happens.
    fn pass(&mut self, duration: Duration) -> Checked {
        let until = self.world.moment().at + duration;
        while self.world.step(until) {
            self.look()?;
            if self.world.steps().is_multiple_of(STEPS_A_MEASURE) {
                self.measure(Occasion::AnyTime)?;
            }
        }
        self.world.run(until.since(self.world.moment().at));
        self.look()
    }

    fn look(&mut self) -> Checked {
        let observed = self.world.observed();
        let observed = match &mut self.fault {
            Some(fault) => fault.distort(observed),
            None => observed,
        };
        for one in &observed {
            if let Some(listener) = &mut self.listener
                && let Some(line) = report::line(one, self.checker.model())
            {
                listener(&line);
            }
            self.checker.see(one)?;
        }
        Ok(())
    }

    fn measure(&self, occasion: Occasion) -> Checked {
        let world = &self.world;
        let server = world.has_server().then(|| world.server().sizes());
        let running = self.seats.values().filter(|id| !world.has_ended(**id));
        let clients = running.map(|id| world.client(*id).sizes());
        self.checker
            .measure(world.moment().at, occasion, server, clients)
    }

    #[allow(clippy::too_many_lines, reason = "a row for each action")]
    fn act(&mut self, action: Action) -> Checked {
        if action.is_unkind() {
            self.checker.set_climate(Climate::Rough);
        }
        match action {
            Action::Peace => return self.make_peace(),
            Action::PeaceAt(kind) => return self.make_peace_at(kind),
            Action::SitDown(person, guess) => self.sit_down(person, guess, Start::WithServer),
            Action::SitDownOffline(person) => self.sit_down(person, Guess::Right, Start::Offline),
            Action::Wish(person, wish) => self.wish(person, wish),
            Action::Flood(person, whom, count) => {
                for _ in 0..count {
                    self.wish(person, Wish::Message(whom, 1));
                }
            }
            Action::CrashClient(person) => {
                if let Some(client) = self.client(person) {
                    self.world.crash(client);
                }
            }
            Action::CrashServer => self.world.crash_server(),
            Action::ShutDownServer if self.is_server_there() => {
                self.world.try_operate(server::Command::Shutdown);
            }
            Action::ShutDownServer => {}
            Action::StartServer => self.start_server(),
            Action::Weather(sky) => self.world.net.weather = sky.into(),
            Action::CheckTakes(millis) => self.world.check_takes = millis.into(),
            Action::CutServer(person) => self.with(person, World::cut_from_server),
            Action::CutOneWay(person, way) => self.with(person, |world, client| {
                let (from, to) = match way {
                    Way::ToServer => (client.host(), SERVER),
                    Way::FromServer => (SERVER, client.host()),
                };
                world.net.cut_one_way(from, to);
            }),
            Action::Sleep(person) => self.with(person, |world, client| {
                world.put_to_sleep(client.host());
            }),
            Action::Wake(person) => {
                if let Some(client) = self.seats.get(&person) {
                    self.world.wake(client.host());
                }
            }
            Action::Move(person, listening) => {
                self.with(person, |world, client| world.move_client(client, listening));
            }
            Action::Attack => self.world.attack(),
            Action::Intrude(intrusion) => self.intrude(intrusion),
            Action::Account(account, change) => self.change_account(name_of(account), change),
            Action::SleepServer => {
                if self.world.has_server() {
                    self.world.put_to_sleep(SERVER);
                }
            }
            Action::WakeServer => self.world.wake(SERVER),
            Action::SetClock(person, by) => self.with(person, |world, client| {
                world.jump_wall_clock(client.host(), by);
            }),
            Action::SetServerClock(by) => {
                self.checker.note_server_clock(by);
                self.world.jump_wall_clock(SERVER, by);
            }
            Action::StoreTakes(millis) => self.world.store.takes = millis.into(),
            Action::FailStore => self.world.store.health = Health::Failing,
            Action::MendStore => self.world.store.health = Health::Working,
            Action::Disk(person, change) => self.change_disk(person, change),
            Action::HealServer(person) => self.with(person, World::heal_to_server),
            Action::CutServerAt(person, kind) => self.with(person, |world, client| {
                world.cut_from_server_at(client, kind);
            }),
            Action::HealServerAt(person, kind) => self.with(person, |world, client| {
                world.heal_to_server_at(client, kind);
            }),
            Action::CloseServerAt(kind) => self.world.close_server_at(kind),
            Action::OpenServerAt(kind) => self.world.open_server_at(kind),
            Action::CutPeers(one, other) => self.with_both(one, other, World::cut_between),
            Action::HealPeers(one, other) => self.with_both(one, other, World::heal_between),
            Action::CloseListener(person) => self.with(person, World::close_listener),
            Action::OpenListener(person) => self.with(person, World::open_listener),
            Action::StickScreen(person) => self.with(person, World::stick_screen),
            Action::LoosenScreen(person) => self.with(person, World::loosen_screen),
        }
        self.look()
    }

    /// An account's password, or the one that it had.
    fn password(&self, user: Name) -> String {
        password_of(user, self.passwords.get(&user).copied().unwrap_or_default())
    }

    /// Whether the operator can have the server read the accounts.
    fn is_server_there(&self) -> bool {
        self.world.has_server() && !self.world.is_asleep(SERVER)
    }

    fn change_account(&mut self, user: Name, change: Change) {
        if !self.is_server_there() {
            return;
        }
        let before = self.passwords.clone();
        match change {
            Change::Remove => self.world.remove_account(user.as_str()),
            Change::Add => self.world.set_account(user.as_str(), &self.password(user)),
            Change::Password => {
                *self.passwords.entry(user).or_default() += 1;
                self.world.set_account(user.as_str(), &self.password(user));
            }
        }
        if self.world.reload().is_ok() {
            return self.tell_password(user);
        }
        // The server goes on with what it had, and so does the operator.
        self.passwords = before;
        if self.checker.model().accounts.contains(&user) {
            self.world.set_account(user.as_str(), &self.password(user));
        } else {
            self.world.remove_account(user.as_str());
        }
    }

    /// Every other one of an account's people hears what the password is now.
    fn tell_password(&mut self, user: Name) {
        for (person, client) in &self.seats {
            if name_of(self.plan.account_of(*person)) == user && person.0 % 2 == 0 {
                let password = Password::new(self.password(user)).expect("it is short");
                let login = Command::Login { user, password };
                self.world.remember(*client, login);
            }
        }
    }

    fn intrude(&mut self, intrusion: Intrusion) {
        match intrusion {
            Intrusion::InDisguise => self.world.attack_in_disguise(),
            Intrusion::Claim(account, claim) => {
                self.world.attacker_calls_server(claim, name_of(account));
            }
            Intrusion::Greet(person, knowledge) => self.with(person, |world, client| {
                world.attacker_greets(client, knowledge);
            }),
            Intrusion::InterceptServer => self.world.intercept(None),
            Intrusion::InterceptServerAt(kind) => self.world.intercept_at(None, kind),
            Intrusion::Intercept(person) => {
                self.with(person, |world, client| world.intercept(Some(client)));
            }
            Intrusion::InterceptNobody => self.world.net.intercept_nobody(),
        }
    }

    fn start_server(&mut self) {
        if !self.world.has_server() {
            self.world.start_server();
        }
    }

    /// The client that somebody sits before, if it still runs and is not asleep.
    fn client(&self, person: Person) -> Option<ClientId> {
        let client = self.seats.get(&person).copied()?;
        let is_there = !self.world.has_ended(client) && !self.world.is_asleep(client.host());
        is_there.then_some(client)
    }

    fn with(&mut self, person: Person, act: impl Fn(&mut World, ClientId)) {
        if let Some(client) = self.client(person) {
            act(&mut self.world, client);
        }
    }

    fn with_both(
        &mut self,
        one: Person,
        other: Person,
        act: impl Fn(&mut World, ClientId, ClientId),
    ) {
        if let (Some(one), Some(other)) = (self.client(one), self.client(other)) {
            act(&mut self.world, one, other);
        }
    }

    fn change_disk(&mut self, person: Person, change: Disk) {
        let client = self.seats.get(&person);
        let Some(disk) = client.and_then(|client| self.world.disk(*client)) else {
            return;
        };
        match change {
            Disk::Takes(millis) => disk.store.takes = millis.into(),
            Disk::Fails => disk.store.health = Health::Failing,
            Disk::Works => disk.store.health = Health::Working,
        }
    }

    fn sit_down(&mut self, person: Person, guess: Guess, start: Start) {
        let store = self.plan.store_of(person);
        match (self.seats.get(&person), store) {
            (Some(client), _) if !self.world.has_ended(*client) => return,
            (Some(client), StoreKind::Lasting) => self.world.start_again_as(*client, start),
            (Some(_) | None, _) => {
                let name = account_name(self.plan.account_of(person));
                let link = self.plan.link_of(person);
                let places = self.plan.places_of(person);
                let client = self.world.sit_down_knowing(&name, link, store, places);
                self.seats.insert(person, client);
            }
        }
        self.wish(person, Wish::LogIn(guess));
    }

    fn wish(&mut self, person: Person, wish: Wish) {
        let Some(client) = self.client(person) else {
            return;
        };
        let command = self.command(person, wish);
        // What the client refuses is observed like all else.
        let _ = self.world.command(client, command);
    }

    fn command(&mut self, person: Person, wish: Wish) -> Command {
        let consent = |reply| match reply {
            Reply::Yes => Consent::Yes(Term::UntilLogout),
            Reply::Always => Consent::Yes(Term::Lasting),
            Reply::No => Consent::No,
        };
        match wish {
            Wish::LogIn(guess) => {
                let user = name_of(self.plan.account_of(person));
                let password = match guess {
                    Guess::Right => self.password(user),
                    Guess::Wrong => format!("{SECRET}nobody"),
                };
                Command::Login {
                    user,
                    password: Password::new(password).expect("it is short"),
                }
            }
            Wish::Message(to, len) => Command::Message {
                to: self.name(person, to),
                text: self.text(len),
            },
            Wish::Broadcast(len) => Command::Broadcast {
                text: self.text(len),
            },
            Wish::Private(to, len) => Command::Private {
                to: self.name(person, to),
                text: self.text(len),
            },
            Wish::Block(user) => Command::Block {
                user: self.name(person, user),
            },
            Wish::Unblock(user) => Command::Unblock {
                user: self.name(person, user),
            },
            Wish::Online => Command::Online,
            Wish::GetAddress(user) => Command::GetAddress {
                user: self.name(person, user),
                term: Term::UntilLogout,
            },
            Wish::GetAddressAlways(user) => Command::GetAddress {
                user: self.name(person, user),
                term: Term::Lasting,
            },
            Wish::RemoveAddress(user) => Command::RemoveAddress {
                user: self.name(person, user),
            },
            Wish::AddressBook => Command::AddressBook,
            Wish::Verify(user) => Command::Verify {
                user: self.name(person, user),
            },
            Wish::MarkVerified(user) => Command::MarkVerified {
                user: self.name(person, user),
            },
            Wish::Answer(user, reply) => Command::Answer {
                user: self.name(person, user),
                consent: consent(reply),
            },
            Wish::BareAnswer(reply) => Command::BareAnswer(consent(reply)),
            Wish::Leave => Command::Leave,
            Wish::EndOfInput => Command::EndOfInput,
        }
    }

    /// Whom somebody means just now.
    fn name(&self, person: Person, whom: Whom) -> Name {
        let nobody = || "nobody".parse().expect("it is a name");
        let model = self.checker.model();
        let client = self.seats.get(&person).and_then(|id| model.clients.get(id));
        let Some(client) = client else {
            return nobody();
        };
        let found = match whom {
            Whom::Account(number) => return name_of(number),
            Whom::Nobody => None,
            Whom::Asker => client.questions.first().copied(),
            Whom::Peer(place) => {
                let count = client.book.len().max(1);
                client.book.keys().nth(place % count).copied()
            }
            Whom::Blocked => client.user.and_then(|user| model.blocks.any_of(user)),
        };
        found.unwrap_or_else(nobody)
    }

    /// A text like no other, of at least so many bytes.
    fn text(&mut self, len: usize) -> Text {
        self.texts += 1;
        let number = format!("{LETTER}{}", self.texts);
        format!("{number:.<len$}").parse().expect("it fits a frame")
    }
}

/// A password like no other, which can be told when it is seen.
fn password_of(user: Name, changes: u32) -> String {
    format!("{SECRET}{user} {changes}")
}

fn name_of(account: usize) -> Name {
    account_name(account).parse().expect("these are names")
}
