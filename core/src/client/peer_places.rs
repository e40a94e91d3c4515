//! Where a peer is, was, and may be: what the server and they themselves say, and where they proved to be.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::peer::Way;
use crate::limits::CANDIDATES_MAX;
use crate::time::Timestamp;
use crate::wire::push::Whereabouts;
use crate::wire::request::Reach;

/// Where a peer says or is said to be is looked at no more often than this: whoever can say so has nobody dial without end.
const MOVE_INTERVAL: Duration = Duration::from_secs(10);

/// The addresses of a peer.
#[derive(Debug)]
pub(super) struct PeerPlaces {
    /// Where the server says that they may be.
    whereabouts: Whereabouts,
    /// Where they proved to be.
    address: Option<SocketAddr>,
    /// Where they were before they were not found there any more.
    last: Option<SocketAddr>,
    /// When they last proved to be where they are.
    proved: Option<Timestamp>,
    /// Where they listen, at the address that they call from.
    pub(super) port: Option<u16>,
    /// Where they may be now: if they are there, they have moved.
    moving_to: Vec<SocketAddr>,
    looked: Option<Timestamp>,
}

impl PeerPlaces {
    pub(super) const fn new(whereabouts: Whereabouts) -> Self {
        Self {
            whereabouts,
            address: None,
            last: None,
            proved: None,
            port: None,
            moving_to: Vec::new(),
            looked: None,
        }
    }

    /// Where they proved to be.
    pub(super) const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// How the server says that they can be reached.
    pub(super) const fn reach(&self) -> Reach {
        self.whereabouts.reach
    }

    /// Where to look for them of whom nothing better is known.
    pub(super) fn candidates(&self) -> Vec<Way> {
        let told = self.whereabouts.candidates.as_slice().iter().copied();
        let last = self
            .last
            .filter(|last| !self.whereabouts.candidates.as_slice().contains(last));
        last.into_iter().chain(told).map(Way::Address).collect()
    }

    /// They are not where they were: next time they are looked for everywhere.
    pub(super) fn lose_address(&mut self) {
        self.last = self.address.take().or(self.last);
    }

    /// Whether they were found there.
    pub(super) fn is_at(&self, address: SocketAddr) -> bool {
        self.address == Some(address)
    }

    /// Whether they are, or may be, on that host, by all that is known.
    pub(super) fn may_be_on(&self, host: IpAddr) -> bool {
        let told = self.whereabouts.candidates.as_slice().iter();
        let mut all = told.chain(&self.address).chain(&self.last);
        all.any(|address| address.ip() == host)
    }

    /// The port of their listener, if they have said it or were found.
    pub(super) fn listens_at(&self) -> Option<u16> {
        self.port
            .or_else(|| self.address.map(|address| address.port()))
    }

    /// Whether they have shown a moment ago that they are at an address.
    pub(super) fn is_surely_at(&self, now: Timestamp, address: SocketAddr) -> bool {
        let is_recent = |proved| now.since(proved) < MOVE_INTERVAL;
        self.address == Some(address) && self.proved.is_some_and(is_recent)
    }

    /// They may have moved: where to look, if that was not done a moment ago. They are where they were until they are found there.
    pub(super) fn may_be_at(
        &mut self,
        now: Timestamp,
        places: impl IntoIterator<Item = SocketAddr>,
    ) -> Vec<SocketAddr> {
        let is_too_soon = |looked| now.since(looked) < MOVE_INTERVAL;
        if self.looked.is_some_and(is_too_soon) {
            return Vec::new();
        }
        let places: Vec<_> = places.into_iter().take(CANDIDATES_MAX).collect();
        if !places.is_empty() {
            self.looked = Some(now);
            self.moving_to.clone_from(&places);
        }
        places
    }

    /// All addresses at which they may be, the likeliest first.
    pub(super) fn all(&self) -> Vec<SocketAddr> {
        let told = self.whereabouts.candidates.as_slice();
        let mut places = Vec::new();
        for place in self.address.iter().chain(&self.last).chain(told) {
            if !places.contains(place) {
                places.push(*place);
            }
        }
        places.truncate(CANDIDATES_MAX);
        places
    }

    /// The server says where they may be from now on.
    pub(super) fn learn(&mut self, whereabouts: Whereabouts) {
        self.whereabouts = whereabouts;
    }

    /// They were found there, with their key. Gives whether they have moved there.
    pub(super) fn found(&mut self, now: Timestamp, address: SocketAddr) -> bool {
        let before = self.address.or(self.last);
        if self.address.is_none() || self.moving_to.contains(&address) {
            self.address = Some(address);
            self.moving_to.clear();
        }
        self.proved = Some(now);
        before.is_some() && before != self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::item::Bounded;

    #[test]
    fn a_peer_who_moves_is_where_they_were_until_they_are_found_elsewhere() {
        let at = Timestamp::from_secs;
        let [old, new, other] = [1, 2, 3].map(|port| SocketAddr::from(([10, 0, 0, 1], port)));
        let mut places = PeerPlaces::new(Whereabouts {
            reach: Reach::Reachable,
            candidates: Bounded::first_of([]),
        });
        places.found(at(1), old);
        places.found(at(1), other);
        assert_eq!(places.address(), Some(old), "the first one is as good");
        assert_eq!(places.may_be_at(at(20), [old, new]), [old, new]);
        assert_eq!(places.address(), Some(old));
        assert_eq!(places.may_be_at(at(21), [other]), [], "not again so soon");
        assert!(!places.is_surely_at(at(20), old), "that was long ago");
        places.found(at(22), new);
        assert_eq!(places.address(), Some(new));
        assert!(places.is_surely_at(at(22), new));
    }
}
