//! A world: a server, clients, their network and their people, run one step after the other.

mod agenda;
mod attack;
mod hosts;
mod run;
mod watch;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use simplechat_core::client::Client;
use simplechat_core::client::command::{Command, Rejected};
use simplechat_core::client::config::Config as ClientConfig;
use simplechat_core::client::event::{Event, SessionEvent};
use simplechat_core::id::EffectId;
use simplechat_core::machine::{ConnId, Machine};
use simplechat_core::name::Name;
use simplechat_core::rng::SeededSecrets;
use simplechat_core::server::config::Config as ServerConfig;
use simplechat_core::server::record::Record;
use simplechat_core::server::recording::{Header, Texts};
use simplechat_core::server::{self, Server, Verdict};
use simplechat_core::text::Password;
use simplechat_core::time::{Moment, Timestamp};

use crate::dice::Dice;
use crate::net::{HostId, Net};
use crate::observation::{Observation, Observed};
use crate::script;
use crate::store::Store;
use crate::tape::Tape;
use crate::test_channel::TestChannel;
use agenda::Agenda;
pub use attack::ATTACKER;

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
        host.0.checked_sub(1).map(Self)
    }
}

/// A client and the person before it.
#[derive(Debug)]
struct Seat {
    label: String,
    machine: Client,
    /// What was shown and not looked at yet by the test.
    seen: Vec<Event>,
    /// How long the screen takes to show something; `None` while it is stuck.
    screen: Option<Duration>,
    stuck: Vec<EffectId>,
    ended: bool,
}

/// What somebody without a machine of ours got back.
#[derive(Debug, Default)]
struct Stranger {
    received: Vec<u8>,
    ended: bool,
}

