//! What an attack costs by itself: a bare server, on the processor of ours, that takes connections, reads what is there and drops
//! them. While it is attacked and ours is left alone, people chat no faster than if ours did the least that a server can do.

use std::io::{self, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, ExitCode};

use super::Trouble;

/// What is read of a connection.
const LEN: usize = 512;

/// What the process does: it says where, and takes connections until it is killed.
pub(crate) fn serve() -> ExitCode {
    let served = || -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        println!("{}", listener.local_addr()?);
        loop {
            let (mut stream, _) = listener.accept()?;
            stream.set_nonblocking(true)?;
            // Whether something is there yet makes no difference.
            let _ = stream.read(&mut [0; LEN]);
        }
    };
    match served() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Such a server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Bare {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Bare {
    pub(crate) fn start() -> Result<Self, Trouble> {
        let (child, address) = super::begin("bare")?;
        Ok(Self { child, address })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
