//! Where the server is, from what the user wrote: `HOST:PORT`, with a name or an address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

use simplechat_transport_std::{BindError, Listener};

use crate::clean::clean_start;
use crate::exit::{Exit, Failure};

const BIND_TRIES: usize = 10;

/// The addresses that a place may have, in the order in which to try them.
pub(super) fn resolve(place: &str) -> Result<Vec<SocketAddr>, Failure> {
    check_form(place)?;
    resolved(place, place.to_socket_addrs().map(Iterator::collect))
}

fn check_form(place: &str) -> Result<(), Failure> {
    let shown = clean_start(place, 60);
    let port = place
        .rsplit_once(':')
        .filter(|(host, _)| !host.is_empty())
        .map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(1..)) => Ok(()),
        Some(Ok(0) | Err(_)) => Err(Failure::new(
            Exit::Usage,
            format!("{shown}: the port is a number from 1 to 65535, as in localhost:5150"),
        )),
        None => Err(Failure::new(
            Exit::Usage,
            format!("{shown}: write the server as HOST:PORT, as in localhost:5150"),
        )),
    }
}

fn resolved(place: &str, found: io::Result<Vec<SocketAddr>>) -> Result<Vec<SocketAddr>, Failure> {
    let shown = clean_start(place, 60);
    match found {
        Ok(addresses) if !addresses.is_empty() => Ok(addresses),
        Ok(_) => Err(Failure::new(
            Exit::Unreachable,
            format!("{shown}: this host has no address"),
        )),
        Err(error) => Err(Failure::new(
            Exit::Unreachable,
            format!("{shown}: this host cannot be found: {error}"),
        )),
    }
}

/// Listens where the user said, or else where the server can reach this client: at any free port; with the server on
/// this machine only for this machine, else for all.
pub(super) fn listen(
    wish: Option<SocketAddr>,
    servers: &[SocketAddr],
) -> Result<Vec<Listener>, BindError> {
    if let Some(address) = wish {
        return Ok(vec![Listener::bind(address)?]);
    }
    let hosts = hosts_to_listen_on(servers);
    let mut tries = 0;
    loop {
        tries += 1;
        match listen_on_one_port(&hosts) {
            // The port that one host has free may be taken on the other.
            Err(BindError::InUse { .. }) if tries < BIND_TRIES => {}
            other => return other,
        }
    }
}

fn listen_on_one_port(hosts: &[IpAddr]) -> Result<Vec<Listener>, BindError> {
    let mut listeners: Vec<Listener> = Vec::new();
    for host in hosts {
        let port = listeners
            .first()
            .map_or(0, |first| first.local_addr().port());
        match Listener::bind(SocketAddr::new(*host, port)) {
            Ok(listener) => listeners.push(listener),
            // A name such as localhost may have an address of a kind that this machine does not have.
            Err(BindError::NoSuchFamily { .. } | BindError::NotAvailable { .. })
                if !listeners.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(listeners)
}

/// One host for each kind of address that the server may have. IPv4 comes first, as every machine has it.
fn hosts_to_listen_on(servers: &[SocketAddr]) -> Vec<IpAddr> {
    let is_local = servers.iter().all(|server| server.ip().is_loopback());
    let has_v6 = servers.iter().any(SocketAddr::is_ipv6);
    let local_v4 = servers.iter().map(SocketAddr::ip).find(IpAddr::is_ipv4);
    match (is_local, local_v4) {
        (true, Some(v4)) if has_v6 => vec![v4, Ipv6Addr::LOCALHOST.into()],
        (true, Some(v4)) => vec![v4],
        (true, None) => vec![Ipv6Addr::LOCALHOST.into()],
        // It takes IPv4 too.
        (false, _) if has_v6 => vec![Ipv6Addr::UNSPECIFIED.into()],
        (false, _) => vec![Ipv4Addr::UNSPECIFIED.into()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_no_resolving() {
        assert_eq!(
            resolve("127.0.0.1:5150"),
            Ok(vec!["127.0.0.1:5150".parse().unwrap()])
        );
        assert_eq!(
            resolve("[::1]:5150"),
            Ok(vec!["[::1]:5150".parse().unwrap()])
        );
    }

    #[test]
    fn what_is_no_place_says_why() {
        let why = |place: &str| resolve(place).unwrap_err().message;
        let not_found = io::Error::other("name or service not known");
        let unknown = resolved("nowhere.invalid:1", Err(not_found)).unwrap_err();
        assert_eq!(unknown.exit, Exit::Unreachable);
        insta::assert_snapshot!([
            why("localhost"),
            why(":5150"),
            why("localhost:"),
            why("localhost:0"),
            why("localhost:99999"),
            why("a\u{1b}[2J"),
            unknown.message,
            resolved("empty:1", Ok(Vec::new())).unwrap_err().message,
        ].join("\n"), @r"
        localhost: write the server as HOST:PORT, as in localhost:5150
        :5150: write the server as HOST:PORT, as in localhost:5150
        localhost:: the port is a number from 1 to 65535, as in localhost:5150
        localhost:0: the port is a number from 1 to 65535, as in localhost:5150
        localhost:99999: the port is a number from 1 to 65535, as in localhost:5150
        a�[2J: write the server as HOST:PORT, as in localhost:5150
        nowhere.invalid:1: this host cannot be found: name or service not known
        empty:1: this host has no address
        ");
    }

    #[test]
    fn the_listener_is_as_public_as_the_server() {
        let hosts = |servers: &[&str]| {
            let servers: Vec<_> = servers
                .iter()
                .map(|server| server.parse().unwrap())
                .collect();
            hosts_to_listen_on(&servers)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(hosts(&["127.0.0.1:5150"]), ["127.0.0.1"]);
        assert_eq!(hosts(&["[::1]:5150"]), ["::1"]);
        assert_eq!(
            hosts(&["[::1]:5150", "127.0.0.1:5150"]),
            ["127.0.0.1", "::1"]
        );
        assert_eq!(hosts(&["192.0.2.1:5150"]), ["0.0.0.0"]);
        assert_eq!(hosts(&["[2001:db8::1]:5150"]), ["::"]);
        assert_eq!(hosts(&["[2001:db8::1]:5150", "192.0.2.1:5150"]), ["::"]);
    }

    #[test]
    fn listeners_for_one_client_share_a_port() {
        let servers = ["[::1]:1".parse().unwrap(), "127.0.0.1:1".parse().unwrap()];
        let listeners = listen(None, &servers).unwrap();
        let port = listeners[0].local_addr().port();
        assert!(
            listeners
                .iter()
                .all(|listener| listener.local_addr().port() == port)
        );
    }
}
