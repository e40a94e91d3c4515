//! A virtual network that is itself a pure machine: connections between hosts with latency and jitter, cut into chunks,
//! and as unkind as a test asks for.
//!
//! Within one connection and direction bytes stay in order, as TCP keeps them; connections overtake each other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use simplechat_core::machine::{CloseReason, ConnId, ConnectFailure};
use simplechat_core::time::Timestamp;

use crate::dice::Dice;

/// A machine on the network, by its place in the world.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct HostId(pub usize);

/// What a host learns from the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Somebody connected to it.
    Accepted {
        /// The caller's end.
        remote: SocketAddr,
        /// Its own end.
        local: SocketAddr,
    },
    /// Its connection stands.
    Connected {
        /// Its own end.
        local: SocketAddr,
    },
    /// Its connection does not.
    Failed(ConnectFailure),
    /// Bytes came.
    Bytes(Vec<u8>),
    /// The other side sends no more.
    Finished,
    /// The connection is gone.
    Closed(CloseReason),
}

/// How unkind the network is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The shortest time that anything takes from one host to another.
    pub latency: Duration,
    /// Up to so much more, differently each time.
    pub jitter: Duration,
    /// Of 1000 connections, so many break at some point of what is sent on them.
    pub breaks_per_mille: u32,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(5),
            jitter: Duration::from_millis(5),
            breaks_per_mille: 0,
        }
    }
}

/// How long a dial waits for an answer.
const DIAL_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a whole connection may take.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Side {
    Caller,
    Callee,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

#[derive(Debug)]
struct End {
    host: HostId,
    conn: ConnId,
    /// Whether it still wants to hear of this connection.
    open: bool,
    /// Nothing sent to this end arrives before what was sent earlier.
    busy_until: Timestamp,
}

#[derive(Debug)]
struct Wire {
    caller: End,
    callee: End,
    /// Bytes until the connection breaks, if it does.
    breaks_after: Option<usize>,
}

impl Wire {
    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Caller => &mut self.caller,
            Side::Callee => &mut self.callee,
        }
    }
}

/// The network between the hosts of a world.
#[derive(Debug)]
pub struct Net {
    /// How unkind it is, from now on.
    pub weather: Weather,
    listeners: BTreeMap<SocketAddr, HostId>,
    addresses: BTreeMap<HostId, IpAddr>,
    cut: BTreeSet<(HostId, HostId)>,
    wires: BTreeMap<u64, Wire>,
    ends: BTreeMap<(HostId, ConnId), (u64, Side)>,
    queue: BTreeMap<(Timestamp, u64), (u64, Side, Delivery)>,
    made: u64,
    dialled: BTreeMap<(HostId, HostId), usize>,
    queued: u64,
    accepted: u64,
}

impl Net {
    /// A network with nobody on it.
    #[must_use]
    pub fn new() -> Self {
        Self {
            weather: Weather::default(),
            listeners: BTreeMap::new(),
            addresses: BTreeMap::new(),
            cut: BTreeSet::new(),
            wires: BTreeMap::new(),
            ends: BTreeMap::new(),
            queue: BTreeMap::new(),
            made: 0,
            dialled: BTreeMap::new(),
            queued: 0,
            accepted: 0,
        }
    }

    /// Puts a host at an address, where it listens on one port.
    pub fn place(&mut self, host: HostId, listener: SocketAddr) {
        self.addresses.insert(host, listener.ip());
        self.listeners.insert(listener, host);
    }

