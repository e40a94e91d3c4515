//! A fleet and a real server's machine, joined without a network, by a clock that is told.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use clap::Parser as _;
use simplechat_core::machine::{ConnId, ConnectFailure};
use simplechat_core::rng::SeededSecrets;
use simplechat_core::server::config::Config;
use simplechat_core::server::{self, AccountEntry, CredentialsDigest, Server, Verdict};
use simplechat_core::text::Password;
use simplechat_core::time::WallTime;
use simplechat_core::wire::login::LinkChoice;

use super::super::crowd::{Common, Person};
use super::super::payload::Run;
use super::super::workload;
use super::*;
use crate::args::{Arguments, Command as Argument};

/// What is between the two.
struct World {
    fleet: Fleet,
    /// None if nobody answers.
    server: Option<Server>,
    now: Moment,
    /// The fleet's connections, by the server's numbers.
    connections: BTreeMap<u64, ConnId>,
    dialled: u64,
    told: Vec<FleetEvent>,
    is_over: bool,
}

fn loopback(port: u64) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap()))
}

fn name(number: u32) -> simplechat_core::name::Name {
    format!("user{number}").parse().unwrap()
}

impl World {
    fn new(line: &str, users: u32) -> Self {
        let words = format!("simplechat bench {line}");
        let Argument::Bench(args) = Arguments::parse_from(words.split(' ')).command else {
            panic!("it is a line for the load tool");
        };
        let now = Moment {
            at: Timestamp::from_secs(1),
            wall: WallTime(0),
        };
        let accounts = (0..users).map(|number| AccountEntry {
            name: name(number),
            credentials: CredentialsDigest([0; 32]),
        });
        let secrets = |number| -> Box<dyn simplechat_core::rng::SecretSource> {
            Box::new(SeededSecrets::new(number))
        };
        let server = Server::new(Config::default(), accounts, [1; 32], secrets(1_000), now);
        let common = Common {
            server: loopback(5_150),
            fingerprint: server.key().fingerprint(),
            link: LinkChoice::Held,
            secrets,
        };
        let people = (0..users).map(|number| Person {
            name: name(number),
            password: Password::new("pw".into()).unwrap(),
            listener: loopback(1_024),
        });
        let crowd = Crowd::new(common, people.collect(), now);
        let workload = workload::of(&args, users, Run(7));
        Self {
            fleet: Fleet::new(crowd, workload, Arc::default()),
            server: Some(server),
            now,
            connections: BTreeMap::new(),
            dialled: 0,
            told: Vec::new(),
            is_over: false,
        }
    }

    fn order(&mut self, order: Order) {
        let Ok(()) = self.fleet.handle_command(self.now, order);
        self.settle();
    }

    /// Lets time pass, as far as something is to happen in it.
    fn pass(&mut self, time: Duration) {
        let until = self.now.at + time;
        self.settle();
        loop {
            let servers = self.server.as_ref().and_then(Server::poll_timeout);
            let dues = [self.fleet.poll_timeout(), servers];
            let next = dues.into_iter().flatten().map(|due| due.at).min();
            self.now.at = next.unwrap_or(until).clamp(self.now.at, until);
            if self
                .fleet
                .poll_timeout()
                .is_some_and(|due| due.at <= self.now.at)
            {
                self.fleet.handle_input(self.now, Input::Timeout);
            }
            if servers.is_some_and(|due| due.at <= self.now.at) {
                self.tell_server(Input::Timeout);
            }
            self.settle();
            if next.is_none_or(|next| next > until) {
                return;
            }
        }
    }

    /// Carries everything that is under way to where it goes.
    fn settle(&mut self) {
        loop {
            if let Some(output) = self.fleet.poll_output() {
                self.carry_for_fleet(output);
            } else if let Some(output) = self.server.as_mut().and_then(Server::poll_output) {
                self.carry_for_server(output);
            } else {
                return;
            }
        }
    }

    fn tell_server(&mut self, input: Input<'_, server::Done>) {
        if let Some(server) = &mut self.server {
            server.handle_input(self.now, input);
        }
    }

    fn number(&self, conn: ConnId) -> Option<u64> {
        let mut all = self.connections.iter();
        all.find_map(|(number, of)| (*of == conn).then_some(*number))
    }

