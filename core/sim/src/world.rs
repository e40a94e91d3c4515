//! A world: a server, clients, their network and their people, run one step after the other.

mod agenda;
mod attack;
mod hosts;
pub mod keeping;
mod people;
mod places;
mod run;
mod serving;
mod stranger;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use simplechat_core::channel::Protection;
use simplechat_core::client::Client;
use simplechat_core::client::command::Command;
use simplechat_core::client::config::Config as ClientConfig;
use simplechat_core::client::event::Event;
use simplechat_core::id::EffectId;
use simplechat_core::key::{KEY_LEN, PublicKey, StaticKey};
use simplechat_core::machine::ConnId;
use simplechat_core::name::Name;
use simplechat_core::rng::SeededSecrets;
use simplechat_core::server::config::Config as ServerConfig;
use simplechat_core::server::record::Record;
use simplechat_core::server::recording::Texts;
use simplechat_core::server::{self, Server, Verdict};
use simplechat_core::time::{Moment, Timestamp};

use crate::attacker::talk::Talker;
use crate::dice::Dice;
use crate::net::{HostId, Kind, Listening, Net};
use crate::observation::{Observation, Observed};
use crate::script;
use crate::store::{Honesty, Store};
use crate::tape::Tape;
use crate::test_channel::TestChannel;
use agenda::Agenda;
pub use attack::{ATTACKER, Credulity, Knowledge, Secrecy, attacker_address};
use keeping::Disk;
use places::is_the_servers;
pub use places::{Place, is_the_attackers, server_address};
use stranger::Stranger;

/// The server's place on the network.
pub const SERVER: HostId = HostId(0);
/// Somebody with a socket of their own and nothing else.
const STRANGER: HostId = HostId(usize::MAX);
/// Where the clients of a world listen.
const CLIENT_PORT: u16 = 40_000;
/// 2027-01-15 08:00 UTC.
const WALL_START: u64 = 1_800_000_000_000;

/// A client of a world.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ClientId(usize);

impl ClientId {
    /// Its place on the network.
    #[must_use]
    pub const fn host(self) -> HostId {
        HostId(self.0 + 1)
    }

    /// The client in that place, if it is one of a client's.
    #[must_use]
    pub fn at(host: HostId) -> Option<Self> {
        let is_client = ![SERVER, ATTACKER, STRANGER].contains(&host);
        is_client.then(|| Self(host.0 - 1))
    }
}

/// A client and the person before it.
#[derive(Debug)]
struct Seat {
    label: String,
    machine: Client,
    /// What the machine was started with.
    config: ClientConfig,
    /// What outlives it, if it has a store.
    disk: Option<Disk>,
    /// What was shown and not looked at yet by the test.
    seen: Vec<Event>,
    /// How long the screen takes to show something; `None` while it is stuck.
    screen: Option<Duration>,
    stuck: Vec<EffectId>,
    /// What the client is known by.
    key: StaticKey,
    /// What the person typed to log in.
    typed: Option<Command>,
    /// Connections to the server, and how many messages of a handshake were sent there.
    calls: BTreeMap<ConnId, u8>,
    ended: bool,
}

/// Work outside the machines that ends at some time.
#[derive(Debug)]
enum Chore {
    Check(EffectId, Name, Verdict),
    Store {
        id: EffectId,
        records: Vec<Record>,
    },
    Show(ClientId, EffectId),
    Write(ClientId),
    Judge(ClientId, EffectId, PublicKey),
    /// Somebody who was asked for their password again types it.
    TypePassword(ClientId),
}

/// A server, clients and the network between them.
#[derive(Debug)]
pub struct World {
    now: Timestamp,
    dice: Dice,
    /// The network, for tests that want to break it.
    pub net: Net,
    config: ServerConfig,
    accounts: BTreeMap<Name, String>,
    server: Option<Server>,
    server_events: Vec<server::event::Event>,
    /// What the server has stored.
    pub store: Store<Record>,
    /// How honest the stores of clients are.
    pub disks: Honesty,
    /// How long checking a password takes.
    pub check_takes: Duration,
    seats: Vec<Seat>,
    chores: BTreeMap<(Timestamp, u64), Chore>,
    chores_made: u64,
    stranger: Stranger,
    strangers: u64,
    attacks: u64,
    talker: Talker,
    /// What the server is known by, and the key of its tickets.
    identity: (StaticKey, [u8; KEY_LEN]),
    /// What somebody is known by who has taken the server's place.
    impostor: Option<StaticKey>,
    /// How many passwords were checked.
    password_checks: usize,
    /// What protects frames, if it is not the real channel as it is.
    protection: Option<Arc<dyn Protection>>,
    /// The test channel in it, if there is one.
    channel: Option<TestChannel>,
    /// At which addresses the server does not listen.
    closed: BTreeSet<Kind>,
    /// How many of the server's addresses a client tries.
    addresses_max: usize,
    /// What clients believe whom.
    credulity: Credulity,
    hosts: BTreeMap<HostId, hosts::Host>,
    /// `None` when nobody reads it.
    log: Option<String>,
    /// What happened since the last look; `None` when nobody looks.
    observed: Option<Vec<Observed>>,
    agenda: Agenda,
    steps: u64,
    spun: (Timestamp, u32),
    /// Each server is recorded there, if one is.
    tape: Option<(Tape, Texts)>,
}

/// A network with nobody on it yet, and never with the host that is not there.
fn network() -> Net {
    let mut net = Net::new();
    net.silence(Place::Silent.address());
    net
}

