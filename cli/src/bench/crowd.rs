//! Many clients, run as one: who a connection belongs to, whose turn it is, and what happens to whom.
//!
//! Each is the project's own machine, with its own numbers for its connections; a driver sees one machine with all of them.
//! What users are shown counts as shown at once.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;

use simplechat_core::client::command::{Command, Rejected};
use simplechat_core::client::config::Config;
use simplechat_core::client::event::Event;
use simplechat_core::client::{Client, Done, Effect, Output as ClientOutput, Trust};
use simplechat_core::key::{Fingerprint, PublicKey, StaticKey};
use simplechat_core::machine::{ConnId, Input, Machine as _, Output};
use simplechat_core::name::Name;
use simplechat_core::rng::SecretSource;
use simplechat_core::text::Password;
use simplechat_core::time::{Moment, Timestamp};
use simplechat_core::wire::login::LinkChoice;

use super::fleet::FleetEvent;

/// Connections are told apart by the user and, below that, by the client's own number.
const NUMBER_BITS: u32 = 40;

/// One of the users, by their place in the crowd; the first is 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct UserId(pub(super) u32);

impl UserId {
    pub(super) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Who somebody is to the server, and where the server can call them.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) name: Name,
    pub(super) password: Password,
    pub(super) listener: SocketAddr,
}

/// Something that happened to a user.
#[derive(Debug)]
pub(super) enum Happening {
    /// They are shown this.
    Event(Event),
    /// Their client has ended.
    Left,
}

/// What all users have in common.
pub(super) struct Common {
    pub(super) server: SocketAddr,
    pub(super) fingerprint: Fingerprint,
    pub(super) link: LinkChoice,
    /// Where the chance of this client comes from, each of which has another number.
    pub(super) secrets: fn(u64) -> Box<dyn SecretSource>,
}

/// A user, with or without a client.
struct Seat {
    person: Person,
    client: Option<Client>,
    /// The client's connections have their own numbers plus this, as one before it may have used the lower ones.
    base: u64,
    /// Above all numbers that were used.
    next: u64,
    /// The connections that stand, by the client's own names for them.
    open: BTreeSet<ConnId>,
    /// When the client wants to be woken.
    due: Option<Timestamp>,
}

/// See the module's text.
pub(super) struct Crowd {
    common: Common,
    server_key: Option<PublicKey>,
    seats: Vec<Seat>,
    /// How many have a client.
    here: usize,
    clients_made: u64,
    by_port: HashMap<u16, UserId>,
    by_name: BTreeMap<Name, UserId>,
    accepted: HashMap<u64, UserId>,
    timers: BTreeSet<(Timestamp, UserId)>,
    now: Moment,
    happenings: VecDeque<(UserId, Happening)>,
    outputs: VecDeque<Output<Infallible, FleetEvent>>,
}

impl Crowd {
    pub(super) fn new(common: Common, people: Vec<Person>, now: Moment) -> Self {
        let ids = || (0..).map(UserId);
        Self {
            by_port: people
                .iter()
                .map(|person| person.listener.port())
                .zip(ids())
                .collect(),
            by_name: people.iter().map(|person| person.name).zip(ids()).collect(),
            seats: people.into_iter().map(Seat::new).collect(),
            common,
            server_key: None,
            here: 0,
            clients_made: 0,
            accepted: HashMap::new(),
            timers: BTreeSet::new(),
            now,
            happenings: VecDeque::new(),
            outputs: VecDeque::new(),
        }
    }

    pub(super) fn users(&self) -> impl Iterator<Item = UserId> + use<> {
        (0..u32::try_from(self.seats.len()).unwrap_or(u32::MAX)).map(UserId)
    }

    pub(super) fn name(&self, user: UserId) -> Option<Name> {
        self.seats.get(user.index()).map(|seat| seat.person.name)
    }

    pub(super) fn who(&self, name: Name) -> Option<UserId> {
        self.by_name.get(&name).copied()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now.at
    }

    pub(super) fn set_now(&mut self, now: Moment) {
        self.now = Moment {
            at: self.now.at.max(now.at),
            wall: now.wall,
        };
    }

    /// Whether nobody has a client.
    pub(super) fn is_empty(&self) -> bool {
        self.here == 0
    }

