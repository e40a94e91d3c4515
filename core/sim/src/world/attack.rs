//! A world's attacker: a host of its own, and connections like all others.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use simplechat_core::channel::Noise;
use simplechat_core::client::command::Command;
use simplechat_core::key::{KEY_LEN, PublicKey};
use simplechat_core::limits::COOKIE_LEN;
use simplechat_core::machine::{ConnId, Machine as _};
use simplechat_core::name::Name;
use simplechat_core::server::config::Config;
use simplechat_core::wire::frame::{Frame, RefusalCode};

use super::{CLIENT_PORT, ClientId, SERVER, World, is_the_servers, server_address};
use crate::attacker::talk::{Claim, Manner, Turn};
use crate::attacker::{self, RECORDINGS_MAX};
use crate::net::{Delivery, HostId, Kind, Listening};
use crate::observation::Observation;
use crate::test_channel::{TestChannel, Weakness};
use crate::weak_channel::{Flaw, WeakChannel};

/// What protects the lines of a world, and from whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Secrecy {
    /// A test channel, which is quick.
    #[default]
    Quick,
    /// A test channel, from an attacker who hears everything.
    QuickAttacked,
    /// The real channel.
    Sealed,
    /// The real channel, from an attacker who hears everything.
    Attacked,
}

impl Secrecy {
    /// Whether there is an attacker.
    #[must_use]
    pub const fn is_attacked(self) -> bool {
        match self {
            Self::QuickAttacked | Self::Attacked => true,
            Self::Quick | Self::Sealed => false,
        }
    }
}

/// What an attacker knows of a client that they greet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Knowledge {
    /// What it is known by.
    Key,
    /// Where it is.
    Nothing,
}

/// What clients believe that anybody may have said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Credulity {
    /// Nothing.
    None,
    /// That their session is over.
    Resets,
}

/// The attacker's place on the network.
pub const ATTACKER: HostId = HostId(usize::MAX - 1);

/// Where the attacker is.
#[must_use]
pub fn attacker_address() -> SocketAddr {
    SocketAddr::from(([10, 66, 6, 6], CLIENT_PORT))
}

impl World {
    /// What protects the lines, before any machine starts.
    pub(super) fn set_secrecy(&mut self, secrecy: Secrecy) {
        if matches!(secrecy, Secrecy::Quick | Secrecy::QuickAttacked) {
            let mut secret = [0; 16];
            for part in secret.chunks_mut(8) {
                part.copy_from_slice(&self.dice.roll().to_le_bytes());
            }
            let channel = TestChannel::new(secret);
            self.protection = Some(Arc::new(channel.clone()));
            self.channel = Some(channel);
        }
        if secrecy.is_attacked() {
            self.admit_attacker();
        }
    }

    /// The channel is a bad one from now on: nobody is there yet but the server, which starts anew.
    pub fn flaw_channel(&mut self, flaw: impl FnOnce(PublicKey) -> Flaw) {
        let inner = self.protection.take().unwrap_or_else(|| Arc::new(Noise));
        let flaw = flaw(self.identity.0.public());
        self.protection = Some(Arc::new(WeakChannel::new(inner, flaw)));
        self.crash_server();
        self.start_server();
    }

    /// From now on all clients believe what they should not.
    pub const fn deceive_clients(&mut self, credulity: Credulity) {
        self.credulity = credulity;
    }

    /// What a client does that believes what anybody says.
    pub(super) fn obey(&mut self, id: ClientId, bytes: &[u8]) {
        let is_reset = matches!(
            Frame::parse(bytes),
            Ok(Frame::Refusal(RefusalCode::UnknownSession))
        );
        if self.credulity == Credulity::Resets && is_reset {
            let moment = self.moment_on(id.host());
            let _ = self
                .seat_mut(id)
                .machine
                .handle_command(moment, Command::Leave);
        }
    }

    /// The test channel is a bad one from now on, if there is one.
    pub fn weaken_channel(&self, weakness: Weakness) {
        if let Some(channel) = &self.channel {
            channel.weaken(weakness);
        }
    }

