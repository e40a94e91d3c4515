//! The client's machine: one user's session with the server, their address book, and what they are shown.
//!
//! Each thing has its module: `outbox` (what the user wished, until the server has answered it), `inbox` (what is shown,
//! each message once), `ledger` (what became of the user's messages), `questions` (who asks for the user's address), `consents` (whom the user has agreed to be introduced to), `address_book` (who may be written to directly; `peer` and `peer_places` are each of them).
//! The rest composes them:
//!
//! ```text
//! commands ── wishes of the user
//!          └ why ── what became of a message, and what comes next
//! link ─ login ───── getting a session, and getting it back when the server was away
//!      ├ race ────── which of the server's addresses is taken
//!      └ exchange ── requests to the server and its answers
//! listener ─ pushes ── what the server says by dialling us
//!          ├ greeting ─ handshakes with peers, which begin their sessions (`peer_sessions`), and how often (`callers`)
//!          ├ direct ── private messages from and to peers, and who is a peer no more (`former`)
//!          ├ mailing ── sealed mail for peers who cannot be met (`mails`)
//!          ├ search ─── where peers are
//!          ├ peer_link  how peers reach each other, and the held links of those who cannot be called
//!          ├ absence ── who is away, or at another client
//!          ├ roaming ── what happens when this client or a peer moves
//!          ├ mismatch ─ who has another key than the peer in whose place they are
//!          ├ verifying ─ comparing a peer's key, and what is known of it (`peer_keys`)
//!          └ parking ─ calls that overtook the word of who calls
//! due ── what the client wishes of its own accord
//! leaving ── how it ends
//! storing ── what a store keeps of all this (`record`), and what waits until it does
//! restore ── the client as the records of its earlier life make it
//! ```

pub mod command;
pub mod config;
pub mod event;
pub mod ledger;
pub mod record;
pub mod sizes;

mod absence;
mod address_book;
mod callers;
mod commands;
mod connection;
mod consents;
mod direct;
mod due;
mod exchange;
mod former;
mod greeting;
mod held_link;
mod inbox;
mod leaving;
mod link;
mod login;
mod mailing;
mod mails;
mod mismatch;
mod outbox;
mod parking;
mod peer;
mod peer_keys;
mod peer_link;
mod peer_places;
mod peer_sessions;
mod pushes;
mod questions;
mod race;
mod remembered;
mod restore;
mod roaming;
mod search;
mod storing;
mod verifying;
mod why;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crate::channel::{Noise, Protection};
use crate::held::HeldLinks;
use crate::id::{EffectId, InstanceId, IntroductionId, Seq};
use crate::key::{PublicKey, StaticKey};
use crate::limits::OUTPUTS_MAX;
use crate::lru::LruMap;
use crate::machine::{ConnId, Deadline, Input, Machine};
use crate::name::Name;
use crate::rng::{Rng, SecretSource};
use crate::text::Password;
use crate::time::Moment;
use crate::timers::Timers;
use crate::wire::request::Reach;

use address_book::AddressBook;
use callers::Callers;
use command::{Command, Rejected};
use config::Config;
use connection::Connection;
use consents::Consents;
use due::Due;
use event::Event;
use exchange::OnlineQuery;
use former::FormerPeers;
use inbox::Inbox;
use leaving::Phase;
use ledger::Ledger;
use link::Link;
use outbox::Outbox;
use peer_keys::PeerKeys;
use peer_sessions::PeerSessions;
use questions::Questions;
use record::Record;
use storing::Storing;

/// Strangers whose calls the user was told of; the longest ago is forgotten.
const STRANGERS_MAX: usize = 64;

