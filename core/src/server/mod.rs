//! The server's machine: who is logged in, what goes to whom, and what is kept for whom.
//!
//! The rules are small machines of their own, each in the module that bears its name: [`admission`] (who may begin a
//! handshake), [`lockout`], [`allowance`] (how much an account may have done), `heartbeat`, `blacklist`, `introduction`,
//! `mailbox`, `expiry`, `intake` (operations once and in order), `lane` (what waits for one client) and `record_queue` (what waits for
//! the store). The rest composes them:
//!
//! ```text
//! connection ─ handshake ─ login ─────────────── session starts, takes over, ends
//!            └ requests ─ operations ─ router (message, broadcast)
//!                                    ├ blocking (block, unblock)
//!                                    └ addresses (getaddress, accept, deny, removeaddress), whereabouts, books and claims
//! delivery (lanes to listeners) · presence (alerts, who is online) · storing, restore · reload · shutdown
//! ```

pub mod admission;
pub mod allowance;
pub mod config;
pub mod event;
pub mod lockout;
pub mod record;
pub mod recording;
pub mod sizes;

mod account;
mod addresses;
mod blacklist;
mod blocking;
mod books;
mod claims;
mod connection;
mod delivery;
mod expiry;
mod handshake;
mod heartbeat;
mod held_link;
pub mod identity;
mod intake;
mod introduction;
mod lane;
mod login;
mod mailbox;
mod presence;
mod record_queue;
mod reload;
mod remembered;
mod requests;
mod restore;
mod router;
mod session;
mod shutdown;
mod storing;
mod tap;
mod ticket;
mod whereabouts;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::channel::{Noise, Protection};
use crate::held::HeldLinks;
use crate::id::{EffectId, SessionId};
use crate::key::PublicKey;
use crate::limits::OUTPUTS_MAX;
use crate::machine::{ConnId, Deadline, Input, Machine};
use crate::name::Name;
use crate::rng::{Rng, SecretSource};
use crate::text::Password;
use crate::time::Moment;
use crate::timers::Timers;

use account::Accounts;
pub use account::{AccountEntry, CredentialsDigest};
use admission::Admission;
use claims::Claims;
use config::Config;
use connection::Connection;
use event::Event;
use heartbeat::Heartbeats;
use identity::Identity;
use introduction::Introductions;
use lockout::Lockout;
use login::PendingLogin;
pub use mailbox::MailboxLimits;
use record::Record;
use record_queue::RecordQueue;
use recording::{Account, Act, CredentialsNumbers, Fact, Loss, Recorder, Saying, Texts};
pub use reload::check_missing;
use session::Way;
use shutdown::Phase;
pub use storing::StoreFailed;
use tap::Tap;

/// An account, by its place in the table: on the hot path an account is a number, not a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct AccountId(u32);

impl AccountId {
    fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A wish of the operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// From now on there are these accounts and no others.
    Reload {
        /// All of them.
        accounts: Vec<AccountEntry>,
        /// What to make of it if many are missing.
        missing: Missing,
    },
    /// Tell everybody, hand over what can be handed over, and end.
    Shutdown,
    /// End now.
    ShutdownNow,
}

/// What it means that over half of the accounts are missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Missing {
    /// It may be a mistake, so nothing is erased.
    Doubtful,
    /// The operator has said that they are to be gone.
    Confirmed,
}

/// Why a wish was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejected {
    /// It is under way.
    #[error("the server is shutting down already")]
    Stopping,
    /// So many accounts are missing that it may be a mistake.
    #[error("{missing} of {known} accounts are missing")]
    TooManyMissing {
        /// How many there are that the operator did not give.
        missing: u32,
        /// How many there are.
        known: u32,
    },
}

/// Work outside the machine.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Find out whether a name and password belong together. An unknown name must take as long as a known one.
    CheckPassword {
        /// Comes back with the result.
        id: EffectId,
        /// The name that was given.
        name: Name,
        /// The password that was given.
        password: Password,
    },
    /// Keep these records, all or none, behind those of earlier batches. The next batch comes when this one is done.
    Store {
        /// Comes back with the result.
        id: EffectId,
        /// What to keep.
        records: Vec<Record>,
    },
}

/// The result of work outside the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Done {
    /// A password was checked.
    PasswordChecked {
        /// Which check it was.
        id: EffectId,
        /// What came of it.
        verdict: Verdict,
    },
    /// Records were stored, so that nothing but the loss of the store itself loses them; or none of them was.
    Stored {
        /// Which batch it was.
        id: EffectId,
        /// What came of it.
        result: Result<(), StoreFailed>,
    },
}

/// Whether a password is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The name and password belong together.
    Right,
    /// They do not, or there is no such account.
    Wrong,
}

