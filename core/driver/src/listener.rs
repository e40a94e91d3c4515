//! Sockets that peers connect to.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::BindError;

/// Connections that the system may hold for us until they are accepted. It cuts this down to what it allows.
const BACKLOG: i32 = 4_096;

/// A bound listener that is not yet served: peers can already connect, and wait.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Listens on `address`. Port 0 lets the system choose one, see [`Listener::local_addr`]. `[::]` takes IPv4 peers
    /// too.
    ///
    /// # Errors
    ///
    /// With a text for a person: what is wrong with the address, and what to do.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::open(address).map_err(|source| BindError::new(address, source))
    }

    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The socket; it does not block.
    #[must_use]
    pub fn into_socket(self) -> TcpListener {
        self.socket
    }

    fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        if let IpAddr::V6(ip) = address.ip() {
            if ip.is_unspecified() {
                // Some systems cannot do both; then IPv4 needs a listener of its own.
                let _ = socket.set_only_v6(false);
            } else {
                socket.set_only_v6(true)?;
            }
        }
        // So that a restart does not have to wait for the connections of the last run to fade. Two listeners on one
        // port are refused all the same.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from(socket);
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }
}

/// The plain form of an address: a peer that came to an IPv6 socket over IPv4 has an IPv4 address.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    let SocketAddr::V6(v6) = address else {
        return address;
    };
    match v6.ip().to_ipv4_mapped() {
        Some(v4) => SocketAddrV4::new(v4, v6.port()).into(),
        // The flow label is no part of an address: with it, one peer would seem to be several.
        None => SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_made_plain() {
        assert_eq!(
            canonical(parse("[::ffff:10.0.0.7]:80")),
            parse("10.0.0.7:80")
        );
        assert_eq!(canonical(parse("10.0.0.7:80")), parse("10.0.0.7:80"));
        assert_eq!(canonical(parse("[fe80::1%3]:80")), parse("[fe80::1%3]:80"));
    }

    #[test]
    fn a_taken_port_is_said_in_plain_words() {
        let first = Listener::bind(parse("127.0.0.1:0")).unwrap();
        let address = first.local_addr();
        let error = Listener::bind(address).unwrap_err();
        assert!(matches!(error, BindError::InUse { address: at } if at == address));
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on {address}: something already listens there; stop it or choose another port"
            )
        );
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        // 192.0.2.0/24 is for documentation: no machine has an address in it.
        let error = Listener::bind(parse("192.0.2.1:0")).unwrap_err();
        assert!(matches!(error, BindError::NotAvailable { .. }), "{error}");
    }
}
