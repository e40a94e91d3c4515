//! A plan: all that makes a world, so that the same plan is the same world, and a smaller plan a smaller one.
//!
//! Plans are written and read as RON, so that a failing one can be kept, cut down by hand and run again.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "few of the things that happen have the server do something"
)]

use std::time::Duration;

use serde::{Deserialize, Serialize};
use simplechat_core::client::config::StoreKind;
use simplechat_core::rate::Rate;
use simplechat_core::server::MailboxLimits;
use simplechat_core::server::allowance::AllowanceConfig;
use simplechat_core::server::config::Config;
use simplechat_core::server::lockout::LockoutConfig;
use simplechat_core::wire::login::LinkChoice;

use crate::attacker::talk::Claim;
use crate::net::{Kind, Listening, Weather};
use crate::world::{Knowledge, Place, Secrecy};

/// A time in whole milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl From<Millis> for Duration {
    fn from(millis: Millis) -> Self {
        Self::from_millis(millis.0)
    }
}

/// Somebody before a client; several may share an account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Person(pub usize);

/// Whom something is meant for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Whom {
    /// The account with this number.
    Account(usize),
    /// No account has this name.
    Nobody,
    /// Somebody who asks for the address, if anybody does.
    Asker,
    /// Somebody in the address book: the one at this place, counted round and round.
    Peer(usize),
    /// Somebody whom the user has blocked.
    Blocked,
}

/// A yes, for this time or always, or a no.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "a few words")]
pub enum Reply {
    Yes,
    Always,
    No,
}

/// A password to log in with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "right and wrong")]
pub enum Guess {
    Right,
    Wrong,
}

/// What somebody wishes of their client. Texts are made when they are sent, of at least so many bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the commands of a client")]
pub enum Wish {
    LogIn(Guess),
    Message(Whom, usize),
    Broadcast(usize),
    Private(Whom, usize),
    Block(Whom),
    Unblock(Whom),
    Online,
    GetAddress(Whom),
    GetAddressAlways(Whom),
    RemoveAddress(Whom),
    AddressBook,
    Verify(Whom),
    MarkVerified(Whom),
    Answer(Whom, Reply),
    BareAnswer(Reply),
    Leave,
    EndOfInput,
}

/// How unkind the network is, as in [`Weather`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "they are those of the weather")]
pub struct Sky {
    pub latency: Millis,
    pub jitter: Millis,
    pub set_up: Millis,
    pub pieces_max: usize,
    pub joins_per_mille: u32,
    pub breaks_per_mille: u32,
    pub losses_per_mille: u32,
    pub failed_dials_per_mille: u32,
    pub hung_dials_per_mille: u32,
}

impl Sky {
    /// A kind network.
    pub const CLEAR: Self = Self {
        latency: Millis(5),
        jitter: Millis(5),
        set_up: Millis(0),
        pieces_max: 2,
        joins_per_mille: 0,
        breaks_per_mille: 0,
        losses_per_mille: 0,
        failed_dials_per_mille: 0,
        hung_dials_per_mille: 0,
    };
}

impl From<Sky> for Weather {
    fn from(sky: Sky) -> Self {
        Self {
            latency: sky.latency.into(),
            jitter: sky.jitter.into(),
            set_up: sky.set_up.into(),
            pieces_max: sky.pieces_max,
            joins_per_mille: sky.joins_per_mille,
            breaks_per_mille: sky.breaks_per_mille,
            losses_per_mille: sky.losses_per_mille,
            failed_dials_per_mille: sky.failed_dials_per_mille,
            hung_dials_per_mille: sky.hung_dials_per_mille,
        }
    }
}

/// Which way between somebody and the server is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "to and from the server")]
pub enum Way {
    ToServer,
    FromServer,
}

/// What becomes of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Change {
    /// It is removed.
    Remove,
    /// It is made if there is none, with the password that the one of this name had.
    Add,
    /// It has another password, and is made if there is none.
    Password,
}

/// What becomes of a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Disk {
    /// It takes so long from now on.
    Takes(Millis),
    /// It keeps nothing.
    Fails,
    /// It does again.
    Works,
}