/// Work outside the machine.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Keep a batch of records: all or none, and in the order of the effects, with the records of [`Effect::Show`] among them. A store
    /// that fails tries again until it has succeeded. What is given to it before the client ends is still to be kept.
    Store {
        /// Comes back when it is done.
        id: EffectId,
        /// What to keep, in order.
        records: Vec<Record>,
    },
    /// Show what others sent, once the records that go with it are kept. Its senders hear that it arrived only when this is done.
    Show {
        /// Comes back when it is done.
        id: EffectId,
        /// What to show, in order; it may be nothing.
        events: Vec<Event>,
        /// What to keep before that, in order; without a store it is nothing.
        records: Vec<Record>,
    },
    /// Find out whether a server with this key is who the user means: it may be known, or a person has to say so. Asked before
    /// anything is said to it, and again of whoever is at the next address if it is not; later only this key is taken.
    JudgeServer {
        /// Comes back with the result.
        id: EffectId,
        /// What the server has proved to have.
        key: PublicKey,
        /// Where it is.
        address: SocketAddr,
    },
}

/// The result of work outside the machine.
#[derive(Clone, Debug)]
pub enum Done {
    /// A batch of records is stored.
    Stored {
        /// Which of the effects it was.
        id: EffectId,
    },
    /// What others sent is on the screen, and what goes with it is stored.
    Shown {
        /// Which of the effects it was.
        id: EffectId,
    },
    /// It is decided whether the server is who the user means.
    ServerJudged {
        /// Which of the effects it was.
        id: EffectId,
        /// The decision.
        trust: Trust,
    },
}

/// Whether a server is who the user means.
#[derive(Clone, Debug)]
pub enum Trust {
    /// It is, and this client is known to it by this key.
    Trusted(StaticKey),
    /// It is not: the user means one that has another key. That one may be at another address, which is tried.
    OtherKey,
    /// Nobody can tell, or the user does not want it.
    Refused,
}

/// What a client gives to do.
pub type Output = crate::machine::Output<Effect, Event>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum TimerKind {
    /// A heartbeat is due.
    Heartbeat,
    /// The server may be tried again.
    Retry,
    /// Another address of the server may be tried.
    Race,
    /// The server takes again what it put off.
    PutOff,
    /// This user's question expires.
    Question(Name),
    /// This peer may be tried again.
    Peer(Name),
    /// This peer has waited for word of their listener.
    PeerCheck(Name),
    /// The link with this peer is to be used.
    PeerLink(Name),
    /// The server may take mail for this peer again.
    Mail(Name),
    /// The other side of this ended introduction may be told again.
    Former(IntroductionId),
    /// Sessions with peers are too old.
    PeerSessions,
    /// The session needs new keys.
    Renewal,
    /// What the server has kept has not all come.
    Kept,
    /// This call has waited for keys for long enough.
    Parked(ConnId),
    /// Leaving stops to wait for what is not sent.
    Goodbye,
    /// Leaving ends.
    End,
}

impl TimerKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Heartbeat => "send a heartbeat",
            Self::Retry => "try the server again",
            Self::Race => "dial another address of the server",
            Self::PutOff => "send what was put off",
            Self::Question(_) => "expire a question",
            Self::Peer(_) => "try a peer again",
            Self::PeerCheck(_) => "tell a peer of their listener",
            Self::PeerLink(_) => "look after the link with a peer",
            Self::Mail(_) => "leave mail for a peer",
            Self::Former(_) => "tell a former peer",
            Self::PeerSessions => "forget old keys",
            Self::Renewal => "renew keys",
            Self::Kept => "wait no more for what was kept",
            Self::Parked(_) => "refuse a stranger",
            Self::Goodbye => "say goodbye",
            Self::End => "end",
        }
    }
}

