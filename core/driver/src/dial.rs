//! Connecting without waiting: a dial is started, and later seen to stand or to have failed.

use std::io;
use std::net::{SocketAddr, TcpStream};

use simplechat_core::machine::ConnectFailure;
use socket2::{Domain, Protocol, Socket, Type};

use crate::error::{connect_failure, is_in_progress};
use crate::listener::canonical;
use crate::waiting::{Interest, Waiting};

/// What became of a dial.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Progress {
    UnderWay,
    /// It stands, and this is our end.
    Stands(SocketAddr),
    Failed(ConnectFailure),
}

/// Starts a dial. The socket becomes writable when it is decided.
pub(crate) fn start<W: Waiting>(
    to: SocketAddr,
    waiting: &W,
    key: usize,
) -> Result<W::Socket, ConnectFailure> {
    begin(to)
        .and_then(|socket| waiting.watch(socket, key, Interest::WRITABLE))
        .map_err(|error| connect_failure(&error))
}

fn begin(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&to.into()) {
        Ok(()) => {}
        Err(error) if is_in_progress(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(socket.into())
}

/// How far the dial on `socket` has come.
pub(crate) fn progress(socket: &TcpStream) -> Progress {
    match socket.take_error() {
        Ok(None) => {}
        Ok(Some(error)) | Err(error) => return Progress::Failed(connect_failure(&error)),
    }
    let (remote, local) = match (socket.peer_addr(), socket.local_addr()) {
        (Ok(remote), Ok(local)) => (remote, local),
        (Err(error), _) if error.kind() == io::ErrorKind::NotConnected => {
            return Progress::UnderWay;
        }
        (Err(error), _) | (_, Err(error)) => return Progress::Failed(connect_failure(&error)),
    };
    if remote == local {
        // A port of this machine at which nobody listens was also the port that the system chose for our end, and TCP
        // connected the socket to itself.
        return Progress::Failed(ConnectFailure::Refused);
    }
    Progress::Stands(canonical(local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialled_socket_does_not_hold_back_small_writes() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = begin(listener.local_addr().unwrap()).unwrap();
        assert!(socket.nodelay().unwrap());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_dial_that_meets_itself_met_nobody() {
        // What the system may do by chance is brought about here by choosing our end's port.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any_port.into()).unwrap();
        socket.connect(&socket.local_addr().unwrap()).unwrap();
        let socket = TcpStream::from(socket);
        assert_eq!(socket.local_addr().unwrap(), socket.peer_addr().unwrap());
        assert_eq!(progress(&socket), Progress::Failed(ConnectFailure::Refused));
    }
}
