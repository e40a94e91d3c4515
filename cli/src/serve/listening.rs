//! Where the server listens, and what it says of that when it starts.

use std::net::{Ipv6Addr, SocketAddr};

use simplechat_core::key::Fingerprint;
use simplechat_driver::{BindError, Listener};

/// Listens on all of these addresses.
pub(super) fn bind(wishes: &[SocketAddr]) -> Result<Vec<Listener>, BindError> {
    let takes_all = |wish: &SocketAddr| wish.ip() == Ipv6Addr::UNSPECIFIED;
    let (first, then): (Vec<SocketAddr>, _) = wishes.iter().copied().partition(takes_all);
    let mut listeners: Vec<Listener> = Vec::new();
    for wish in first.into_iter().chain(then) {
        let mut bound = listeners.iter().map(Listener::local_addr);
        // On most systems [::] takes IPv4 too, and then there is no place for 0.0.0.0 and no need of it.
        let is_covered =
            wish.is_ipv4() && bound.any(|at| takes_all(&at) && at.port() == wish.port());
        match Listener::bind(wish) {
            Ok(listener) => listeners.push(listener),
            Err(BindError::InUse { .. }) if is_covered => {}
            Err(error) => return Err(error),
        }
    }
    Ok(listeners)
}

/// The lines that a person needs: where the server is, what it is known by, and how to join it.
pub(super) fn announce(
    addresses: &[SocketAddr],
    accounts: usize,
    fingerprint: Fingerprint,
) -> String {
    let listed: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let mut lines = vec![
        format!(
            "Listening on {}, with {accounts} accounts. Ctrl-C ends the server.",
            listed.join(" and ")
        ),
        format!("Fingerprint:  {fingerprint}"),
    ];
    for address in addresses {
        let line = format!("Join with:  {}", join_line(*address, fingerprint));
        // Two that take everybody are one place to others.
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// What a user types to join, as this program was called.
fn join_line(address: SocketAddr, fingerprint: Fingerprint) -> String {
    let program = std::env::args().next().unwrap_or_default();
    let program = if program.is_empty() {
        "simplechat".into()
    } else {
        program
    };
    let place = if address.ip().is_unspecified() {
        let host = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        format!("{host}:{}", address.port())
    } else {
        address.to_string()
    };
    format!("{program} join {place}#{fingerprint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_everywhere_go_together() {
        let free = Listener::bind("[::]:0".parse().unwrap()).unwrap();
        let port = free.local_addr().port();
        drop(free);
        let everywhere = [format!("0.0.0.0:{port}"), format!("[::]:{port}")];
        let listeners = bind(&everywhere.map(|at| at.parse().unwrap())).unwrap();
        assert!(
            listeners
                .iter()
                .any(|listener| listener.local_addr().is_ipv6())
        );
        let twice = ["127.0.0.1:0".parse().unwrap(), listeners[0].local_addr()];
        assert!(matches!(bind(&twice), Err(BindError::InUse { .. })));
    }

    #[test]
    fn there_is_a_line_to_join_with_for_each_place() {
        let fingerprint = "aaaq-eayd-aucq-mbyi-beaq-yba4-bafa-wcya".parse().unwrap();
        let join_lines = |addresses: &[&str]| {
            let addresses: Vec<_> = addresses.iter().map(|at| at.parse().unwrap()).collect();
            let said = announce(&addresses, 4, fingerprint);
            said.matches("Join with:").count()
        };
        assert_eq!(join_lines(&["127.0.0.1:1", "[::1]:1"]), 2);
        assert_eq!(join_lines(&["0.0.0.0:1", "[::]:1"]), 1);
        let addresses = ["127.0.0.1:1", "[::1]:1"].map(|at| at.parse().unwrap());
        let said = announce(&addresses, 4, fingerprint);
        assert!(said.starts_with("Listening on 127.0.0.1:1 and [::1]:1, with 4 accounts."));
    }
}