/// What a server gives to do.
pub type Output = crate::machine::Output<Effect, Event>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum TimerKind {
    /// Messages for this user have waited long enough to be stored.
    Store(AccountId),
    /// The oldest message for this user has expired.
    Expire(AccountId),
    /// The store has rested after a failure.
    StoreAgain,
    /// The lane to this user may try again.
    Rest(AccountId),
    /// This user may be told again who came and went.
    Lazy(AccountId),
    /// The check of this user's listener has taken too long.
    Probe(AccountId),
    /// This connection has waited long enough for its answer.
    Answer(ConnId),
    /// The shutdown stops handing over and tells the senders.
    HandedOver,
    /// The shutdown ends.
    Stop,
}

impl TimerKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Store(_) => "store messages",
            Self::Expire(_) => "expire messages",
            Self::StoreAgain => "try the store again",
            Self::Rest(_) => "retry a delivery",
            Self::Lazy(_) => "tell presence",
            Self::Probe(_) => "give up a probe",
            Self::Answer(_) => "answer a request",
            Self::HandedOver => "end the handing over",
            Self::Stop => "end the shutdown",
        }
    }
}

/// The server's machine.
#[derive(Debug)]
pub struct Server {
    config: Config,
    /// The latest time that was told, which never goes back.
    clock: Moment,
    started: Moment,
    rng: Rng,
    secrets: Box<dyn SecretSource>,
    identity: Identity,
    protection: Arc<dyn Protection>,
    accounts: Accounts,
    /// Users online by name, for lists in order.
    online: BTreeMap<Name, AccountId>,
    sessions: BTreeMap<SessionId, AccountId>,
    connections: BTreeMap<ConnId, Connection>,
    dialled: u64,
    admission: Admission,
    /// When those under way have to be finished.
    handshakes: Timers<ConnId>,
    lockout: Lockout,
    checks: BTreeMap<EffectId, PendingLogin>,
    effects: u64,
    heartbeats: Heartbeats,
    introductions: Introductions,
    claims: Claims,
    records: RecordQueue,
    timers: Timers<TimerKind>,
    held: HeldLinks,
    outputs: VecDeque<Output>,
    phase: Phase,
    tap: Tap,
}

impl Server {
    /// A server for these accounts, with nobody online. `seed` decides ids and jitter; `secrets` makes the keys. It has a new
    /// identity, unless it is given one with [`Self::known_as`].
    #[must_use]
    pub fn new(
        config: Config,
        accounts: impl IntoIterator<Item = AccountEntry>,
        seed: [u8; 32],
        mut secrets: Box<dyn SecretSource>,
        now: Moment,
    ) -> Self {
        Self {
            clock: now,
            started: now,
            rng: Rng::new(seed),
            identity: Identity::generate(&mut *secrets),
            secrets,
            protection: Arc::new(Noise),
            accounts: Accounts::new(accounts),
            online: BTreeMap::new(),
            sessions: BTreeMap::new(),
            connections: BTreeMap::new(),
            dialled: 0,
            admission: Admission::new(config.admission),
            handshakes: Timers::default(),
            lockout: Lockout::new(config.lockout.clone()),
            checks: BTreeMap::new(),
            effects: 0,
            heartbeats: Heartbeats::new(config.timeout),
            introductions: Introductions::new(config.question_expiry),
            claims: Claims::default(),
            records: RecordQueue::new(),
            timers: Timers::default(),
            held: HeldLinks::default(),
            outputs: VecDeque::new(),
            phase: Phase::Running,
            tap: Tap::default(),
            config,
        }
    }

    /// The same server, which tells a recorder what it gets and gives. For a recording that can be replayed it has to be
    /// there from the start, also before [`Self::restore`].
    #[must_use]
    pub fn recorded_by(mut self, texts: Texts, recorder: Box<dyn Recorder>) -> Self {
        let mut numbers = CredentialsNumbers::default();
        for entry in self.accounts.entries() {
            numbers.record(entry);
        }
        self.tap = Tap::recording(texts, recorder, numbers);
        self
    }

    /// The same server, which has this identity.
    #[must_use]
    pub fn known_as(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }

    /// What the server is known by.
    #[must_use]
    pub const fn key(&self) -> PublicKey {
        self.identity.key.public()
    }

    /// The same server, whose frames are protected by something else than [`Noise`], which is for tests.
    #[must_use]
    pub fn protected_by(mut self, protection: Arc<dyn Protection>) -> Self {
        self.protection = protection;
        self
    }