    /// A world with an attacker, who hears everything from its beginning.
    #[must_use]
    pub fn with_attacker(seed: u64, config: Config) -> Self {
        let mut world = Self::with_config(seed, config);
        world.admit_attacker();
        world
    }

    /// A world with an attacker, whose machines use a test channel in place of the real one.
    #[must_use]
    pub fn with_test_channel(seed: u64, config: Config) -> Self {
        let mut world = Self::unborn(seed, config);
        world.set_secrecy(Secrecy::QuickAttacked);
        world.start_server();
        world
    }

    /// From now on an attacker hears everything. They listen at the port that clients listen at, to be taken for one.
    pub fn admit_attacker(&mut self) {
        self.net.place(ATTACKER, attacker_address());
        self.net.record(ATTACKER, RECORDINGS_MAX);
    }

    /// Where somebody may listen.
    fn listeners(&self) -> Vec<SocketAddr> {
        let clients = (0..self.seats.len()).map(|index| ClientId(index).host());
        let hosts = std::iter::once(SERVER).chain(clients);
        hosts.filter_map(|host| self.net.home(host)).collect()
    }

    /// The attacker does something with what they heard, as the dice fall. Nothing waits for it.
    pub fn attack(&mut self) {
        let listeners = self.listeners();
        let Some(recordings) = self.net.recordings() else {
            return;
        };
        let Some(attack) = attacker::devise(&mut self.dice, recordings, &listeners) else {
            return;
        };
        let whom = if is_the_servers(attack.to) {
            "the server".to_owned()
        } else {
            attack.to.to_string()
        };
        let what = format!("{:?} × {} to {whom}", attack.trick, attack.calls.len());
        self.note("attacker", &what);
        for bytes in attack.calls {
            let conn = self.attacker_calls(attack.to);
            self.net
                .send(self.now, &mut self.dice, ATTACKER, conn, bytes);
            // Some hang on, to be a burden.
            if self.dice.below(3) > 0 {
                self.net.close(self.now, &mut self.dice, ATTACKER, conn);
            }
        }
    }

    /// The same from the address of somebody: they are on the way of everybody, and so can speak from everywhere.
    pub fn attack_in_disguise(&mut self) {
        let listeners = self.listeners();
        if let Some(address) = listeners.get(self.dice.below(listeners.len())) {
            self.net.masquerade(ATTACKER, address.ip());
        }
        self.attack();
        self.net.unmask(ATTACKER);
    }

    fn attacker_calls(&mut self, to: SocketAddr) -> ConnId {
        self.attacks += 1;
        let conn = ConnId::Dialled(self.attacks);
        self.net
            .connect(self.now, &mut self.dice, ATTACKER, conn, to);
        conn
    }

    /// The attacker shakes hands with the server, and claims something.
    pub fn attacker_calls_server(&mut self, claim: Claim, name: Name) {
        let cookie = self.heard_cookie();
        let conn = self.attacker_calls(server_address());
        let first = self.talker.call_server(conn, claim, name, &cookie);
        self.note(
            "attacker",
            &format!("calls the server: {claim:?} of {name}"),
        );
        self.net
            .send(self.now, &mut self.dice, ATTACKER, conn, first);
    }

    /// The attacker shakes hands with a client, whose key they may know: it is no secret.
    pub fn attacker_greets(&mut self, id: ClientId, knowledge: Knowledge) {
        let key = match knowledge {
            Knowledge::Key => Some(self.seat(id).key.public()),
            Knowledge::Nothing => None,
        };
        let conn = self.attacker_calls(self.address_of(id));
        let first = self.talker.greet(conn, key);
        let whom = self.label(id);
        self.note("attacker", &format!("greets {whom}: {knowledge:?}"));
        self.net
            .send(self.now, &mut self.dice, ATTACKER, conn, first);
    }

