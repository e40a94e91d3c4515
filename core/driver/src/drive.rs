//! The face that every driver has, so that a program or a test can be written for any of them.

use std::io;

use simplechat_core::machine::{Host, Machine};

use crate::handle::Handle;
use crate::listener::Listener;
use crate::options::Options;

/// A machine that runs on real sockets. Dropping it ends the machine: it is told that every connection is gone, and the
/// end is waited for, for about [`Options::linger`] at most.
pub trait Drive<M: Machine>: Sized {
    /// Runs `machine`, with peers from `listeners`. The host is made with a handle to this driver, as it needs one to
    /// give back the results of effects. What the machine wants done already is done before this returns.
    ///
    /// # Errors
    ///
    /// If a setting makes no sense ([`io::ErrorKind::InvalidInput`]), or the system cannot give what it takes to wait
    /// for sockets.
    fn start<H>(
        machine: M,
        listeners: Vec<Listener>,
        options: Options,
        make_host: impl FnOnce(&Handle<M>) -> H,
    ) -> io::Result<Self>
    where
        H: Host<M> + 'static;

    /// A handle to give the machine commands and results of effects.
    fn handle(&self) -> Handle<M>;

    /// Waits until the machine has ended and everything is sent and closed. Afterwards the host is dropped and nothing
    /// of the driver runs any more.
    ///
    /// # Errors
    ///
    /// If the system could no longer say which sockets are ready, so that the driver had to end.
    ///
    /// # Panics
    ///
    /// With the panic of the machine or the host, if one of them panicked.
    fn wait(self) -> io::Result<()>;
}
