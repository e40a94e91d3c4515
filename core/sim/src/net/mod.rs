//! A virtual network that is itself a pure machine: connections between hosts, and as unkind as a test asks for.
//!
//! Within one connection and direction bytes stay in order and have no gaps, as TCP keeps them: what is lost takes all
//! behind it along. Connections overtake each other. Everything comes from the world's dice.

mod ear;
mod hosts;
mod kinds;
mod recording;
mod weather;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use simplechat_core::machine::{CloseReason, ConnId, ConnectFailure};
use simplechat_core::time::Timestamp;

use crate::dice::Dice;
use ear::Ear;
pub use hosts::Listening;
pub use kinds::Kind;
pub use recording::{Recording, Recordings};
use weather::Forecast;
pub use weather::Weather;
use wire::{End, Fate, Side, Toll, Wire};

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

/// Whether something has to come over the network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    /// The other side, or something on the way, sent it.
    Network,
    /// A host finds it out by itself.
    Host,
}

/// Something that will be at one end of a connection.
#[derive(Debug)]
struct Queued {
    wire: u64,
    side: Side,
    source: Source,
    delivery: Delivery,
}

/// How long a dial waits for an answer.
const DIAL_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a whole connection may take.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(15);

/// The network between the hosts of a world.
#[derive(Debug, Default)]
pub struct Net {
    /// How unkind it is, from now on, between hosts that have no weather of their own.
    pub weather: Weather,
    weather_between: BTreeMap<(HostId, HostId), Weather>,
    listeners: BTreeMap<SocketAddr, HostId>,
    /// Where each host is, and the port that it listens at.
    homes: BTreeMap<HostId, SocketAddr>,
    /// As whom others see those that are behind a router.
    masks: BTreeMap<HostId, IpAddr>,
    /// What is sent from the first to the second is lost, on connections that were made to an address of this kind.
    cut: BTreeSet<(HostId, HostId, Kind)>,
    /// Where nobody answers.
    silent: BTreeSet<SocketAddr>,
    asleep: BTreeSet<HostId>,
    /// What hosts that are asleep will find out when they wake.
    held: Vec<Queued>,
    wires: BTreeMap<u64, Wire>,
    ends: BTreeMap<(HostId, ConnId), (u64, Side)>,
    queue: BTreeMap<(Timestamp, u64), Queued>,
    made: u64,
    dialled: BTreeMap<(HostId, HostId), usize>,
    queued: u64,
    accepted: u64,
    recorder: Option<(HostId, Recordings)>,
    ear: Option<Ear>,
    /// Who gets the connections that are made to an address, whoever listens there.
    intercepted: BTreeMap<SocketAddr, HostId>,
}