/// Work outside the machines that ends at some time.
#[derive(Debug)]
enum Chore {
    Check(EffectId, Name, Verdict),
    Store { id: EffectId, records: Vec<Record> },
    Show(ClientId, EffectId),
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
    pub store: Store,
    /// How long checking a password takes.
    pub check_takes: Duration,
    seats: Vec<Seat>,
    chores: BTreeMap<(Timestamp, u64), Chore>,
    chores_made: u64,
    stranger: Stranger,
    strangers: u64,
    attacks: u64,
    /// What protects frames, if it is not the plain one.
    channel: Option<TestChannel>,
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

/// The address of the server of every world.
#[must_use]
pub fn server_address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 5150))
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

    /// The same with other accounts; each one's password is its name.
    #[must_use]
    pub fn with_accounts(
        seed: u64,
        config: ServerConfig,
        names: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut world = Self::unborn(seed, config);
        world.accounts = names
            .into_iter()
            .filter_map(|name| Some((name.parse().ok()?, name)))
            .collect();
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
        Self {
            now: Timestamp::from_secs(1_000),
            dice: Dice::new(seed),
            net: Net::new(),
            config,
            accounts,
            server: None,
            server_events: Vec::new(),
            store: Store::default(),
            check_takes: Duration::from_millis(1),
            seats: Vec::new(),
            chores: BTreeMap::new(),
            chores_made: 0,
            stranger: Stranger::default(),
            strangers: 0,
            attacks: 0,
            channel: None,
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

    /// Starts a server that knows its accounts and what the one before had stored.
    pub fn start_server(&mut self) {
        let seed = self.dice.seed();
        let secrets = SeededSecrets::new(self.dice.roll());
        let started = self.moment_on(SERVER);
        let header = Header {
            program: "sim".to_owned(),
            texts: self.tape.as_ref().map_or(Texts::Kept, |(_, texts)| *texts),
            config: self.config.clone(),
            accounts: self.accounts.keys().copied().collect(),
            seed,
            started: (started.at.as_micros(), started.wall),
        };
        let mut server = match &self.tape {
            Some((tape, texts)) => header
                .server(tape.watch(secrets))
                .recorded_by(*texts, tape.start(&header)),
            None => header.server(Box::new(secrets)),
        };
        if let Some(channel) = &self.channel {
            server = server.protected_by(Arc::new(channel.for_new_device()));
        }
        self.server = Some(server.restore(self.store.records()));
        self.net.place(SERVER, server_address());
        self.note("server", "starts");
        self.observe(Observation::ServerStarted);
        self.drain_server();
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
            self.agenda.set(SERVER, None);
            self.note("server", "crashes");
            self.observe(Observation::ServerCrashed);
        }
    }

    /// The server's machine is no more, and hears of no effect.
    fn drop_chores_of_server(&mut self) {
        let gone = self
            .chores
            .extract_if(.., |_, chore| !matches!(chore, Chore::Show(..)));
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

    /// Sits somebody down before a client that is not logged in yet. The label names them in the log.
    pub fn sit_down(&mut self, label: &str) -> ClientId {
        let id = ClientId(self.seats.len());
        let listener = first_address(id);
        let anywhere = SocketAddr::from(([0, 0, 0, 0], listener.port()));
        let config = ClientConfig::new(vec![server_address()], anywhere);
        let seed = self.dice.seed();
        let secrets = Box::new(SeededSecrets::new(self.dice.roll()));
        let mut machine = Client::new(config, seed, secrets, self.moment_on(id.host()));
        if let Some(channel) = &self.channel {
            machine = machine.protected_by(Arc::new(channel.for_new_device()));
        }
        self.net.place(id.host(), listener);
        self.seats.push(Seat {
            label: label.to_owned(),
            machine,
            seen: Vec::new(),
            screen: Some(Duration::ZERO),
            stuck: Vec::new(),
            ended: false,
        });
        self.observe(Observation::SatDown { client: id });
        id
    }

    /// Somebody logs in with the right password, and all that follows happens.
    ///
    /// # Panics
    ///
    /// When the login is refused: the test is wrong.
    pub fn join(&mut self, name: &str) -> ClientId {
        let id = self.sit_down(name);
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

    fn label(&self, id: ClientId) -> String {
        self.seat(id).label.clone()
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
        let result = self.seat_mut(id).machine.handle_command(moment, command);
        if let Err(rejected) = &result {
            self.note_seat(id, || format!("! {rejected}"));
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

    /// A stranger connects to the server (`None`) or to a client's listener and sends bytes, in these pieces with a
    /// moment between them. Gives what came back, and whether the connection was ended.
    pub fn stranger_sends(&mut self, to: Option<ClientId>, pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let address = to.map_or_else(server_address, |id| self.address_of(id));
        self.stranger = Stranger::default();
        self.strangers += 1;
        let conn = ConnId::Dialled(self.strangers);
        self.net
            .connect(self.now, &mut self.dice, STRANGER, conn, address);
        for piece in pieces {
            let bytes = piece.to_vec();
            self.net
                .send(self.now, &mut self.dice, STRANGER, conn, bytes);
            self.run(Duration::from_millis(100));
        }
        self.settle();
        self.net.close(self.now, &mut self.dice, STRANGER, conn);
        let stranger = std::mem::take(&mut self.stranger);
        (stranger.received, stranger.ended)
    }

    /// A client is gone without a word.
    pub fn crash(&mut self, id: ClientId) {
        self.seat_mut(id).ended = true;
        self.net.remove(self.now, id.host());
        self.forget_sleep(id.host());
        self.agenda.set(id.host(), None);
        self.note_seat(id, || "crashes".into());
        self.observe(Observation::ClientCrashed { client: id });
    }

    /// Nothing listens at a client's port any more, as behind a firewall.
    pub fn close_listener(&mut self, id: ClientId) {
        self.net.stop_listening(id.host());
    }

    /// Something listens at a client's port again.
    pub fn open_listener(&mut self, id: ClientId) {
        let address = self.address_of(id);
        self.net.place(id.host(), address);
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