    /// A user starts a client and logs in.
    pub(super) fn enter(&mut self, user: UserId) {
        let number = self.clients_made;
        let Some(seat) = self.seats.get_mut(user.index()) else {
            return;
        };
        if seat.client.is_some() {
            return;
        }
        self.clients_made += 1;
        let mut secrets = (self.common.secrets)(number);
        let mut seed = [0; 32];
        secrets.fill(&mut seed);
        let mut config = Config::new(vec![self.common.server], seat.person.listener);
        config.link = self.common.link;
        let mut client = Client::new(config, seed, secrets, self.now);
        if let Some(key) = self.server_key {
            client = client.trusting(key);
        }
        seat.base = seat.next;
        let command = Command::Login {
            user: seat.person.name,
            password: seat.person.password.clone(),
        };
        seat.client = Some(client);
        self.here += 1;
        // A new client refuses no login.
        let _ = self.command(user, command);
    }

    /// A user wishes something.
    pub(super) fn command(&mut self, user: UserId, command: Command) -> Result<(), Rejected> {
        let now = self.now;
        let Some(client) = self.client(user) else {
            return Err(Rejected::NotLoggedIn);
        };
        let result = client.handle_command(now, command);
        self.drain(user);
        result
    }

    /// Takes a fact of a connection. Timeouts are for [`Self::time_out`].
    pub(super) fn input(&mut self, input: Input<'_, Infallible>) {
        let now = self.now;
        let (conn, is_over) = match &input {
            Input::Accepted { conn, local, .. } => return self.accept(*conn, local.port(), input),
            Input::Connected { conn, .. }
            | Input::Received { conn, .. }
            | Input::Finished { conn } => (*conn, false),
            Input::ConnectFailed { conn, .. } | Input::Closed { conn, .. } => (*conn, true),
            Input::Timeout => return,
            Input::EffectDone(never) => match *never {},
        };
        let Some((user, own)) = self.whose(conn) else {
            return;
        };
        if is_over {
            self.forget(user, own);
        }
        if let Some(client) = self.client(user) {
            client.handle_input(now, named(input, own));
            self.drain(user);
        }
    }

    /// Wakes whom it is time to wake.
    pub(super) fn time_out(&mut self) {
        while let Some(&(at, user)) = self.timers.first()
            && at <= self.now.at
        {
            let now = self.now;
            let Some(client) = self.client(user) else {
                self.timers.pop_first();
                continue;
            };
            client.handle_input(now, Input::Timeout);
            self.drain(user);
        }
    }