    fn carry_for_fleet(&mut self, output: Output<Infallible, FleetEvent>) {
        match output {
            Output::Connect { conn, .. } => {
                let (number, local) = (self.dialled, loopback(40_000 + self.dialled));
                self.dialled += 1;
                if self.server.is_none() {
                    let failure = ConnectFailure::Refused;
                    let failed = Input::ConnectFailed { conn, failure };
                    return self.fleet.handle_input(self.now, failed);
                }
                self.connections.insert(number, conn);
                self.tell_server(Input::Accepted {
                    conn: ConnId::Accepted(number),
                    remote: local,
                    local: loopback(5_150),
                });
                self.fleet
                    .handle_input(self.now, Input::Connected { conn, local });
            }
            Output::Send { conn, bytes } => {
                if let Some(number) = self.number(conn) {
                    let conn = ConnId::Accepted(number);
                    self.tell_server(Input::Received {
                        conn,
                        bytes: &bytes,
                    });
                }
            }
            Output::Close { conn } => {
                if let Some(number) = self.number(conn) {
                    self.connections.remove(&number);
                    let conn = ConnId::Accepted(number);
                    self.tell_server(Input::Finished { conn });
                }
            }
            Output::Keep { .. } => {}
            Output::Effect(never) => match never {},
            Output::Event(event) => self.told.push(event),
            Output::Stop => self.is_over = true,
        }
    }

    fn carry_for_server(&mut self, output: Output<server::Effect, server::event::Event>) {
        let of_fleet = |conn| match conn {
            ConnId::Accepted(number) => self.connections.get(&number).copied(),
            ConnId::Dialled(_) => None,
        };
        match output {
            Output::Send { conn, bytes } => {
                if let Some(conn) = of_fleet(conn) {
                    let received = Input::Received {
                        conn,
                        bytes: &bytes,
                    };
                    self.fleet.handle_input(self.now, received);
                }
            }
            Output::Close { conn } => {
                if let Some(conn) = of_fleet(conn) {
                    self.fleet.handle_input(self.now, Input::Finished { conn });
                }
            }
            Output::Effect(server::Effect::CheckPassword { id, .. }) => {
                let verdict = Verdict::Right;
                let done = server::Done::PasswordChecked { id, verdict };
                self.tell_server(Input::EffectDone(done));
            }
            Output::Effect(server::Effect::Store { id, .. }) => {
                let done = server::Done::Stored { id, result: Ok(()) };
                self.tell_server(Input::EffectDone(done));
            }
            Output::Connect { .. } => panic!("nobody can be called who has a held link"),
            Output::Keep { .. } | Output::Event(_) | Output::Stop => {}
        }
    }

    /// What the fleet has told since it was asked.
    fn told(&mut self) -> Vec<FleetEvent> {
        std::mem::take(&mut self.told)
    }
}

#[test]
fn users_log_in_write_come_to_rest_and_leave() {
    let mut world = World::new("latency --rate 10", 4);
    world.pass(Duration::from_secs(1));
    assert!(matches!(world.told()[..], [FleetEvent::Ready]));
    assert_eq!(world.connections.len(), 4, "each has a held link");
    world.order(Order::Begin);
    world.pass(Duration::from_millis(2_050));
    world.order(Order::Halt);
    let told = world.told();
    let [FleetEvent::Settled(tally)] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(
        (tally.sent, tally.done),
        (21, 21),
        "ten a second, from the start"
    );
    assert!(tally.faults.is_none(), "{:?}", tally.faults);
    assert_eq!(
        (tally.breaks, tally.slowed, tally.late),
        (0, 0, Duration::ZERO)
    );
    world.order(Order::Leave);
    world.pass(Duration::from_secs(1));
    assert!(matches!(world.told()[..], [FleetEvent::Gone]));
    assert!(world.is_over && world.connections.is_empty());
}

#[test]
fn what_never_arrives_is_lost_and_not_waited_for_without_end() {
    let mut world = World::new("latency --rate 10", 2);
    world.pass(Duration::from_secs(1));
    world.order(Order::Begin);
    // The server is gone, and nobody says so.
    world.connections.clear();
    world.pass(Duration::from_secs(1));
    world.order(Order::Halt);
    world.server = None;
    world.pass(PATIENCE * 2);
    let told = world.told();
    let Some(FleetEvent::Settled(tally)) = told.last() else {
        panic!("{told:?}");
    };
    assert!(tally.sent > 5 && tally.faults.lost > 5, "{tally:?}");
}

#[test]
fn no_more_log_in_at_once_than_a_server_takes_from_one_address() {
    let users = u32::try_from(LOGINS_MAX).unwrap() + 8;
    let mut world = World::new("idle", users);
    let dials = std::iter::from_fn(|| world.fleet.poll_output())
        .filter(|output| matches!(output, Output::Connect { .. }));
    assert_eq!(dials.count(), LOGINS_MAX);
    let mut world = World::new("idle", users);
    world.pass(Duration::from_secs(1));
    assert!(matches!(world.told()[..], [FleetEvent::Ready]));
}

#[test]
fn a_server_that_nobody_reaches_is_said_to_be_away() {
    let mut world = World::new("idle", 2);
    world.server = None;
    world.settle();
    let told = world.told();
    let [FleetEvent::Failed(Trouble::Ended(End::Unreachable(_)))] = told[..] else {
        panic!("{told:?}");
    };
    assert!(world.is_over);
}
