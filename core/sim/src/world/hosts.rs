//! What happens to the hosts of a world: they move, sleep and wake, and their clocks jump.

use std::net::SocketAddr;
use std::time::Duration;

use simplechat_core::client::Client;
use simplechat_core::time::{Moment, WallTime};

use super::{Chore, ClientId, SERVER, WALL_START, World};
use crate::net::{HostId, Listening};
use crate::observation::Observation;

/// What a world knows of a host beside its machine.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// How far its wall clock is from that of the world, in milliseconds.
    wall_ahead: i64,
    wakefulness: Wakefulness,
    moves: u8,
}

#[derive(Debug, Default)]
enum Wakefulness {
    #[default]
    Awake,
    /// What was done in the meantime waits for it.
    Asleep(Vec<Chore>),
}

impl World {
    /// The time and date on a host.
    #[must_use]
    pub fn moment_on(&self, host: HostId) -> Moment {
        let world = WALL_START + self.now.as_micros() / 1_000;
        let ahead = self.hosts.get(&host).map_or(0, |host| host.wall_ahead);
        Moment {
            at: self.now,
            wall: WallTime(world.saturating_add_signed(ahead)),
        }
    }

    /// The wall clock of a host jumps, forward or back; its other clock goes on.
    pub fn jump_wall_clock(&mut self, host: HostId, by_ms: i64) {
        let state = self.hosts.entry(host).or_default();
        state.wall_ahead = state.wall_ahead.saturating_add(by_ms);
        self.note_host(host, &format!("has its clock set by {by_ms} ms"));
    }

    /// A host falls asleep: its machine is told nothing, and its peers get silence. Until it wakes nobody may command it.
    pub fn put_to_sleep(&mut self, host: HostId) {
        if !self.is_asleep(host) {
            self.hosts.entry(host).or_default().wakefulness = Wakefulness::Asleep(Vec::new());
            self.net.put_to_sleep(host);
            self.agenda.set(host, None);
            self.note_host(host, "falls asleep");
            self.observe(Observation::Slept { host });
        }
    }

    /// It wakes, much later by its clock: its timeouts are due, and connections on which it missed something are broken.
    pub fn wake(&mut self, host: HostId) {
        let Some(state) = self.hosts.get_mut(&host) else {
            return;
        };
        if let Wakefulness::Asleep(chores) = std::mem::take(&mut state.wakefulness) {
            self.note_host(host, "wakes");
            self.observe(Observation::Woke { host });
            self.net.wake(self.now, host);
            for chore in chores {
                self.add_chore(Duration::ZERO, chore);
            }
            self.note_deadline(host);
        }
    }

    /// Whether a host sleeps.
    #[must_use]
    pub fn is_asleep(&self, host: HostId) -> bool {
        self.hosts
            .get(&host)
            .is_some_and(|state| matches!(state.wakefulness, Wakefulness::Asleep(_)))
    }

    /// A host is gone, asleep or not.
    pub(super) fn forget_sleep(&mut self, host: HostId) {
        if let Some(state) = self.hosts.get_mut(&host) {
            state.wakefulness = Wakefulness::Awake;
        }
    }

    /// Keeps a chore for a host that sleeps; gives it back if it does not.
    pub(super) fn keep_for_sleeper(&mut self, chore: Chore) -> Option<Chore> {
        let host = match chore {
            Chore::Check(..) | Chore::Store { .. } => SERVER,
            Chore::Show(client, _)
            | Chore::Write(client)
            | Chore::Judge(client, ..)
            | Chore::TypePassword(client) => client.host(),
        };
        match self.hosts.get_mut(&host) {
            Some(Host {
                wakefulness: Wakefulness::Asleep(chores),
                ..
            }) => {
                chores.push(chore);
                None
            }
            _ => Some(chore),
        }
    }

    /// A client gets another address. What it had open is dead, and neither side is told.
    ///
    /// # Panics
    ///
    /// When the client is on no network.
    pub fn move_client(&mut self, id: ClientId, listening: Listening) {
        let host = id.host();
        let state = self.hosts.entry(host).or_default();
        state.moves = state.moves.wrapping_add(1);
        let mut to = self.net.home(host).expect("a client has an address");
        if let SocketAddr::V4(to) = &mut to {
            let [ten, _, high, low] = to.ip().octets();
            to.set_ip([ten, state.moves, high, low].into());
        }
        self.net.relocate(host, to, listening);
        self.observe(Observation::Moved { client: id });
        self.observe(Observation::Listens {
            client: id,
            listening,
        });
        self.note_host(host, &format!("moves to {to}, and is heard: {listening:?}"));
    }

    /// Cuts or mends the way between a client and the server.
    pub fn cut_from_server(&mut self, id: ClientId) {
        self.net.cut(id.host(), SERVER);
    }

    /// Mends the way between a client and the server.
    pub fn heal_to_server(&mut self, id: ClientId) {
        self.net.heal(id.host(), SERVER);
    }

    /// Cuts the way between two clients.
    pub fn cut_between(&mut self, a: ClientId, b: ClientId) {
        self.net.cut(a.host(), b.host());
    }

    /// Mends it.
    pub fn heal_between(&mut self, a: ClientId, b: ClientId) {
        self.net.heal(a.host(), b.host());
    }

    /// A client's machine.
    #[must_use]
    pub fn client(&self, id: ClientId) -> &Client {
        &self.seat(id).machine
    }

    fn note_host(&mut self, host: HostId, what: &str) {
        if host == SERVER {
            self.note("server", what);
        } else if let Some(index) = host.0.checked_sub(1)
            && index < self.seats.len()
        {
            self.note_seat(ClientId(index), || what.to_owned());
        }
    }
}