    /// How many connections were dialled to somebody who listened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.dialled.values().sum()
    }

    /// How many of them between these two.
    #[must_use]
    pub fn connections_between(&self, a: HostId, b: HostId) -> usize {
        let dialled = |pair| self.dialled.get(&pair).copied().unwrap_or(0);
        dialled((a, b)) + dialled((b, a))
    }

    /// How many of them from or to the server, which is the first host.
    #[must_use]
    pub fn connections_of_server(&self) -> usize {
        let server = HostId(0);
        self.dialled
            .iter()
            .filter(|((from, to), _)| *from == server || *to == server)
            .map(|(_, count)| count)
            .sum()
    }

    /// Who listens at an address.
    #[must_use]
    pub fn listener_at(&self, address: SocketAddr) -> Option<HostId> {
        self.listeners.get(&address).copied()
    }

    /// Who is at the other end of a host's connection, while it stands.
    #[must_use]
    pub fn far_end(&self, host: HostId, conn: ConnId) -> Option<HostId> {
        let (wire, side) = self.ends.get(&(host, conn))?;
        let wire = self.wires.get(wire)?;
        Some(match side {
            Side::Caller => wire.callee.host,
            Side::Callee => wire.caller.host,
        })
    }

    /// What a host sends seems to come from this address.
    pub fn masquerade(&mut self, host: HostId, address: IpAddr) {
        self.addresses.insert(host, address);
    }

    /// Nothing listens at a host any more; its connections go on.
    pub fn stop_listening(&mut self, host: HostId) {
        self.listeners.retain(|_, listening| *listening != host);
    }

    /// Takes a host off the network: its connections break, and nothing listens there.
    pub fn remove(&mut self, now: Timestamp, host: HostId) {
        self.stop_listening(host);
        let broken: Vec<_> = self
            .ends
            .iter()
            .filter(|((owner, _), _)| *owner == host)
            .map(|(_, end)| *end)
            .collect();
        for (wire, side) in broken {
            self.forget_end(wire, side);
            self.queue_for(
                now,
                wire,
                side.other(),
                Delivery::Closed(CloseReason::Reset),
            );
        }
    }

    /// A host's machine has ended: nothing listens there any more, and its ends are closed once all was sent.
    pub fn retire(&mut self, host: HostId) {
        self.stop_listening(host);
        let left: Vec<_> = self
            .ends
            .iter()
            .filter(|((owner, _), _)| *owner == host)
            .map(|(_, end)| *end)
            .collect();
        for (wire, side) in left {
            self.forget_end(wire, side);
            let ends_at = self
                .wires
                .get_mut(&wire)
                .map(|wire| wire.end(side.other()).busy_until);
            if let Some(at) = ends_at {
                self.queue_for(at, wire, side.other(), Delivery::Finished);
            }
        }
    }

    /// Cuts the way between two hosts: what is sent there is lost, and nobody is told.
    pub fn cut(&mut self, a: HostId, b: HostId) {
        self.cut.insert((a.min(b), a.max(b)));
    }

    /// Mends it.
    pub fn heal(&mut self, a: HostId, b: HostId) {
        self.cut.remove(&(a.min(b), a.max(b)));
    }

    fn is_cut(&self, a: HostId, b: HostId) -> bool {
        self.cut.contains(&(a.min(b), a.max(b)))
    }

    /// A host dials an address.
    pub fn connect(
        &mut self,
        now: Timestamp,
        dice: &mut Dice,
        host: HostId,
        conn: ConnId,
        to: SocketAddr,
    ) {
        let breaks_after = self.breaks_after(dice);
        let shortly = now + self.delay(dice);
        let callee = self.listeners.get(&to).copied();
        let id = self.lay_wire(now, (host, conn), callee, breaks_after);
        let Some(callee) = callee else {
            let refused = Delivery::Failed(ConnectFailure::Refused);
            return self.queue_for(shortly, id, Side::Caller, refused);
        };
        if self.is_cut(host, callee) {
            let timed_out = Delivery::Failed(ConnectFailure::TimedOut);
            self.forget_end(id, Side::Callee);
            return self.queue_for(now + DIAL_TIMEOUT, id, Side::Caller, timed_out);
        }
        let ip = self
            .addresses
            .get(&host)
            .copied()
            .unwrap_or_else(|| to.ip());
        let port = u16::try_from(20_000 + id % 10_000).unwrap_or(20_000);
        let remote = SocketAddr::new(ip, port);
        let accepted = Delivery::Accepted { remote, local: to };
        self.queue_for(shortly, id, Side::Callee, accepted);
        let connected = Delivery::Connected { local: remote };
        self.queue_for(shortly, id, Side::Caller, connected);
        for side in [Side::Caller, Side::Callee] {
            let overdue = Delivery::Closed(CloseReason::Deadline);
            self.enqueue(now + CONNECTION_DEADLINE, id, side, overdue);
        }
    }

    /// Makes the two ends of a connection; the far one is open only if somebody listens there.
    fn lay_wire(
        &mut self,
        now: Timestamp,
        (caller, conn): (HostId, ConnId),
        callee: Option<HostId>,
        breaks_after: Option<usize>,
    ) -> u64 {
        let id = self.made;
        self.made += 1;
        let accepted = ConnId::Accepted(self.accepted);
        self.accepted += 1;
        let end = |host, conn, open| End {
            host,
            conn,
            open,
            busy_until: now,
        };
        let wire = Wire {
            caller: end(caller, conn, true),
            callee: end(callee.unwrap_or(caller), accepted, callee.is_some()),
            breaks_after,
        };
        self.wires.insert(id, wire);
        self.ends.insert((caller, conn), (id, Side::Caller));
        if let Some(callee) = callee {
            self.ends.insert((callee, accepted), (id, Side::Callee));
            *self.dialled.entry((caller, callee)).or_default() += 1;
        }
        id
    }

    /// A host sends bytes. They may be cut in two on the way.
    pub fn send(
        &mut self,
        now: Timestamp,
        dice: &mut Dice,
        host: HostId,
        conn: ConnId,
        mut bytes: Vec<u8>,
    ) {
        let Some(&(id, side)) = self.ends.get(&(host, conn)) else {
            return;
        };
        let Some(wire) = self.wires.get_mut(&id) else {
            return;
        };
        let breaks = match &mut wire.breaks_after {
            Some(left) if bytes.len() >= *left => {
                bytes.truncate(*left);
                true
            }
            Some(left) => {
                *left -= bytes.len();
                false
            }
            None => false,
        };
        let other = wire.end(side.other()).host;
        if self.is_cut(host, other) {
            return;
        }
        let rest = bytes.split_off(dice.below(bytes.len() + 1));
        for chunk in [bytes, rest] {
            if !chunk.is_empty() {
                let arrives = now + self.delay(dice);
                self.queue_for(arrives, id, side.other(), Delivery::Bytes(chunk));
            }
        }
        if breaks {
            let arrives = now + self.delay(dice);
            for side in [side, side.other()] {
                let reset = Delivery::Closed(CloseReason::Reset);
                self.queue_for(arrives, id, side, reset);
            }
        }
    }

    /// A host ends a connection: the other side gets what was sent, and then its end.
    pub fn close(&mut self, now: Timestamp, dice: &mut Dice, host: HostId, conn: ConnId) {
        let Some((id, side)) = self.ends.get(&(host, conn)).copied() else {
            return;
        };
        self.forget_end(id, side);
        let other = self
            .wires
            .get_mut(&id)
            .map(|wire| wire.end(side.other()).host);
        if other.is_some_and(|other| !self.is_cut(host, other)) {
            let arrives = now + self.delay(dice);
            self.queue_for(arrives, id, side.other(), Delivery::Finished);
        }
    }

    /// When the next thing arrives somewhere.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes out what has arrived, the earliest first.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<(HostId, ConnId, Delivery)> {
        while self.next().is_some_and(|at| at <= now) {
            let (_, (id, side, delivery)) = self.queue.pop_first()?;
            let Some(wire) = self.wires.get_mut(&id) else {
                continue;
            };
            let (caller, callee) = (wire.caller.host, wire.callee.host);
            let end = wire.end(side);
            if !end.open {
                continue;
            }
            let (host, conn) = (end.host, end.conn);
            let from_afar = !matches!(
                delivery,
                Delivery::Failed(_) | Delivery::Closed(CloseReason::Deadline)
            );
            if from_afar && self.is_cut(caller, callee) {
                continue;
            }
            if matches!(delivery, Delivery::Failed(_) | Delivery::Closed(_)) {
                self.forget_end(id, side);
            }
            return Some((host, conn, delivery));
        }
        None
    }

    fn forget_end(&mut self, id: u64, side: Side) {
        let Some(wire) = self.wires.get_mut(&id) else {
            return;
        };
        let end = wire.end(side);
        end.open = false;
        let key = (end.host, end.conn);
        if self.ends.get(&key) == Some(&(id, side)) {
            self.ends.remove(&key);
        }
        if !wire.caller.open && !wire.callee.open {
            self.wires.remove(&id);
        }
    }

    /// Queues behind all that was queued for the same end.
    fn queue_for(&mut self, at: Timestamp, id: u64, side: Side, delivery: Delivery) {
        let Some(wire) = self.wires.get_mut(&id) else {
            return;
        };
        let end = wire.end(side);
        end.busy_until = end.busy_until.max(at);
        let at = end.busy_until;
        self.enqueue(at, id, side, delivery);
    }

    fn enqueue(&mut self, at: Timestamp, id: u64, side: Side, delivery: Delivery) {
        self.queued += 1;
        self.queue.insert((at, self.queued), (id, side, delivery));
    }

    fn delay(&self, dice: &mut Dice) -> Duration {
        self.weather.latency + dice.fraction_of(self.weather.jitter)
    }

    fn breaks_after(&self, dice: &mut Dice) -> Option<usize> {
        let breaks =
            dice.below(1_000) < usize::try_from(self.weather.breaks_per_mille).unwrap_or(0);
        breaks.then(|| dice.below(300))
    }
}

impl Default for Net {
    fn default() -> Self {
        Self::new()
    }
}
