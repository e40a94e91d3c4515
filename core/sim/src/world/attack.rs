//! A world's attacker: a host of its own, and connections like all others.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use simplechat_core::machine::ConnId;
use simplechat_core::server::config::Config;

use super::{CLIENT_PORT, ClientId, SERVER, World, server_address};
use crate::attacker::{self, RECORDINGS_MAX};
use crate::net::{Delivery, HostId, Listening};
use crate::test_channel::{TestChannel, Weakness};

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
            self.channel = Some(TestChannel::new(secret));
        }
        if secrecy.is_attacked() {
            self.admit_attacker();
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

    /// The attacker does something with what they heard, as the dice fall. Nothing waits for it.
    pub fn attack(&mut self) {
        let clients = (0..self.seats.len()).map(|index| ClientId(index).host());
        let listeners: Vec<_> = std::iter::once(SERVER)
            .chain(clients)
            .filter_map(|host| self.net.home(host))
            .collect();
        let Some(recordings) = self.net.recordings() else {
            return;
        };
        let Some(attack) = attacker::devise(&mut self.dice, recordings, &listeners) else {
            return;
        };
        let whom = if attack.to == server_address() {
            "the server".to_owned()
        } else {
            attack.to.to_string()
        };
        let what = format!("{:?} × {} to {whom}", attack.trick, attack.calls.len());
        self.note("attacker", &what);
        for bytes in attack.calls {
            self.attacks += 1;
            let conn = ConnId::Dialled(self.attacks);
            self.net
                .connect(self.now, &mut self.dice, ATTACKER, conn, attack.to);
            self.net
                .send(self.now, &mut self.dice, ATTACKER, conn, bytes);
            // Some hang on, to be a burden.
            if self.dice.below(3) > 0 {
                self.net.close(self.now, &mut self.dice, ATTACKER, conn);
            }
        }
    }

    /// A client moves, and where it was the attacker listens from now on.
    pub fn attacker_takes_address_of(&mut self, id: ClientId, listening: Listening) {
        let left = self.address_of(id);
        self.move_client(id, listening);
        self.net.place(ATTACKER, left);
        self.note("attacker", &format!("is at {left}"));
    }

    /// The attacker learns nothing from answers. Who calls gets whatever was said once, by somebody to somebody.
    pub(super) fn deliver_to_attacker(&mut self, conn: ConnId, delivery: &Delivery) {
        match delivery {
            Delivery::Accepted { .. } => {
                let answer = self.net.recordings().and_then(|recordings| {
                    let any = self.dice.below(recordings.len());
                    Some(recordings.get(any)?.bytes.clone())
                });
                self.net.send(
                    self.now,
                    &mut self.dice,
                    ATTACKER,
                    conn,
                    answer.unwrap_or_default(),
                );
            }
            Delivery::Finished => self.net.close(self.now, &mut self.dice, ATTACKER, conn),
            Delivery::Connected { .. }
            | Delivery::Failed(_)
            | Delivery::Bytes(_)
            | Delivery::Closed(_) => {}
        }
    }
}