/// Something that the attacker does beside playing back what they heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Intrusion {
    /// They play it back from somebody's address.
    InDisguise,
    /// They shake hands with the server, and claim something of the account with this number.
    Claim(usize, Claim),
    /// They shake hands with somebody's client.
    Greet(Person, Knowledge),
    /// Who calls the server gets them.
    InterceptServer,
    /// Who calls it at its address of one kind does.
    InterceptServerAt(Kind),
    /// Who calls somebody's client gets them.
    Intercept(Person),
    /// Everybody gets again whom they call.
    InterceptNobody,
}

impl Intrusion {
    /// Whether it may keep a client from being heard by the server for a while.
    const fn is_unkind(self) -> bool {
        match self {
            Self::InterceptServer
            | Self::InterceptServerAt(_)
            | Self::Intercept(_)
            | Self::InterceptNobody => true,
            Self::InDisguise | Self::Claim(..) | Self::Greet(..) => false,
        }
    }
}

/// Something that happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Action {
    /// Somebody without a client starts one and tries a password.
    SitDown(Person, Guess),
    /// Somebody starts a client again that has a store, and does without the server if it has to.
    SitDownOffline(Person),
    /// Somebody wishes something of their client, if they have one.
    Wish(Person, Wish),
    /// Somebody writes so many messages at once.
    Flood(Person, Whom, usize),
    /// Somebody's client is gone without a word.
    CrashClient(Person),
    /// The server is gone without a word.
    CrashServer,
    /// The server is asked to shut down in order.
    ShutDownServer,
    /// A server starts, if none runs.
    StartServer,
    /// What somebody and the server send each other is lost.
    CutServer(Person),
    /// One way of the two.
    CutOneWay(Person, Way),
    /// It arrives again.
    HealServer(Person),
    /// What they send each other at their addresses of one kind is lost.
    CutServerAt(Person, Kind),
    /// It arrives again.
    HealServerAt(Person, Kind),
    /// Nobody can connect to the server at its address of one kind any more.
    CloseServerAt(Kind),
    /// They can again.
    OpenServerAt(Kind),
    /// What two people's clients send each other is lost.
    CutPeers(Person, Person),
    /// It arrives again.
    HealPeers(Person, Person),
    /// Nobody can connect to somebody's client any more.
    CloseListener(Person),
    /// They can again.
    OpenListener(Person),
    /// Somebody's screen takes no more.
    StickScreen(Person),
    /// It does again.
    LoosenScreen(Person),
    /// Somebody's host sleeps: its client hears nothing, and nobody hears of it.
    Sleep(Person),
    /// It wakes.
    Wake(Person),
    /// Somebody's host gets another address, and what it had open is dead.
    Move(Person, Listening),
    /// The attacker does something with what they heard, if there is one.
    Attack,
    /// The attacker does something else.
    Intrude(Intrusion),
    /// The operator changes the account with this number.
    Account(usize, Change),
    /// The server's host sleeps.
    SleepServer,
    /// It wakes.
    WakeServer,
    /// Somebody's wall clock is set, forward or back, by so many milliseconds.
    SetClock(Person, i64),
    /// The server's is.
    SetServerClock(i64),
    /// The server's store takes so long from now on.
    StoreTakes(Millis),
    /// The server's store keeps nothing.
    FailStore,
    /// It does again.
    MendStore,
    /// The weather changes.
    Weather(Sky),
    /// Something becomes of the disk on which somebody's client keeps what it does, if it has a store.
    Disk(Person, Disk),
    /// Checking a password takes so long from now on.
    CheckTakes(Millis),
    /// All that is broken is mended; after a while everything that was promised must have come true.
    Peace,
    /// The same, but everybody can connect to the server only at its address of this kind. If somebody does not know that one it
    /// is a whole peace.
    PeaceAt(Kind),
}