    /// When somebody has to be woken.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    pub(super) fn next_happening(&mut self) -> Option<(UserId, Happening)> {
        self.happenings.pop_front()
    }

    pub(super) fn next_output(&mut self) -> Option<Output<Infallible, FleetEvent>> {
        self.outputs.pop_front()
    }

    pub(super) fn output(&mut self, output: Output<Infallible, FleetEvent>) {
        self.outputs.push_back(output);
    }

    fn seat(&self, user: UserId) -> Option<&Seat> {
        self.seats.get(user.index())
    }

    fn client(&mut self, user: UserId) -> Option<&mut Client> {
        self.seats.get_mut(user.index())?.client.as_mut()
    }

    fn accept(&mut self, conn: ConnId, port: u16, input: Input<'_, Infallible>) {
        let now = self.now;
        let called = self.by_port.get(&port).copied();
        let seat = called.and_then(|user| self.seats.get_mut(user.index()));
        let (Some(user), Some(seat)) = (called, seat) else {
            return self.output(Output::Close { conn });
        };
        let (Some(client), ConnId::Accepted(number)) = (&mut seat.client, conn) else {
            return self.output(Output::Close { conn });
        };
        seat.open.insert(conn);
        self.accepted.insert(number, user);
        client.handle_input(now, named(input, conn));
        self.drain(user);
    }

    /// Whose connection that is, and what they call it.
    fn whose(&self, conn: ConnId) -> Option<(UserId, ConnId)> {
        let (user, own) = match conn {
            ConnId::Accepted(number) => (*self.accepted.get(&number)?, conn),
            ConnId::Dialled(number) => {
                let user = UserId(u32::try_from(number >> NUMBER_BITS).ok()?);
                let number = number & ((1 << NUMBER_BITS) - 1);
                let own = number.checked_sub(self.seat(user)?.base)?;
                (user, ConnId::Dialled(own))
            }
        };
        self.seat(user)?.open.contains(&own).then_some((user, own))
    }

    fn forget(&mut self, user: UserId, own: ConnId) {
        if let ConnId::Accepted(number) = own {
            self.accepted.remove(&number);
        }
        if let Some(seat) = self.seats.get_mut(user.index()) {
            seat.open.remove(&own);
        }
    }

    /// Takes what a client wants done, and when it wants to be woken.
    fn drain(&mut self, user: UserId) {
        while let Some(output) = self.client(user).and_then(Client::poll_output) {
            self.take(user, output);
        }
        let Some(seat) = self.seats.get_mut(user.index()) else {
            return;
        };
        let due = seat.client.as_ref().and_then(Client::poll_timeout);
        let due = due.map(|deadline| deadline.at);
        if due != seat.due {
            if let Some(at) = seat.due {
                self.timers.remove(&(at, user));
            }
            if let Some(at) = due {
                self.timers.insert((at, user));
            }
            seat.due = due;
        }
    }

    fn take(&mut self, user: UserId, output: ClientOutput) {
        let Some(seat) = self.seats.get_mut(user.index()) else {
            return;
        };
        match output {
            Output::Connect { conn, to } => {
                seat.open.insert(conn);
                let conn = seat.outer(user, conn);
                self.output(Output::Connect { conn, to });
            }
            Output::Send { conn, bytes } => {
                let conn = seat.outer(user, conn);
                self.output(Output::Send { conn, bytes });
            }
            Output::Keep { conn } => {
                let conn = seat.outer(user, conn);
                self.output(Output::Keep { conn });
            }
            Output::Close { conn } => {
                let outer = seat.outer(user, conn);
                self.forget(user, conn);
                self.output(Output::Close { conn: outer });
            }
            Output::Effect(Effect::Store { id, .. }) => self.done(user, Done::Stored { id }),
            Output::Effect(Effect::Show { id, events, .. }) => {
                let events = events.into_iter().map(Happening::Event);
                self.happenings.extend(events.map(|event| (user, event)));
                self.done(user, Done::Shown { id });
            }
            Output::Effect(Effect::JudgeServer { id, key, .. }) => {
                let trust = self.judge(key);
                self.done(user, Done::ServerJudged { id, trust });
            }
            Output::Event(event) => self.happenings.push_back((user, Happening::Event(event))),
            Output::Stop => self.leave(user),
        }
    }

    fn done(&mut self, user: UserId, done: Done) {
        let now = self.now;
        if let Some(client) = self.client(user) {
            client.handle_input(now, Input::EffectDone(done));
        }
    }

    fn judge(&mut self, key: PublicKey) -> Trust {
        if key.fingerprint() != self.common.fingerprint {
            return Trust::OtherKey;
        }
        self.server_key = Some(key);
        self.clients_made += 1;
        let mut secrets = (self.common.secrets)(self.clients_made);
        Trust::Trusted(StaticKey::generate(&mut *secrets))
    }

    /// A client has ended, and its connections with it.
    fn leave(&mut self, user: UserId) {
        let Some(seat) = self.seats.get_mut(user.index()) else {
            return;
        };
        if seat.client.take().is_some() {
            self.here -= 1;
        }
        for own in std::mem::take(&mut seat.open) {
            let conn = seat.outer(user, own);
            if let ConnId::Accepted(number) = own {
                self.accepted.remove(&number);
            }
            self.outputs.push_back(Output::Close { conn });
        }
        self.happenings.push_back((user, Happening::Left));
    }
}

impl Seat {
    fn new(person: Person) -> Self {
        Self {
            person,
            client: None,
            base: 0,
            next: 0,
            open: BTreeSet::new(),
            due: None,
        }
    }

    /// What the driver calls a connection of the client's.
    fn outer(&mut self, user: UserId, own: ConnId) -> ConnId {
        match own {
            ConnId::Accepted(_) => own,
            ConnId::Dialled(number) => {
                let number = self.base + number;
                self.next = self.next.max(number + 1);
                ConnId::Dialled((u64::from(user.0) << NUMBER_BITS) | number)
            }
        }
    }
}

/// The same fact, of a connection by the name that the client has for it.
fn named(input: Input<'_, Infallible>, conn: ConnId) -> Input<'_, Done> {
    match input {
        Input::Accepted { remote, local, .. } => Input::Accepted {
            conn,
            remote,
            local,
        },
        Input::Connected { local, .. } => Input::Connected { conn, local },
        Input::ConnectFailed { failure, .. } => Input::ConnectFailed { conn, failure },
        Input::Received { bytes, .. } => Input::Received { conn, bytes },
        Input::Finished { .. } => Input::Finished { conn },
        Input::Closed { reason, .. } => Input::Closed { conn, reason },
        Input::EffectDone(never) => match never {},
        Input::Timeout => Input::Timeout,
    }
}

impl fmt::Debug for Crowd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crowd({} users)", self.seats.len())
    }
}

#[cfg(test)]
mod tests;