/// The client's machine.
#[derive(Debug)]
pub struct Client {
    config: Config,
    /// The latest time that was told, which never goes back.
    clock: Moment,
    rng: Rng,
    secrets: Box<dyn SecretSource>,
    protection: Arc<dyn Protection>,
    instance: InstanceId,
    /// What this client is known by.
    key: StaticKey,
    /// Who logs in, once the user has said so.
    user: Option<Name>,
    /// The proof, until there is a ticket.
    password: Option<Password>,
    link: Link,
    outbox: Outbox,
    ledger: Ledger,
    storing: Storing,
    query: Option<OnlineQuery>,
    queries: u32,
    inbox: Inbox,
    questions: Questions,
    consents: Consents,
    book: AddressBook,
    former: FormerPeers,
    peer_keys: PeerKeys,
    peer_sessions: PeerSessions,
    due: Due,
    /// The number of the next private message, whomever it is for.
    next_private: Seq,
    strangers: LruMap<IpAddr, ()>,
    callers: Callers,
    connections: BTreeMap<ConnId, Connection>,
    dialled: u64,
    effects: u64,
    timers: Timers<TimerKind>,
    held: HeldLinks,
    outputs: VecDeque<Output>,
    phase: Phase,
}

impl Client {
    /// A client that waits for [`Command::Login`]. `seed` decides its instance and jitter; `secrets` makes its keys: also the one
    /// that it is known by, unless it is given one with [`Self::known_as`].
    #[must_use]
    pub fn new(
        config: Config,
        seed: [u8; 32],
        mut secrets: Box<dyn SecretSource>,
        now: Moment,
    ) -> Self {
        let mut rng = Rng::new(seed);
        let instance = InstanceId(rng.bytes());
        let store = config.store;
        Self {
            config,
            clock: now,
            rng,
            key: StaticKey::generate(&mut *secrets),
            secrets,
            protection: Arc::new(Noise),
            instance,
            user: None,
            password: None,
            link: Link::new(),
            outbox: Outbox::new(store),
            ledger: Ledger::new(),
            storing: Storing::default(),
            query: None,
            queries: 0,
            inbox: Inbox::new(),
            questions: Questions::default(),
            consents: Consents::new(),
            book: AddressBook::default(),
            former: FormerPeers::new(),
            peer_keys: PeerKeys::new(),
            peer_sessions: PeerSessions::default(),
            due: Due::default(),
            next_private: Seq::FIRST,
            strangers: LruMap::new(STRANGERS_MAX),
            callers: Callers::new(),
            connections: BTreeMap::new(),
            dialled: 0,
            effects: 0,
            timers: Timers::default(),
            held: HeldLinks::default(),
            outputs: VecDeque::new(),
            phase: Phase::Running,
        }
    }

    /// The same client, which is known by this key.
    #[must_use]
    pub fn known_as(mut self, key: StaticKey) -> Self {
        self.key = key;
        self
    }

    /// The same client, which knows its server by this key, and asks nobody.
    #[must_use]
    pub const fn trusting(mut self, server: PublicKey) -> Self {
        self.link.server_key = Some(server);
        self
    }

    /// The same client, whose frames are protected by something else than [`Noise`], which is for tests.
    #[must_use]
    pub fn protected_by(mut self, protection: Arc<dyn Protection>) -> Self {
        self.protection = protection;
        self
    }

    fn tick(&mut self, now: Moment) {
        self.clock = Moment {
            at: self.clock.at.max(now.at),
            wall: now.wall,
        };
    }

    fn output(&mut self, output: Output) {
        assert!(
            self.outputs.len() < OUTPUTS_MAX,
            "the driver does not drain the client's outputs"
        );
        self.outputs
            .extend(self.held.carry(output).into_iter().flatten());
    }

    fn event(&mut self, event: impl Into<Event>) {
        self.output(Output::Event(event.into()));
    }

    const fn next_effect(&mut self) -> EffectId {
        let id = EffectId(self.effects);
        self.effects += 1;
        id
    }

    fn send(&mut self, conn: ConnId, bytes: Vec<u8>) {
        self.output(Output::Send { conn, bytes });
    }

    /// Ends a connection once what was sent there is out.
    fn close(&mut self, conn: ConnId) {
        self.connections.remove(&conn);
        self.output(Output::Close { conn });
    }

    fn dial(&mut self, to: SocketAddr, purpose: Connection) -> ConnId {
        let conn = ConnId::Dialled(self.dialled);
        self.dialled += 1;
        self.connections.insert(conn, purpose);
        self.output(Output::Connect { conn, to });
        conn
    }