impl Action {
    /// Whether it may keep a client from being heard by the server for a while.
    #[must_use]
    pub const fn is_unkind(self) -> bool {
        match self {
            Self::Intrude(intrusion) => intrusion.is_unkind(),
            Self::CrashServer
            | Self::ShutDownServer
            | Self::StartServer
            | Self::CutServer(_)
            | Self::CutOneWay(..)
            | Self::HealServer(_)
            | Self::CutServerAt(..)
            | Self::HealServerAt(..)
            | Self::CloseServerAt(_)
            | Self::OpenServerAt(_)
            | Self::Sleep(_)
            | Self::Wake(_)
            | Self::Move(..)
            | Self::Account(..)
            | Self::SleepServer
            | Self::WakeServer
            | Self::FailStore
            | Self::MendStore
            | Self::StoreTakes(_)
            | Self::Weather(_) => true,
            Self::SitDown(..)
            | Self::SitDownOffline(_)
            | Self::Wish(..)
            | Self::Flood(..)
            | Self::CrashClient(_)
            | Self::CutPeers(..)
            | Self::HealPeers(..)
            | Self::CloseListener(_)
            | Self::OpenListener(_)
            | Self::StickScreen(_)
            | Self::LoosenScreen(_)
            | Self::Attack
            | Self::SetClock(..)
            | Self::SetServerClock(_)
            | Self::Disk(..)
            | Self::CheckTakes(_)
            | Self::Peace
            | Self::PeaceAt(_) => false,
        }
    }
}

/// A pause, and what happens then.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Before it, nothing is done for so long.
    pub pause: Millis,
    /// What is done.
    pub action: Action,
}

/// The server's settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "they are those of the server's config")]
pub struct Settings {
    pub attempts_max: u32,
    pub block_time: Millis,
    pub mailbox_messages: usize,
    pub mailbox_bytes: usize,
    pub mailbox_age: Millis,
    pub heartbeat_interval: Millis,
    pub timeout: Millis,
    pub question_expiry: Millis,
    pub store_after: Millis,
    pub presence_interval: Millis,
    pub presence_alerts_max: usize,
    pub max_text: usize,
    pub shutdown_deadline: Millis,
    pub operations: Pace,
    pub deliveries: Pace,
}

/// So many at once, and then so many a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pace(pub u32, pub u32);

impl From<Pace> for Rate {
    fn from(Pace(burst, tokens): Pace) -> Self {
        Self::per_second(burst, tokens)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            attempts_max: 3,
            block_time: Millis(60_000),
            mailbox_messages: 1_000,
            mailbox_bytes: 4 * 1024 * 1024,
            mailbox_age: Millis(30 * 24 * 60 * 60 * 1_000),
            heartbeat_interval: Millis(30_000),
            timeout: Millis(95_000),
            question_expiry: Millis(120_000),
            store_after: Millis(250),
            presence_interval: Millis(2_000),
            presence_alerts_max: 500,
            max_text: 8 * 1024,
            shutdown_deadline: Millis(10_000),
            operations: Pace(40, 10),
            deliveries: Pace(5_000, 500),
        }
    }
}

impl Settings {
    /// The server's config.
    #[must_use]
    pub fn config(&self) -> Config {
        Config {
            lockout: LockoutConfig {
                attempts_max: self.attempts_max,
                block_time: self.block_time.into(),
                ..LockoutConfig::default()
            },
            mailbox: MailboxLimits {
                messages: self.mailbox_messages,
                bytes: self.mailbox_bytes,
                // Who fills a mailbox is told that it is full.
                sender_percent: 100,
                age: self.mailbox_age.into(),
            },
            heartbeat_interval: self.heartbeat_interval.into(),
            timeout: self.timeout.into(),
            question_expiry: self.question_expiry.into(),
            store_after: self.store_after.into(),
            presence_interval: self.presence_interval.into(),
            presence_alerts_max: self.presence_alerts_max,
            max_text: self.max_text,
            shutdown_deadline: self.shutdown_deadline.into(),
            allowance: AllowanceConfig {
                operations: self.operations.into(),
                deliveries: self.deliveries.into(),
            },
            ..Config::default()
        }
    }
}

