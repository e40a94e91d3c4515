//! One logged-in client: its keys, where it listens, and the lane to it.

use alloc::collections::VecDeque;
use core::net::{IpAddr, SocketAddr};

use super::lane::Lane;
use crate::channel::Channel;
use crate::id::InstanceId;
use crate::key::PublicKey;
use crate::limits::{
    OWN_CANDIDATES_MAX, PROBE_WINDOW, PROBES_PER_WINDOW, SESSION_FRAMES_MAX, SESSION_LIFETIME,
};
use crate::machine::ConnId;
use crate::time::Timestamp;
use crate::wire::Challenge;
use crate::wire::item::Bounded;
use crate::wire::login::LinkChoice;
use crate::wire::request::Reach;

/// What is known of a client's listener. It is dialled for messages, and told to peers, only while it is `Reachable`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Listener {
    /// Nothing yet.
    Unknown,
    /// A challenge is on its way on this connection.
    Probing { conn: ConnId, challenge: Challenge },
    /// It answered with proof of the session.
    Reachable,
    /// It did not.
    Unreachable,
    /// It is not needed: this connection is open, and carries everything.
    Held { link: ConnId },
}

/// How a client is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// By a connection to its listener.
    Listener(SocketAddr),
    /// By a stream of its held link, whose other end is there.
    Held { link: ConnId, remote: SocketAddr },
}

/// One logged-in client.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) channel: Channel,
    pub(super) instance: InstanceId,
    /// What the client is known by, as it has proved.
    pub(super) key: PublicKey,
    /// Where the login was seen to come from.
    pub(super) remote: SocketAddr,
    /// Our address, as the client reached it.
    pub(super) local: IpAddr,
    /// Where the client says that it listens, at `remote`.
    pub(super) port: u16,
    pub(super) own_candidates: Bounded<SocketAddr, OWN_CANDIDATES_MAX>,
    pub(super) listener: Listener,
    pub(super) link: LinkChoice,
    /// Whether the client has said who is in its address book.
    pub(super) has_said_book: bool,
    pub(super) lane: Lane,
    /// The login's connection, while the client waits there for word of its listener.
    pub(super) login_conn: Option<ConnId>,
    since: Timestamp,
    probes: VecDeque<Timestamp>,
}

/// What a session starts with.
#[derive(Debug)]
pub(super) struct Origination {
    pub(super) since: Timestamp,
    pub(super) instance: InstanceId,
    pub(super) key: PublicKey,
    pub(super) remote: SocketAddr,
    pub(super) local: IpAddr,
    pub(super) port: u16,
    pub(super) own_candidates: Bounded<SocketAddr, OWN_CANDIDATES_MAX>,
    pub(super) login_conn: ConnId,
    pub(super) link: LinkChoice,
}

impl Session {
    pub(super) fn new(channel: Channel, lane: Lane, origination: Origination) -> Self {
        Self {
            channel,
            instance: origination.instance,
            key: origination.key,
            remote: origination.remote,
            local: origination.local,
            port: origination.port,
            own_candidates: origination.own_candidates,
            listener: Listener::Unknown,
            link: origination.link,
            has_said_book: false,
            lane,
            login_conn: Some(origination.login_conn),
            since: origination.since,
            probes: VecDeque::new(),
        }
    }

    /// Whether its keys are so old, or have sealed so much, that nothing is opened under them any more. A client renews them long
    /// before; one that does not has to log in again.
    pub(super) fn is_worn_out(&self, now: Timestamp) -> bool {
        now.since(self.since) >= 2 * SESSION_LIFETIME
            || self.channel.frames() >= 2 * SESSION_FRAMES_MAX
    }

    /// The host that the client is on, as seen from here.
    pub(super) const fn host(&self) -> IpAddr {
        self.remote.ip().to_canonical()
    }

    /// Where the server dials the client.
    pub(super) const fn address(&self) -> SocketAddr {
        let mut address = self.remote;
        address.set_port(self.port);
        address
    }

    /// Whether the client gets what waits for it.
    pub(super) const fn can_be_reached(&self) -> bool {
        matches!(self.listener, Listener::Reachable | Listener::Held { .. })
    }

    /// What came of the check of its listener, or of its wish; `None` while that is not known.
    pub(super) const fn reach(&self) -> Option<Reach> {
        match self.listener {
            Listener::Reachable => Some(Reach::Reachable),
            Listener::Unreachable => Some(Reach::Unreachable),
            Listener::Held { .. } => Some(Reach::Held),
            Listener::Unknown | Listener::Probing { .. } => None,
        }
    }

    /// How an exchange with the client is begun.
    pub(super) const fn way(&self) -> Way {
        match self.listener {
            Listener::Held { link } => Way::Held {
                link,
                remote: self.remote,
            },
            Listener::Unknown
            | Listener::Probing { .. }
            | Listener::Reachable
            | Listener::Unreachable => Way::Listener(self.address()),
        }
    }

    /// Counts a check of the listener, if another one is allowed now.
    pub(super) fn may_probe(&mut self, now: Timestamp) -> bool {
        if matches!(self.listener, Listener::Probing { .. }) {
            return false;
        }
        while self
            .probes
            .front()
            .is_some_and(|at| now.since(*at) >= PROBE_WINDOW)
        {
            self.probes.pop_front();
        }
        let allowed = self.probes.len() < PROBES_PER_WINDOW;
        if allowed {
            self.probes.push_back(now);
        }
        allowed
    }
}
