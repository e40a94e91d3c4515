//! Whereabouts: which addresses of a user their peers are told, when they become peers and whenever that changes.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::lane::Notice;
use super::record::Subject;
use super::session::{Listener, Session};
use super::{AccountId, Server};
use crate::limits::{CLIENT_PORT_MIN, OWN_CANDIDATES_MAX};
use crate::wire::Term;
use crate::wire::item::Bounded;
use crate::wire::push::{Absence, Push, Whereabouts};
use crate::wire::request::Reach;

/// All that the whereabouts of a user hang on, whoever asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    address: SocketAddr,
    own_candidates: Bounded<SocketAddr, OWN_CANDIDATES_MAX>,
    reach: Reach,
}

impl Place {
    /// Where a client is, once it is known how it is reached.
    fn of(session: &Session) -> Option<Self> {
        Some(Self {
            address: session.address(),
            own_candidates: session.own_candidates.clone(),
            reach: session.reach()?,
        })
    }
}

impl Server {
    /// It is settled how a user is reached. If they are elsewhere than they were last, or were away, they and their peers learn
    /// where the others are now.
    pub(super) fn tell_whereabouts(&mut self, account: AccountId) {
        let owner = self.accounts.get_mut(account);
        let Some(place) = owner.session.as_ref().and_then(Place::of) else {
            return;
        };
        if owner.place.as_ref() == Some(&place) {
            return;
        }
        owner.place = Some(place);
        let peers: Vec<_> = self.introductions.peers_of(account).collect();
        for peer in peers {
            self.tell_each_other(account, peer);
        }
    }

    /// Two peers learn where the other is, if their clients have the introduction.
    pub(super) fn tell_each_other(&mut self, a: AccountId, b: AccountId) {
        self.tell_whereabouts_of(a, b);
        self.tell_whereabouts_of(b, a);
    }

    /// Tells `viewer` where `subject` may be reached, if both are online. Who comes later, or is being looked for, is told of then.
    fn tell_whereabouts_of(&mut self, subject: AccountId, viewer: AccountId) {
        if self.tell_if_absent(subject, viewer) {
            return;
        }
        let owner = self.accounts.get_mut(subject);
        if owner.session.as_ref().and_then(Session::reach).is_none() {
            owner.place = None;
            return;
        }
        let peer = owner.name;
        let whereabouts = self.whereabouts(subject, viewer);
        self.tell_of(subject, viewer, Push::Addresses { peer, whereabouts });
    }

    /// Tells `viewer` if `subject` is not there: whether it is so.
    pub(super) fn tell_if_absent(&mut self, subject: AccountId, viewer: AccountId) -> bool {
        let absence = self.absence(subject, viewer);
        if let Some(absence) = absence {
            self.tell_absence(subject, viewer, absence);
        }
        absence.is_some()
    }

    /// Why `viewer` does not find `subject`, to whom there is a lasting introduction. Who says nothing of their address book is not
    /// known to be elsewhere.
    fn absence(&self, subject: AccountId, viewer: AccountId) -> Option<Absence> {
        if self.introductions.get(viewer, subject)?.term != Term::Lasting {
            return None;
        }
        let session = self.accounts.get(subject).session.as_ref();
        match session {
            // Who was there before a restart of the server may be about to come back.
            None => (!self.is_young()).then_some(Absence::Away),
            Some(_) if self.introductions.is_held(subject, viewer) => None,
            Some(session) => session.has_said_book.then_some(Absence::Elsewhere),
        }
    }

    fn tell_absence(&mut self, subject: AccountId, viewer: AccountId, absence: Absence) {
        let peer = self.accounts.get(subject).name;
        self.tell_of(subject, viewer, Push::Absent { peer, absence });
    }

    /// Tells `viewer` of `subject`, if both clients have the introduction, or the one who is told.
    fn tell_of(&mut self, subject: AccountId, viewer: AccountId, push: Push) {
        let is_secret = !self.introductions.is_held(subject, viewer);
        let is_known = self.introductions.is_held(viewer, subject);
        if !is_known || (is_secret && matches!(push, Push::Addresses { .. })) {
            return;
        }
        let peer = self.accounts.get(subject).name;
        if let Some(session) = &mut self.accounts.get_mut(viewer).session {
            let subject = Subject::Addresses(peer);
            session.lane.notify(Notice { subject, push });
            self.pump(viewer);
        }
    }

    /// A user has left: with whom they have lasting introductions learn that they are away.
    pub(super) fn tell_away(&mut self, account: AccountId) {
        let peers: Vec<_> = self.introductions.peers_of(account).collect();
        for peer in peers {
            self.tell_absence(account, peer, Absence::Away);
        }
    }

    /// A user's client is another one, which does not have the lasting introductions of the one before: they wait for that one.
    pub(super) fn suspend_introductions(&mut self, account: AccountId) {
        for peer in self.introductions.let_go(account) {
            self.tell_absence(account, peer, Absence::Elsewhere);
        }
        self.accounts.get_mut(account).place = None;
    }

    /// Whoever is a peer no more is not told any more where a user is.
    pub(super) fn withhold_whereabouts(&mut self, subject: AccountId, viewer: AccountId) {
        let name = self.accounts.get(subject).name;
        if let Some(session) = &mut self.accounts.get_mut(viewer).session {
            session.lane.forget_addresses(name);
        }
    }

    /// Where one user may be reached by another.
    pub(super) fn whereabouts(&self, subject: AccountId, viewer: AccountId) -> Whereabouts {
        let session = |id| self.accounts.get(id).session.as_ref();
        let (subject, viewer) = (session(subject), session(viewer));
        let candidates = subject
            .zip(viewer)
            .map(|(subject, viewer)| candidates(subject, viewer));
        Whereabouts {
            reach: subject
                .and_then(Session::reach)
                .unwrap_or(Reach::Unreachable),
            candidates: Bounded::first_of(candidates.unwrap_or_default()),
        }
    }
}

/// The addresses of one client that are of use to another: what the server saw and has checked, then what the client
/// says of itself. Loopback and link-local addresses mean something only on the same host or link.
fn candidates(subject: &Session, viewer: &Session) -> Vec<SocketAddr> {
    let same_host =
        subject.host() == viewer.host() || (is_server_host(subject) && is_server_host(viewer));
    let same_link = same_host || (is_link_local(subject.host()) && is_link_local(viewer.host()));
    let useful = |ip: IpAddr| {
        let reaches = if ip.is_loopback() {
            same_host
        } else if is_link_local(ip) {
            same_link
        } else {
            true
        };
        reaches && !ip.is_unspecified() && !ip.is_multicast()
    };
    let seen = (subject.listener == Listener::Reachable).then(|| {
        if subject.host().is_loopback() && !same_host {
            // It is on the server's own host, which the viewer reaches at this address.
            SocketAddr::new(viewer.local, subject.port)
        } else {
            subject.address()
        }
    });
    let own = subject.own_candidates.as_slice().iter().copied();
    let mut candidates = Vec::new();
    for candidate in seen.into_iter().chain(own) {
        let candidate = SocketAddr::new(candidate.ip().to_canonical(), candidate.port());
        if useful(candidate.ip())
            && candidate.port() >= CLIENT_PORT_MIN
            && !candidates.contains(&candidate)
        {
            candidates.push(candidate);
        }
    }
    candidates
}

/// Whether a client runs on the server's own host.
fn is_server_host(session: &Session) -> bool {
    session.host().is_loopback() || session.host() == session.local
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests;