/// All that makes a world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// What the machines' and the network's chance is made from.
    pub seed: u64,
    /// The number of each person's account.
    pub people: Vec<usize>,
    /// How each person's client is to be reached; those for whom nothing is said have no preference.
    #[serde(default)]
    pub links: Vec<LinkChoice>,
    /// Whose client has a store; those of whom nothing is said have none.
    #[serde(default)]
    pub stores: Vec<StoreKind>,
    /// Where each person looks for the server, in order; those for whom nothing is said know its IPv4 address.
    #[serde(default)]
    pub places: Vec<Vec<Place>>,
    /// The server's settings.
    pub settings: Settings,
    /// The weather in which it begins.
    pub sky: Sky,
    /// What protects the lines.
    #[serde(default)]
    pub secrecy: Secrecy,
    /// What happens.
    pub steps: Vec<Step>,
}

impl Plan {
    /// How many accounts there are at first.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.people.iter().max().map_or(0, |highest| highest + 1)
    }

    /// How somebody's client is to be reached.
    #[must_use]
    pub fn link_of(&self, person: Person) -> LinkChoice {
        self.links.get(person.0).copied().unwrap_or_default()
    }

    /// Whether somebody's client has a store.
    #[must_use]
    pub fn store_of(&self, person: Person) -> StoreKind {
        self.stores.get(person.0).copied().unwrap_or_default()
    }

    /// Where somebody looks for the server.
    #[must_use]
    pub fn places_of(&self, person: Person) -> &[Place] {
        let places = self.places.get(person.0);
        places.map_or(&[Place::Server(Kind::Ipv4)], Vec::as_slice)
    }

    /// Whether everybody looks for the server at its address of one kind.
    #[must_use]
    pub fn all_look_at(&self, kind: Kind) -> bool {
        let looks = |person| self.places_of(person).contains(&Place::Server(kind));
        (0..self.people.len()).map(Person).all(looks)
    }

    /// As which account somebody logs in.
    #[must_use]
    pub fn account_of(&self, person: Person) -> usize {
        self.people.get(person.0).copied().unwrap_or_default()
    }

    /// After so long in a kind network everything that waited has been tried again: the longest rest of a machine is a
    /// minute and a half, a session that the server gave up is noticed a timeout later, and then everything that anybody
    /// may have wished is done at the pace at which it may be.
    #[must_use]
    pub fn longest_rest(&self) -> Duration {
        let waits = Duration::from_secs(100) + Duration::from(self.settings.timeout);
        let accounts = 0..self.people.len();
        let longest_work = accounts.map(|account| self.work_of(account)).max();
        waits + longest_work.unwrap_or_default()
    }

    /// How long it takes to do all that the people of an account wish.
    fn work_of(&self, account: usize) -> Duration {
        let operations = Rate::from(self.settings.operations);
        let deliveries = Rate::from(self.settings.deliveries);
        let recipients = u32::try_from(self.people.len()).unwrap_or(u32::MAX);
        let work = |action| {
            let (person, work) = match action {
                Action::Flood(person, _, count) => {
                    let count = u32::try_from(count).unwrap_or(u32::MAX);
                    (person, operations.time_for(count))
                }
                Action::Wish(person, Wish::Broadcast(_)) => (
                    person,
                    operations.time_for(1) + deliveries.time_for(recipients),
                ),
                Action::Wish(person, _) => (person, operations.time_for(1)),
                _ => return None,
            };
            (self.account_of(person) == account).then_some(work)
        };
        self.steps.iter().filter_map(|step| work(step.action)).sum()
    }

    /// The plan as it is written in files, a step a line.
    ///
    /// # Panics
    ///
    /// Never: every plan can be written.
    #[must_use]
    pub fn to_ron(&self) -> String {
        let lines = ron::ser::PrettyConfig::new().depth_limit(2).indentor("  ");
        ron::ser::to_string_pretty(self, lines).expect("numbers, lists and enums can be written")
    }
}

/// The name of an account by its number.
#[must_use]
pub fn account_name(number: usize) -> String {
    const NAMES: [&str; 10] = [
        "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy",
    ];
    NAMES
        .get(number)
        .map_or_else(|| format!("user{number}"), |name| (*name).to_owned())
}
