//! Hosts: where they are, and what happens to their connections when they come, go, move and sleep.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use simplechat_core::machine::{CloseReason, ConnId};
use simplechat_core::time::Timestamp;

use super::wire::{Fate, Side};
use super::{Delivery, HostId, Kind, Net, Queued};

/// What becomes of the listener of a host that moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Listening {
    /// It can be reached at the new address.
    There,
    /// It cannot, as behind a router.
    Nowhere,
}

impl Net {
    /// Puts a host at an address, where it listens on one port, as at its address of the other kind.
    pub fn place(&mut self, host: HostId, listener: SocketAddr) {
        self.homes.insert(host, listener);
        for kind in Kind::BOTH {
            self.listeners.insert(kind.twin_of(listener), host);
        }
    }

    /// Where a host listens, or would if it did.
    #[must_use]
    pub fn home(&self, host: HostId) -> Option<SocketAddr> {
        self.homes.get(&host).copied()
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

    /// What a host sends seems to come from this address, as from behind a router.
    pub fn masquerade(&mut self, host: HostId, address: IpAddr) {
        self.masks.insert(host, address);
    }

    /// What a host sends comes from its own address again.
    pub fn unmask(&mut self, host: HostId) {
        self.masks.remove(&host);
    }

    /// The address that a host has, and the one that others see of it.
    pub(super) fn addresses_of(&self, host: HostId, to: SocketAddr) -> (IpAddr, IpAddr) {
        let mask = self.masks.get(&host).copied();
        let own = self.home(host).map(|home| home.ip());
        let own = own.or(mask).unwrap_or_else(|| to.ip());
        let kind = Kind::of(to.ip());
        (kind.twin(own), kind.twin(mask.unwrap_or(own)))
    }

    /// Takes a host off the network: its connections break, and nothing listens there.
    pub fn remove(&mut self, now: Timestamp, host: HostId) {
        self.stop_listening(host);
        self.asleep.remove(&host);
        self.take_held(host);
        for (wire, side) in self.ends_of(host) {
            let is_over = self.is_over(wire);
            self.forget_end(wire, side);
            if !is_over {
                let reset = Delivery::Closed(CloseReason::Reset);
                self.queue_for(now, wire, side.other(), reset);
            }
        }
    }

    /// A host's machine has ended: nothing listens there any more, and its ends are closed once all was sent.
    pub fn retire(&mut self, host: HostId) {
        self.stop_listening(host);
        for (wire, side) in self.ends_of(host) {
            let is_over = self.is_over(wire);
            self.forget_end(wire, side);
            let ends_at = self
                .wires
                .get_mut(&wire)
                .map(|wire| wire.end(side.other()).busy_until);
            if let Some(at) = ends_at
                && !is_over
            {
                self.queue_for(at, wire, side.other(), Delivery::Finished);
            }
        }
    }

    /// A host gets another address. What it had open is dead, and neither side is told.
    pub fn relocate(&mut self, host: HostId, to: SocketAddr, listening: Listening) {
        self.stop_listening(host);
        self.masks.remove(&host);
        match listening {
            Listening::There => self.place(host, to),
            Listening::Nowhere => drop(self.homes.insert(host, to)),
        }
        for (wire, _) in self.ends_of(host) {
            for side in Side::BOTH {
                self.deafen(wire, side);
            }
        }
    }

    /// A host falls asleep: what is sent to it is lost, and what it would find out by itself waits.
    pub fn put_to_sleep(&mut self, host: HostId) {
        self.asleep.insert(host);
    }

    /// A host wakes: it finds out what is overdue, and that connections on which it missed something are broken.
    pub fn wake(&mut self, now: Timestamp, host: HostId) {
        if !self.asleep.remove(&host) {
            return;
        }
        for Queued {
            wire,
            side,
            delivery,
            ..
        } in self.take_held(host)
        {
            self.have_found_out(now, wire, side, delivery);
        }
        for (id, side) in self.ends_of(host) {
            if let Some(wire) = self.wires.get_mut(&id)
                && wire.end(side).stands
                && wire.end(side).deaf
            {
                wire.fate = Fate::Over;
                let broken = Delivery::Closed(CloseReason::Reset);
                self.have_found_out(now, id, side, broken);
            }
        }
    }

    /// What a host that was asleep has to find out.
    fn take_held(&mut self, host: HostId) -> Vec<Queued> {
        let wires = &mut self.wires;
        self.held
            .extract_if(.., |queued| {
                wires
                    .get_mut(&queued.wire)
                    .is_none_or(|wire| wire.end(queued.side).host == host)
            })
            .collect()
    }

    /// Nothing listens at a host any more; its connections go on.
    pub fn stop_listening(&mut self, host: HostId) {
        self.listeners.retain(|_, listening| *listening != host);
    }

    fn ends_of(&self, host: HostId) -> Vec<(u64, Side)> {
        self.ends
            .iter()
            .filter(|((owner, _), _)| *owner == host)
            .map(|(_, end)| *end)
            .collect()
    }

    fn is_over(&self, wire: u64) -> bool {
        self.wires
            .get(&wire)
            .is_some_and(|wire| wire.fate == Fate::Over)
    }
}