    /// Takes a fact, of a connection or of a stream of a held link.
    fn take(&mut self, input: Input<'_, Done>) {
        if self.phase == Phase::Ended {
            return;
        }
        match input {
            Input::Accepted { conn, remote, .. } => self.on_accepted(conn, remote),
            Input::Connected { conn, local } => self.on_connected(conn, local),
            Input::ConnectFailed { conn, failure } => self.on_connect_failed(conn, failure),
            Input::Closed { conn, .. } => self.on_closed(conn),
            Input::Received { conn, bytes } => self.on_received(conn, bytes),
            Input::Finished { conn } => self.on_finished(conn),
            Input::EffectDone(Done::Stored { id }) => self.on_stored(id),
            Input::EffectDone(Done::Shown { id }) => self.on_shown(id),
            Input::EffectDone(Done::ServerJudged { id, trust }) => {
                self.on_server_judged(id, trust);
            }
            Input::Timeout => self.on_timeout(),
        }
    }

    fn on_timeout(&mut self) {
        let now = self.clock.at;
        while let Some(kind) = self.timers.pop_due(now) {
            match kind {
                TimerKind::Heartbeat => self.send_heartbeat(),
                TimerKind::Retry => self.retry(),
                TimerKind::Race => self.dial_next_server(),
                TimerKind::PutOff => self.flush(),
                TimerKind::Question(by) => self.close_question(by),
                TimerKind::Peer(peer) => self.wake_peer(peer),
                TimerKind::PeerCheck(peer) => self.conclude_check(peer, Reach::Unreachable),
                TimerKind::PeerLink(peer) => self.keep_peer_link(peer),
                TimerKind::Mail(peer) => self.try_mail_again(peer),
                TimerKind::Former(introduction) => self.tell_former_peer(introduction),
                TimerKind::PeerSessions => self.expire_peer_sessions(),
                TimerKind::Renewal => self.renew(),
                TimerKind::Parked(conn) => self.on_parked_for_long(conn),
                // Only leaving waits for it, and looks after everything that happens.
                TimerKind::Kept => {}
                TimerKind::Goodbye => self.say_goodbye(),
                TimerKind::End => self.end_leaving(),
            }
        }
    }
}

impl Machine for Client {
    type Command = Command;
    type Rejected = Rejected;
    type Effect = Effect;
    type Done = Done;
    type Event = Event;

    fn handle_input(&mut self, now: Moment, input: Input<'_, Done>) {
        self.tick(now);
        if self.phase == Phase::Ended {
            return;
        }
        match input {
            Input::Received { conn, bytes } if self.held.is_held(conn) => {
                self.on_link_received(conn, bytes);
            }
            Input::Closed { conn, .. } | Input::Finished { conn } if self.held.is_held(conn) => {
                self.drop_link(conn);
            }
            Input::Timeout => {
                self.end_overdue_streams();
                self.take(input);
            }
            Input::Accepted { .. }
            | Input::Connected { .. }
            | Input::ConnectFailed { .. }
            | Input::Received { .. }
            | Input::Finished { .. }
            | Input::Closed { .. }
            | Input::EffectDone(_) => self.take(input),
        }
        self.do_due();
        self.proceed_leaving();
        self.flush_records();
    }

    fn handle_command(&mut self, now: Moment, command: Command) -> Result<(), Rejected> {
        self.tick(now);
        let result = self.obey(command);
        self.do_due();
        self.proceed_leaving();
        self.flush_records();
        result
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        if self.phase == Phase::Ended {
            return None;
        }
        let timer = self.timers.next().map(|(at, kind)| Deadline {
            at,
            kind: kind.as_str(),
        });
        let kind = "give up a held link";
        let stream = self.held.next_deadline().map(|at| Deadline { at, kind });
        Deadline::earliest(timer, stream)
    }
}

#[cfg(test)]
mod tests;