impl Net {
    /// A network with nobody on it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many connections were dialled to somebody who listened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.dialled.values().sum()
    }

    /// How many of them between these two.
    #[must_use]
    pub fn connections_between(&self, a: HostId, b: HostId) -> usize {
        self.dials(a, b) + self.dials(b, a)
    }

    /// How many of them the first dialled to the second.
    #[must_use]
    pub fn dials(&self, from: HostId, to: HostId) -> usize {
        self.dialled.get(&(from, to)).copied().unwrap_or(0)
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

    /// How many connections somebody still holds.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.wires.len()
    }

    /// From now on, keeps what is sent on every connection that this host did not make itself; the latest so many.
    pub fn record(&mut self, by: HostId, recordings_max: usize) {
        self.recorder = Some((by, Recordings::new(recordings_max)));
    }

    /// What was recorded.
    #[must_use]
    pub fn recordings(&self) -> Option<&Recordings> {
        self.recorder.as_ref().map(|(_, recordings)| recordings)
    }

    /// From now on, notes what must never be on a network: what is said in clear of these secrets, and more. These hosts are
    /// no machines.
    pub fn overhear(&mut self, outsiders: Vec<HostId>, secrets: Vec<Vec<u8>>) {
        self.ear = Some(Ear::new(outsiders, secrets));
    }

    /// Takes out what must not be and was heard.
    pub fn breaches(&mut self) -> Vec<String> {
        self.ear
            .as_mut()
            .map(Ear::take_breaches)
            .unwrap_or_default()
    }

    /// Between these two the weather is another one than [`Self::weather`].
    pub fn set_weather_between(&mut self, a: HostId, b: HostId, weather: Weather) {
        self.weather_between.insert((a.min(b), a.max(b)), weather);
    }

    fn weather_for(&self, a: HostId, b: HostId) -> Weather {
        let pair = (a.min(b), a.max(b));
        self.weather_between
            .get(&pair)
            .copied()
            .unwrap_or(self.weather)
    }

    /// From now on whoever dials an address gets somebody else, who alone still gets whoever listens there.
    pub fn intercept(&mut self, address: SocketAddr, by: HostId) {
        self.intercepted.insert(address, by);
    }

    /// Everybody gets again whoever listens where they dial.
    pub fn intercept_nobody(&mut self) {
        self.intercepted.clear();
    }

    /// Who listens at an address for somebody who dials it.
    fn reached(&self, from: HostId, address: SocketAddr) -> Option<HostId> {
        let interceptor = self.intercepted.get(&address).copied();
        interceptor
            .filter(|by| *by != from)
            .or_else(|| self.listener_at(address))
    }

    /// The network is kind again everywhere, all ways are mended, and nobody is in anybody's place. What was lost stays lost.
    pub fn calm(&mut self) {
        self.intercept_nobody();
        self.weather = Weather::default();
        self.weather_between.clear();
        self.cut.clear();
    }

    /// Cuts the way between two hosts: what is sent there is lost, and nobody is told.
    pub fn cut(&mut self, a: HostId, b: HostId) {
        self.cut_one_way(a, b);
        self.cut_one_way(b, a);
    }

    /// What the first sends to the second is lost; the other direction stays.
    pub fn cut_one_way(&mut self, from: HostId, to: HostId) {
        self.cut.extend(Kind::BOTH.map(|kind| (from, to, kind)));
    }

    /// Mends the way between two hosts, in both directions.
    pub fn heal(&mut self, a: HostId, b: HostId) {
        for kind in Kind::BOTH {
            self.heal_kind(a, b, kind);
        }
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
        let callee = self.reached(host, to);
        let weather = callee.map_or(self.weather, |callee| self.weather_for(host, callee));
        let forecast = weather.forecast(dice);
        let accepted_at = now + weather.set_up(dice) + weather.delay(dice);
        let id = self.lay_wire(now, (host, conn), (callee, to));
        let times_out = (now + DIAL_TIMEOUT, ConnectFailure::TimedOut);
        let failure = match (callee, forecast) {
            (None, _) if self.silent.contains(&to) => Some(times_out),
            (None, _) => Some((accepted_at, ConnectFailure::Refused)),
            (Some(callee), _) if self.is_out_of_reach(host, callee, Kind::of(to.ip())) => {
                Some(times_out)
            }
            (Some(_), Forecast::Fails(failure)) => Some((accepted_at, failure)),
            (Some(_), Forecast::Hangs) => Some(times_out),
            (Some(_), Forecast::Stands(_)) => None,
        };
        if let Some((at, failure)) = failure {
            self.forget_end(id, Side::Callee);
            return self.have_found_out(at, id, Side::Caller, Delivery::Failed(failure));
        }
        if let Forecast::Stands(fate) = forecast
            && let Some(wire) = self.wires.get_mut(&id)
        {
            wire.fate = fate;
        }
        let (own_ip, seen_ip) = self.addresses_of(host, to);
        let port = u16::try_from(20_000 + id % 10_000).unwrap_or(20_000);
        let remote = SocketAddr::new(seen_ip, port);
        let accepted = Delivery::Accepted { remote, local: to };
        self.queue_for(accepted_at, id, Side::Callee, accepted);
        let local = SocketAddr::new(own_ip, port);
        let connected_at = accepted_at + weather.set_up(dice);
        self.queue_for(
            connected_at,
            id,
            Side::Caller,
            Delivery::Connected { local },
        );
        for side in Side::BOTH {
            let overdue = Delivery::Closed(CloseReason::Deadline);
            self.have_found_out(now + CONNECTION_DEADLINE, id, side, overdue);
        }
    }

    /// Whether the packets that make a connection do not get to and fro.
    fn is_out_of_reach(&self, caller: HostId, callee: HostId, kind: Kind) -> bool {
        self.cut.contains(&(caller, callee, kind))
            || self.cut.contains(&(callee, caller, kind))
            || self.asleep.contains(&callee)
    }

    /// Makes the two ends of a connection; the far one is open only if somebody listens there.
    fn lay_wire(
        &mut self,
        now: Timestamp,
        (caller, conn): (HostId, ConnId),
        (callee, to): (Option<HostId>, SocketAddr),
    ) -> u64 {
        let id = self.made;
        self.made += 1;
        let accepted = ConnId::Accepted(self.accepted);
        self.accepted += 1;
        let near = End::new(caller, conn, now);
        let mut far = End::new(callee.unwrap_or(caller), accepted, now);
        far.open = callee.is_some();
        self.wires.insert(id, Wire::new(near, far, to, now));
        self.ends.insert((caller, conn), (id, Side::Caller));
        if let Some(callee) = callee {
            self.ends.insert((callee, accepted), (id, Side::Callee));
            *self.dialled.entry((caller, callee)).or_default() += 1;
        }
        id
    }

    /// A host sends bytes. They arrive in pieces, which have nothing to do with how they were sent.
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
        if let Some((by, recordings)) = &mut self.recorder
            && wire.caller.host != *by
            && wire.end(side).host != *by
        {
            let listener = wire.listener;
            let origin = self.homes.get(&host).copied().unwrap_or(listener);
            recordings.note((id, side), (listener, origin), &bytes);
        }
        if let Some(ear) = &mut self.ear {
            ear.hear(id, host, side, &bytes);
        }
        let toll = wire.take_toll(side, bytes.len());
        if let Toll::BreaksAfter(left) | Toll::LostAfter(left) = toll {
            bytes.truncate(left);
        }
        let (other, kind) = (wire.end(side.other()).host, wire.kind());
        if self.cut.contains(&(host, other, kind)) {
            return self.deafen(id, side.other());
        }
        let weather = self.weather_for(host, other);
        for piece in weather.cut(dice, bytes) {
            let arrives = now + weather.delay(dice);
            if weather.joins(dice) {
                self.join(arrives, id, side.other(), piece);
            } else {
                self.queue_for(arrives, id, side.other(), Delivery::Bytes(piece));
            }
        }
        if let Toll::BreaksAfter(_) = toll {
            let arrives = now + weather.delay(dice);
            for side in Side::BOTH {
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
        let Some(wire) = self.wires.get_mut(&id) else {
            return;
        };
        let is_over = wire.fate == Fate::Over;
        let (other, kind) = (wire.end(side.other()).host, wire.kind());
        self.forget_end(id, side);
        if self.cut.contains(&(host, other, kind)) {
            self.deafen(id, side.other());
        } else if !is_over && self.wires.contains_key(&id) {
            let arrives = now + self.weather_for(host, other).delay(dice);
            self.queue_for(arrives, id, side.other(), Delivery::Finished);
        }
    }

    /// A host wants a connection to last.
    pub fn keep(&mut self, host: HostId, conn: ConnId) {
        if let Some((id, side)) = self.ends.get(&(host, conn))
            && let Some(wire) = self.wires.get_mut(id)
        {
            wire.end(*side).kept = true;
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
            let (_, queued) = self.queue.pop_first()?;
            let (id, side) = (queued.wire, queued.side);
            let Some(wire) = self.wires.get_mut(&id) else {
                continue;
            };
            let (sender, kind) = (wire.end(side.other()).host, wire.kind());
            let end = wire.end(side);
            let (host, conn, open, kept, deaf) = (end.host, end.conn, end.open, end.kept, end.deaf);
            let is_asleep = self.asleep.contains(&host);
            let is_lost = deaf || is_asleep || self.cut.contains(&(sender, host, kind));
            match queued.source {
                _ if !open => continue,
                _ if kept && queued.delivery == Delivery::Closed(CloseReason::Deadline) => continue,
                Source::Host if is_asleep => {
                    self.held.push(queued);
                    continue;
                }
                Source::Network if is_lost => {
                    self.lose(id, side, &queued.delivery);
                    continue;
                }
                Source::Host | Source::Network => {}
            }
            match queued.delivery {
                Delivery::Accepted { .. } | Delivery::Connected { .. } => {
                    wire.end(side).stands = true;
                }
                Delivery::Failed(_) | Delivery::Closed(_) => self.forget_end(id, side),
                Delivery::Bytes(_) | Delivery::Finished => {}
            }
            return Some((host, conn, queued.delivery));
        }
        None
    }

    /// Something did not arrive, and so nothing behind it does.
    fn lose(&mut self, id: u64, side: Side, delivery: &Delivery) {
        self.deafen(id, side);
        match delivery {
            // Who was not reached has no end of this connection, and does not answer.
            Delivery::Accepted { .. } => {
                self.forget_end(id, Side::Callee);
                self.deafen(id, Side::Caller);
            }
            Delivery::Connected { .. } => {
                if let Some(wire) = self.wires.get(&id) {
                    let gives_up = wire.dialled_at + DIAL_TIMEOUT;
                    let timed_out = Delivery::Failed(ConnectFailure::TimedOut);
                    self.have_found_out(gives_up, id, Side::Caller, timed_out);
                }
            }
            Delivery::Failed(_) | Delivery::Bytes(_) | Delivery::Finished | Delivery::Closed(_) => {
            }
        }
    }

    fn deafen(&mut self, id: u64, side: Side) {
        if let Some(wire) = self.wires.get_mut(&id) {
            wire.end(side).deaf = true;
        }
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
            if let Some(ear) = &mut self.ear {
                ear.forget(id);
            }
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
        end.latest = matches!(delivery, Delivery::Bytes(_)).then_some((at, self.queued + 1));
        self.enqueue(at, id, side, Source::Network, delivery);
    }

    /// A host finds something out by itself.
    fn have_found_out(&mut self, at: Timestamp, id: u64, side: Side, delivery: Delivery) {
        self.enqueue(at, id, side, Source::Host, delivery);
    }

    /// Has bytes arrive together with those before them, if these have not arrived yet.
    fn join(&mut self, at: Timestamp, id: u64, side: Side, bytes: Vec<u8>) {
        let latest = self
            .wires
            .get_mut(&id)
            .and_then(|wire| wire.end(side).latest);
        let before = latest.and_then(|latest| self.queue.remove(&latest));
        let mut joined = match before.map(|queued| queued.delivery) {
            Some(Delivery::Bytes(before)) => before,
            _ => Vec::new(),
        };
        joined.extend(bytes);
        self.queue_for(at, id, side, Delivery::Bytes(joined));
    }

    fn enqueue(
        &mut self,
        at: Timestamp,
        wire: u64,
        side: Side,
        source: Source,
        delivery: Delivery,
    ) {
        self.queued += 1;
        let queued = Queued {
            wire,
            side,
            source,
            delivery,
        };
        self.queue.insert((at, self.queued), queued);
    }
}