    /// From now on whoever calls the server (`None`) or a client gets the attacker, until the network is calm again.
    pub fn intercept(&mut self, whom: Option<ClientId>) {
        for kind in Kind::BOTH {
            self.intercept_at(whom, kind);
        }
    }

    /// The same for who calls them at their address of one kind.
    pub fn intercept_at(&mut self, whom: Option<ClientId>, kind: Kind) {
        let address = whom.map_or_else(server_address, |id| self.address_of(id));
        let address = kind.twin_of(address);
        self.net.intercept(address, ATTACKER);
        self.note("attacker", &format!("intercepts {address}"));
        let host = whom.map_or(SERVER, ClientId::host);
        self.observe(Observation::Intercepted { host });
    }

    /// What stood in clear in the first message of somebody's login.
    fn heard_cookie(&mut self) -> Vec<u8> {
        let Some(recordings) = self.net.recordings() else {
            return Vec::new();
        };
        let any = recordings.get(self.dice.below(recordings.len()));
        let heard = any.filter(|heard| is_the_servers(heard.listener));
        // The rest of a first message behind its header and its fresh key.
        let cookie = heard.and_then(|heard| heard.bytes.get(6 + KEY_LEN..)?.first_chunk());
        cookie.map_or_else(Vec::new, |cookie: &[u8; COOKIE_LEN]| cookie.to_vec())
    }

    /// A client moves, and where it was the attacker listens from now on.
    pub fn attacker_takes_address_of(&mut self, id: ClientId, listening: Listening) {
        let left = self.address_of(id);
        self.move_client(id, listening);
        self.net.place(ATTACKER, left);
        self.note("attacker", &format!("is at {left}"));
    }

    /// Something happens on a connection of the attacker's.
    pub(super) fn deliver_to_attacker(&mut self, conn: ConnId, delivery: &Delivery) {
        match delivery {
            Delivery::Accepted { .. } => self.attacker_is_called(conn),
            Delivery::Bytes(bytes) => {
                for turn in self.talker.hear(conn, bytes) {
                    self.attacker_goes_on(conn, turn);
                }
            }
            Delivery::Finished => {
                self.talker.forget(conn);
                self.net.close(self.now, &mut self.dice, ATTACKER, conn);
            }
            Delivery::Failed(_) | Delivery::Closed(_) => self.talker.forget(conn),
            Delivery::Connected { .. } => {}
        }
    }

    /// Who calls gets whatever was said once, by somebody to somebody, or is answered as the dice fall.
    fn attacker_is_called(&mut self, conn: ConnId) {
        let manner = match self.dice.below(6) {
            0 | 1 => Manner::Impostor,
            2 => Manner::Refuse(attacker::any_refusal(&mut self.dice)),
            3 => Manner::Silent,
            _ => {
                let any = self.net.recordings().and_then(|recordings| {
                    let any = self.dice.below(recordings.len());
                    Some(recordings.get(any)?.bytes.clone())
                });
                let bytes = any.unwrap_or_default();
                return self
                    .net
                    .send(self.now, &mut self.dice, ATTACKER, conn, bytes);
            }
        };
        self.talker.is_called(conn, manner);
    }

    fn attacker_goes_on(&mut self, conn: ConnId, turn: Turn) {
        match turn {
            Turn::Say(bytes) => {
                self.net
                    .send(self.now, &mut self.dice, ATTACKER, conn, bytes);
            }
            Turn::CallAgain(bytes) => {
                let conn = self.attacker_calls(server_address());
                self.net
                    .send(self.now, &mut self.dice, ATTACKER, conn, bytes);
            }
            Turn::TryPassword(name) => self.observe(Observation::AttackerLogsIn { name }),
            Turn::Won(what) => {
                self.note("attacker", &format!("wins: {what}"));
                self.observe(Observation::Breach { what });
            }
        }
    }

    /// What was heard on the network and must not be.
    pub(super) fn observe_breaches(&mut self) {
        for what in self.net.breaches() {
            self.observe(Observation::Breach { what });
        }
    }
}
