//! Where people look for the server: at its two addresses, and at what once was one.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{ClientId, SERVER, World, attacker_address};
use crate::net::Kind;

/// Where somebody looks for the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Place {
    /// At its address of this kind.
    Server(Kind),
    /// At a host at which nobody listens.
    Closed,
    /// At a host that is not there.
    Silent,
}

impl Place {
    /// Its address.
    #[must_use]
    pub fn address(self) -> SocketAddr {
        match self {
            Self::Server(kind) => kind.twin_of(server_address()),
            Self::Closed => SocketAddr::from(([10, 0, 0, 7], server_address().port())),
            Self::Silent => SocketAddr::from(([10, 0, 0, 8], server_address().port())),
        }
    }
}

/// The IPv4 address of the server of every world.
#[must_use]
pub fn server_address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 5150))
}

/// Whether somebody is called there who calls the server.
pub(super) fn is_the_servers(address: SocketAddr) -> bool {
    Kind::Ipv4.twin_of(address) == server_address()
}

/// Whether what comes from there comes from the attacker.
#[must_use]
pub fn is_the_attackers(address: IpAddr) -> bool {
    Kind::Ipv4.twin(address) == attacker_address().ip()
}

impl World {
    /// From now on every client tries no more than so many of the server's addresses.
    pub const fn limit_addresses(&mut self, most: usize) {
        self.addresses_max = most;
    }

    /// Nobody can connect to the server at its address of this kind any more, also after it has started again.
    pub fn close_server_at(&mut self, kind: Kind) {
        self.closed.insert(kind);
        self.net.close_address(Place::Server(kind).address());
    }

    /// They can again.
    pub fn open_server_at(&mut self, kind: Kind) {
        self.closed.remove(&kind);
        if self.has_server() {
            self.place_server();
        }
    }

    /// The server listens wherever it may.
    pub(super) fn place_server(&mut self) {
        self.net.place(SERVER, server_address());
        for kind in &self.closed {
            self.net.close_address(Place::Server(*kind).address());
        }
    }

    /// Cuts the way between a client and the server at their addresses of one kind.
    pub fn cut_from_server_at(&mut self, id: ClientId, kind: Kind) {
        self.net.cut_kind(id.host(), SERVER, kind);
    }

    /// Mends it.
    pub fn heal_to_server_at(&mut self, id: ClientId, kind: Kind) {
        self.net.heal_kind(id.host(), SERVER, kind);
    }
}