/// Where a client is until it moves.
fn first_address(id: ClientId) -> SocketAddr {
    let number = u16::try_from(id.0 + 1).unwrap_or(u16::MAX);
    let [high, low] = number.to_be_bytes();
    SocketAddr::from(([10, 0, 1 + high, low], CLIENT_PORT))
}

impl World {
    /// A world with the default settings, a running server and a dozen accounts; each one's password is its name.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_config(seed, ServerConfig::default())
    }

    /// The same with other settings.
    #[must_use]
    pub fn with_config(seed: u64, config: ServerConfig) -> Self {
        let mut world = Self::unborn(seed, config);
        world.start_server();
        world
    }

    /// The same with other accounts and their passwords, and with lines on which this may be done.
    #[must_use]
    pub fn with_accounts(
        seed: u64,
        config: ServerConfig,
        accounts: impl IntoIterator<Item = (Name, String)>,
        secrecy: Secrecy,
    ) -> Self {
        let mut world = Self::unborn(seed, config);
        world.set_secrecy(secrecy);
        world.accounts = accounts.into_iter().collect();
        world.start_server();
        world
    }

    /// A world in which no server runs yet.
    fn unborn(seed: u64, config: ServerConfig) -> Self {
        let names = [
            "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy",
        ];
        let accounts = names
            .iter()
            .filter_map(|name| Some((name.parse().ok()?, (*name).to_owned())))
            .collect();
        let mut secrets = SeededSecrets::new(seed);
        let identity = (StaticKey::generate(&mut secrets), [7; KEY_LEN]);
        Self {
            now: Timestamp::from_secs(1_000),
            dice: Dice::new(seed),
            net: network(),
            identity,
            impostor: None,
            password_checks: 0,
            config,
            accounts,
            server: None,
            server_events: Vec::new(),
            store: Store::default(),
            disks: Honesty::default(),
            check_takes: Duration::from_millis(1),
            seats: Vec::new(),
            chores: BTreeMap::new(),
            chores_made: 0,
            stranger: Stranger::default(),
            strangers: 0,
            attacks: 0,
            talker: Talker::new(!seed),
            protection: None,
            channel: None,
            closed: BTreeSet::new(),
            addresses_max: usize::MAX,
            credulity: Credulity::None,
            hosts: BTreeMap::new(),
            log: Some(String::new()),
            observed: None,
            agenda: Agenda::default(),
            steps: 0,
            spun: (Timestamp::ZERO, 0),
            tape: None,
        }
    }

    /// Adds accounts `user0`, `user1`, …; to be called before the server starts anew or at once after its start.
    pub fn add_accounts(&mut self, count: usize) {
        for number in 0..count {
            let name = format!("user{number}");
            if let Ok(parsed) = name.parse() {
                self.accounts.insert(parsed, name);
            }
        }
        self.crash_server();
        self.start_server();
    }

    /// The time and date of this world.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.moment_on(STRANGER)
    }

    fn label(&self, id: ClientId) -> String {
        self.seat(id).label.clone()
    }

    /// Where a client is on the network.
    fn address_of(&self, id: ClientId) -> SocketAddr {
        let home = self.net.home(id.host());
        home.unwrap_or_else(|| first_address(id))
    }

    /// The network shows a client at the address of another one, as behind one router.
    pub fn share_address(&mut self, id: ClientId, with: ClientId) {
        let router = self.address_of(with).ip();
        self.net.masquerade(id.host(), router);
    }

    /// A client is gone without a word.
    pub fn crash(&mut self, id: ClientId) {
        self.seat_mut(id).ended = true;
        self.net.remove(self.now, id.host());
        self.forget_sleep(id.host());
        self.agenda.set(id.host(), None);
        self.break_off_writing(id);
        self.note_seat(id, || "crashes".into());
        self.observe(Observation::ClientCrashed { client: id });
    }

    /// Nothing listens at a client's port any more, as behind a firewall.
    pub fn close_listener(&mut self, id: ClientId) {
        self.net.stop_listening(id.host());
        let (client, listening) = (id, Listening::Nowhere);
        self.observe(Observation::Listens { client, listening });
    }

    /// Something listens at a client's port again.
    pub fn open_listener(&mut self, id: ClientId) {
        let address = self.address_of(id);
        self.net.place(id.host(), address);
        let (client, listening) = (id, Listening::There);
        self.observe(Observation::Listens { client, listening });
    }

    /// Whether a client has ended.
    #[must_use]
    pub fn has_ended(&self, id: ClientId) -> bool {
        self.seat(id).ended
    }

    /// Everything that anybody did and saw, with the time since the world began.
    #[must_use]
    pub fn log(&self) -> &str {
        self.log.as_deref().unwrap_or_default()
    }

    fn show(&mut self, id: ClientId, event: Event) {
        self.note_seat(id, || format!("< {}", script::show_event(&event)));
        if self.observed.is_none() {
            self.seat_mut(id).seen.push(event);
        }
    }

    fn add_chore(&mut self, takes: Duration, chore: Chore) {
        self.chores_made += 1;
        self.chores
            .insert((self.now + takes, self.chores_made), chore);
    }

    fn note_seat(&mut self, id: ClientId, what: impl FnOnce() -> String) {
        if self.log.is_some() {
            let label = self.label(id);
            self.note(&label, &what());
        }
    }

    fn note(&mut self, who: &str, what: &str) {
        let since = self.now.since(Timestamp::from_secs(1_000));
        if let Some(log) = &mut self.log {
            let _ = writeln!(log, "{:8.3} {who} {what}", since.as_secs_f64());
        }
    }

    fn seat(&self, id: ClientId) -> &Seat {
        &self.seats[id.0]
    }

    fn seat_mut(&mut self, id: ClientId) -> &mut Seat {
        &mut self.seats[id.0]
    }
}
