//! What an operating system's errors mean here: why a listener could not be bound, why a dial failed, and whether it is
//! this machine that has run out of something.

use std::io;
use std::net::SocketAddr;

use rustix::io::Errno;
use simplechat_core::machine::ConnectFailure;

/// Why a listener could not be bound, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody else listens there.
    #[error(
        "cannot listen on {address}: something already listens there; stop it or choose another port"
    )]
    InUse {
        /// Where.
        address: SocketAddr,
    },
    /// The address is not one of this machine's.
    #[error(
        "cannot listen on {address}: this machine does not have that address; \
         choose one that it has, or 0.0.0.0 for all of them"
    )]
    NotAvailable {
        /// Where.
        address: SocketAddr,
    },
    /// Not allowed.
    #[error(
        "cannot listen on {address}: permission denied; choose a port from 1024 up, or give the program the right to \
         use this one"
    )]
    Permission {
        /// Where.
        address: SocketAddr,
    },
    /// IPv6 on a machine without it, or the other way round.
    #[error(
        "cannot listen on {address}: this machine does not have that kind of address; \
         if it is IPv6, choose an IPv4 one"
    )]
    NoSuchFamily {
        /// Where.
        address: SocketAddr,
    },
    /// Something else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl BindError {
    pub(crate) fn new(address: SocketAddr, source: io::Error) -> Self {
        match errno(&source) {
            Some(Errno::ADDRINUSE) => Self::InUse { address },
            Some(Errno::ADDRNOTAVAIL) => Self::NotAvailable { address },
            Some(Errno::ACCESS | Errno::PERM) => Self::Permission { address },
            Some(Errno::AFNOSUPPORT) => Self::NoSuchFamily { address },
            _ => Self::Other { address, source },
        }
    }
}

/// What the machine is told when a dial ended in `error`.
pub(crate) fn connect_failure(error: &io::Error) -> ConnectFailure {
    if is_out_of_resources(error) {
        return ConnectFailure::NoResources;
    }
    match errno(error) {
        Some(Errno::CONNREFUSED) => ConnectFailure::Refused,
        Some(Errno::TIMEDOUT) => ConnectFailure::TimedOut,
        Some(
            Errno::NETUNREACH
            | Errno::HOSTUNREACH
            | Errno::NETDOWN
            | Errno::HOSTDOWN
            | Errno::AFNOSUPPORT,
        ) => ConnectFailure::Unreachable,
        // All ports to that address are taken: EADDRNOTAVAIL, or EAGAIN on older systems.
        Some(Errno::ADDRNOTAVAIL | Errno::AGAIN) => ConnectFailure::NoResources,
        _ => ConnectFailure::Other,
    }
}

/// Whether this machine has run out of descriptors or memory. Trying again at once would fail again.
pub(crate) fn is_out_of_resources(error: &io::Error) -> bool {
    matches!(
        errno(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::NOSPC)
    )
}

/// Whether accepting failed because of what became of one peer or its network: the next one may well succeed.
pub(crate) fn is_of_one_peer(error: &io::Error) -> bool {
    matches!(
        errno(error),
        Some(
            Errno::CONNABORTED
                | Errno::CONNRESET
                | Errno::TIMEDOUT
                | Errno::INTR
                | Errno::PROTO
                | Errno::PERM
                | Errno::HOSTUNREACH
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::NETDOWN
        )
    )
}

/// Whether a dial was only begun: the system goes on with it and says when it is done.
pub(crate) fn is_in_progress(error: &io::Error) -> bool {
    matches!(errno(error), Some(Errno::INPROGRESS | Errno::INTR))
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dial_errors_are_told_apart() {
        let cases = [
            (Errno::CONNREFUSED, ConnectFailure::Refused),
            (Errno::TIMEDOUT, ConnectFailure::TimedOut),
            (Errno::HOSTUNREACH, ConnectFailure::Unreachable),
            (Errno::MFILE, ConnectFailure::NoResources),
            (Errno::ADDRNOTAVAIL, ConnectFailure::NoResources),
            (Errno::ACCESS, ConnectFailure::Other),
        ];
        for (errno, failure) in cases {
            assert_eq!(connect_failure(&errno.into()), failure, "{errno:?}");
        }
        assert_eq!(
            connect_failure(&io::Error::other("no number")),
            ConnectFailure::Other
        );
    }
}