    /// How many users are online.
    #[must_use]
    pub fn online(&self) -> usize {
        self.online.len()
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
            "the driver does not drain the server's outputs"
        );
        self.tap.output(&output);
        self.outputs
            .extend(self.held.carry(output).into_iter().flatten());
    }

    fn event(&mut self, event: Event) {
        self.output(Output::Event(event));
    }

    /// Sends bytes. `saying` is what they were before they were sealed, for the recorder.
    fn send(&mut self, conn: ConnId, saying: Option<Saying>, bytes: Vec<u8>) {
        self.tap.say(conn, saying);
        self.output(Output::Send { conn, bytes });
    }

    /// Begins an exchange with a user's client.
    fn dial(&mut self, account: AccountId, way: Way) -> ConnId {
        let conn = ConnId::Dialled(self.dialled);
        self.dialled += 1;
        let account = Account(account.0);
        let (Way::Listener(to) | Way::Held { remote: to, .. }) = way;
        self.tap.act(|| Act::Dial { conn, account, to });
        match way {
            Way::Listener(to) => self.output(Output::Connect { conn, to }),
            Way::Held { link, .. } => self.held.open(self.clock.at, link, conn),
        }
        conn
    }

    /// Tells the recorder what came, but for bytes: what they mean is known later, and noted then.
    fn note_input(&mut self, input: &Input<'_, Done>) {
        let fact = match *input {
            Input::Connected { .. } | Input::Received { .. } => return,
            Input::Accepted {
                conn,
                remote,
                local,
            } => Fact::Accepted {
                conn,
                remote,
                local,
            },
            Input::ConnectFailed { conn, failure } => Fact::Lost {
                conn,
                loss: Loss::NotMade(failure),
            },
            Input::Finished { conn } => Fact::Finished { conn },
            Input::Closed { conn, reason } => Fact::Lost {
                conn,
                loss: Loss::Closed(reason),
            },
            Input::EffectDone(done) => Fact::Done(done),
            Input::Timeout => Fact::Timeout,
        };
        self.tap.fact(self.clock, |_| fact);
    }

    /// Takes a fact, of a connection or of a stream of a held link.
    fn take(&mut self, input: Input<'_, Done>) {
        if self.phase == Phase::Stopped {
            return;
        }
        self.expire_handshakes();
        self.note_input(&input);
        match input {
            Input::Accepted {
                conn,
                remote,
                local,
            } => self.on_accepted(conn, remote, local),
            // The machine has nothing to wait for: what it sends is queued from the start.
            Input::Connected { .. } => {}
            Input::ConnectFailed { conn, .. } | Input::Closed { conn, .. } => {
                self.on_connection_lost(conn);
            }
            Input::Received { conn, bytes } => self.on_received(conn, bytes),
            Input::Finished { conn } => self.on_finished(conn),
            Input::EffectDone(Done::PasswordChecked { id, verdict }) => {
                self.on_password_checked(id, verdict);
            }
            Input::EffectDone(Done::Stored { id, result }) => self.on_stored(id, result),
            Input::Timeout => self.on_timeout(),
        }
        self.flush_records();
    }

    fn on_timeout(&mut self) {
        let now = self.clock.at;
        while let Some(account) = self.heartbeats.pop_expired(now) {
            self.time_out(account);
        }
        while let Some((pair, state)) = self.introductions.pop_expired(now) {
            self.on_question_expired(pair, state);
        }
        while let Some(kind) = self.timers.pop_due(now) {
            match kind {
                TimerKind::Store(account) => self.store_overdue(account),
                TimerKind::Expire(account) => self.expire_messages(account),
                TimerKind::StoreAgain => self.records.wake(),
                TimerKind::Rest(account) | TimerKind::Lazy(account) => self.wake_lane(account),
                TimerKind::Probe(account) => self.on_probe_overdue(account),
                TimerKind::Answer(conn) => self.finish_exchange(conn),
                TimerKind::HandedOver => self.end_handing_over(),
                TimerKind::Stop => self.stop(),
            }
        }
    }
}

impl Machine for Server {
    type Command = Command;
    type Rejected = Rejected;
    type Effect = Effect;
    type Done = Done;
    type Event = Event;

    fn handle_input(&mut self, now: Moment, input: Input<'_, Done>) {
        self.tick(now);
        match input {
            Input::Received { conn, bytes } if self.held.is_held(conn) => {
                self.on_link_received(conn, bytes);
            }
            Input::Closed { conn, .. } | Input::Finished { conn } if self.held.is_held(conn) => {
                self.drop_streams(conn);
                self.take(input);
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
    }

    fn handle_command(&mut self, now: Moment, command: Command) -> Result<(), Rejected> {
        self.tick(now);
        if self.phase != Phase::Stopped {
            self.tap.command(self.clock, &command);
        }
        match command {
            Command::Reload { accounts, missing } => self.reload(accounts, missing)?,
            Command::Shutdown => self.shut_down()?,
            Command::ShutdownNow => self.stop(),
        }
        self.flush_records();
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        if self.phase == Phase::Stopped {
            return None;
        }
        let named = |kind| move |at| Deadline { at, kind };
        let timer = self.timers.next().map(|(at, kind)| Deadline {
            at,
            kind: kind.as_str(),
        });
        let heartbeat = self
            .heartbeats
            .next_deadline()
            .map(named("expire a session"));
        let question = self
            .introductions
            .next_deadline()
            .map(named("expire a question"));
        let handshakes = self.handshakes.next().map(|(at, _)| at);
        let handshake = handshakes.map(named("give up a handshake"));
        let stream = self.held.next_deadline().map(named("give up a stream"));
        [timer, heartbeat, question, handshake, stream]
            .into_iter()
            .fold(None, Deadline::earliest)
    }
}

#[cfg(test)]
mod tests;
