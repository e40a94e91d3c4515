//! A world's attacker: a host of its own, and connections like all others.

use std::net::SocketAddr;

use simplechat_core::machine::ConnId;
use simplechat_core::server::config::Config;

use super::{CLIENT_PORT, ClientId, SERVER, World, server_address};
use crate::attacker::{self, RECORDINGS_MAX};
use crate::net::{Delivery, HostId};
use crate::test_channel::TestChannel;

pub(super) const ATTACKER: HostId = HostId(usize::MAX - 1);

/// Where the attacker is.
fn attacker_address() -> SocketAddr {
    SocketAddr::from(([10, 66, 6, 6], CLIENT_PORT))
}

impl World {
    /// A world with an attacker, who hears everything from its beginning. Its machines use a test channel, as whoever
    /// hears the plain one can speak for others.
    #[must_use]
    pub fn with_attacker(seed: u64, config: Config) -> Self {
        let mut world = Self::with_test_channel(seed, config);
        world.admit_attacker();
        world
    }

    /// A world whose machines use a test channel in place of the plain one.
    #[must_use]
    pub fn with_test_channel(seed: u64, config: Config) -> Self {
        let mut world = Self::unborn(seed, config);
        let mut secret = [0; 16];
        for part in secret.chunks_mut(8) {
            part.copy_from_slice(&world.dice.roll().to_le_bytes());
        }
        world.channel = Some(TestChannel::new(secret));
        world.start_server();
        world
    }

    /// From now on an attacker hears everything. They listen at the port that clients listen at, to be taken for one.
    pub fn admit_attacker(&mut self) {
        self.net.place(ATTACKER, attacker_address());
        self.net.record(ATTACKER, RECORDINGS_MAX);
    }

    /// How often anybody has dialled the attacker.
    #[must_use]
    pub fn calls_to_attacker(&self) -> usize {
        self.net.connections_to(ATTACKER)
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

    /// The attacker learns nothing from answers, and answers nobody.
    pub(super) fn deliver_to_attacker(&mut self, conn: ConnId, delivery: &Delivery) {
        if *delivery == Delivery::Finished {
            self.net.close(self.now, &mut self.dice, ATTACKER, conn);
        }
    }
}
