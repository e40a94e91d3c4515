//! Which addresses the place of a server has, and where the client listens for it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

use simplechat_driver::{BindError, Listener};

use crate::exit::{Exit, Failure};
use crate::place::Place;

const BIND_TRIES: usize = 10;

/// The addresses that a place may have, in the order in which to try them.
pub(crate) fn resolve(place: &Place) -> Result<Vec<SocketAddr>, Failure> {
    let found = place.as_str().to_socket_addrs();
    resolved(place, found.map(Iterator::collect))
}

fn resolved(place: &Place, found: io::Result<Vec<SocketAddr>>) -> Result<Vec<SocketAddr>, Failure> {
    match found {
        Ok(addresses) if !addresses.is_empty() => Ok(interleave(&addresses)),
        Ok(_) => Err(Failure::new(
            Exit::Unreachable,
            format!("{place}: this host has no address"),
        )),
        Err(error) => Err(Failure::new(
            Exit::Unreachable,
            format!("{place}: this host cannot be found: {error}"),
        )),
    }
}

/// IPv6 and IPv4 in turn, as RFC 8305 (section 4) has it, beginning with what the system puts first: if one of them does
/// not work at all, no more than one address is tried in vain.
fn interleave(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let is_first_kind =
        |at: &&SocketAddr| addresses.first().map(SocketAddr::is_ipv6) == Some(at.is_ipv6());
    let (preferred, others): (Vec<_>, Vec<_>) = addresses.iter().partition(is_first_kind);
    let (mut preferred, mut others) = (preferred.into_iter(), others.into_iter());
    let in_turn = std::iter::repeat_with(|| [preferred.next(), others.next()]);
    in_turn
        .take(addresses.len())
        .flatten()
        .flatten()
        .copied()
        .collect()
}

/// Listens where the user said, or else where the server can reach this client: at the port of the last time, where peers look
/// for it, or at any that is free; with the server on this machine only for this machine, else for all.
pub(crate) fn listen(
    wish: Option<SocketAddr>,
    last: Option<u16>,
    servers: &[SocketAddr],
) -> Result<Vec<Listener>, BindError> {
    if let Some(address) = wish {
        return Ok(vec![Listener::bind(address)?]);
    }
    let hosts = hosts_to_listen_on(servers);
    if let Some(listeners) = last.and_then(|port| listen_on_one_port(&hosts, port).ok()) {
        return Ok(listeners);
    }
    let mut tries = 0;
    loop {
        tries += 1;
        match listen_on_one_port(&hosts, 0) {
            // The port that one host has free may be taken on the other.
            Err(BindError::InUse { .. }) if tries < BIND_TRIES => {}
            other => return other,
        }
    }
}

/// At this port, or with 0 at any that is free.
fn listen_on_one_port(hosts: &[IpAddr], port: u16) -> Result<Vec<Listener>, BindError> {
    let mut listeners: Vec<Listener> = Vec::new();
    for host in hosts {
        let port = listeners
            .first()
            .map_or(port, |first| first.local_addr().port());
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

    fn place(text: &str) -> Place {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_need_no_resolving() {
        assert_eq!(
            resolve(&place("127.0.0.1:5150")),
            Ok(vec!["127.0.0.1:5150".parse().unwrap()])
        );
        assert_eq!(
            resolve(&place("[::1]:5150")),
            Ok(vec!["[::1]:5150".parse().unwrap()])
        );
    }

    #[test]
    fn both_kinds_of_addresses_are_tried_in_turn() {
        let order = |addresses: [&str; 5]| {
            let addresses: Vec<SocketAddr> = addresses.map(|at| at.parse().unwrap()).into();
            let shown: Vec<_> = interleave(&addresses)
                .iter()
                .map(ToString::to_string)
                .collect();
            shown.join(" ")
        };
        assert_eq!(
            order(["[::1]:1", "[::2]:1", "[::3]:1", "0.0.0.1:1", "0.0.0.2:1"]),
            "[::1]:1 0.0.0.1:1 [::2]:1 0.0.0.2:1 [::3]:1"
        );
        assert_eq!(
            order(["0.0.0.1:1", "[::1]:1", "[::2]:1", "[::3]:1", "[::4]:1"]),
            "0.0.0.1:1 [::1]:1 [::2]:1 [::3]:1 [::4]:1"
        );
    }

    #[test]
    fn a_host_without_addresses_is_said() {
        let not_found = io::Error::other("name or service not known");
        let unknown = resolved(&place("nowhere.invalid:1"), Err(not_found)).unwrap_err();
        assert_eq!(unknown.exit, Exit::Unreachable);
        insta::assert_snapshot!([
            unknown.message,
            resolved(&place("empty:1"), Ok(Vec::new())).unwrap_err().message,
        ].join("\n"), @r"
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
        let listeners = listen(None, None, &servers).unwrap();
        let port = listeners[0].local_addr().port();
        assert!(
            listeners
                .iter()
                .all(|listener| listener.local_addr().port() == port)
        );
    }

    #[test]
    fn a_client_listens_where_it_did_unless_somebody_else_does() {
        let servers = ["127.0.0.1:1".parse().unwrap()];
        let port_of = |listeners: &[Listener]| listeners[0].local_addr().port();
        let first = listen(None, None, &servers).unwrap();
        let port = port_of(&first);
        let other = listen(None, Some(port), &servers).unwrap();
        assert_ne!(port_of(&other), port);
        drop(first);
        assert_eq!(port_of(&listen(None, Some(port), &servers).unwrap()), port);
    }
}
