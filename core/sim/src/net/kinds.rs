//! IPv4 and IPv6: each host has an address of both kinds, and what becomes of one of the two ways is not the other's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{HostId, Net};

/// A kind of addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "everybody knows them")]
pub enum Kind {
    Ipv4,
    Ipv6,
}

impl Kind {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// The kind of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// The address of this kind that a host has, of which one address is known. Hosts with different addresses are in
    /// different IPv6 networks, too, as servers count a network (a /64) as one source.
    #[must_use]
    pub fn twin(self, address: IpAddr) -> IpAddr {
        match (self, address) {
            (Self::Ipv4, IpAddr::V4(_)) | (Self::Ipv6, IpAddr::V6(_)) => address,
            (Self::Ipv6, IpAddr::V4(v4)) => {
                let [high, low] = [0, 2].map(|at| {
                    let octets = v4.octets();
                    u16::from_be_bytes([octets[at], octets[at + 1]])
                });
                Ipv6Addr::new(0xfd00, 0, high, low, 0, 0, 0, 1).into()
            }
            (Self::Ipv4, IpAddr::V6(v6)) => {
                let [_, _, high, low, ..] = v6.segments();
                let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
                Ipv4Addr::new(a, b, c, d).into()
            }
        }
    }

    /// The same for a port of the host.
    #[must_use]
    pub fn twin_of(self, address: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.twin(address.ip()), address.port())
    }
}

impl Net {
    /// Cuts the way between two hosts for what goes to addresses of one kind: it is lost, and nobody is told.
    pub fn cut_kind(&mut self, a: HostId, b: HostId, kind: Kind) {
        self.cut.extend([(a, b, kind), (b, a, kind)]);
    }

    /// Mends it.
    pub fn heal_kind(&mut self, a: HostId, b: HostId, kind: Kind) {
        self.cut.remove(&(a, b, kind));
        self.cut.remove(&(b, a, kind));
    }

    /// Nobody listens at an address any more; connections that were made to it go on.
    pub fn close_address(&mut self, address: SocketAddr) {
        self.listeners.remove(&address);
    }

    /// Who dials an address gets no answer, as there is no such host.
    pub fn silence(&mut self, address: SocketAddr) {
        self.silent.insert(address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_address_of_each_kind() {
        for v4 in [[10, 0, 0, 1], [10, 66, 6, 6], [255, 1, 2, 3]] {
            let v4 = IpAddr::from(v4);
            let v6 = Kind::Ipv6.twin(v4);
            assert_eq!(Kind::of(v6), Kind::Ipv6);
            assert_eq!(Kind::Ipv4.twin(v6), v4);
            assert_eq!(Kind::Ipv6.twin(v6), v6);
        }
    }
}
