//! The transport that was chosen: the same machines run on either, and nothing else in the program knows which it is.

use std::io;

use simplechat_core::machine::{Host, Machine};
use simplechat_driver::{Drive as _, Handle, Listener, Options};
use simplechat_transport_async as on_async;
use simplechat_transport_std as on_std;

use crate::settings::Transport;

/// A machine that runs, as [`simplechat_driver::Drive`] says.
pub(crate) enum Driver<M: Machine> {
    Std(on_std::Driver<M>),
    Async(on_async::Driver<M>),
}

impl<M> Driver<M>
where
    M: Machine + Send + 'static,
    M::Done: Send,
{
    /// Runs a machine on this transport.
    pub(crate) fn start<H>(
        transport: Transport,
        machine: M,
        listeners: Vec<Listener>,
        options: Options,
        make_host: impl FnOnce(&Handle<M>) -> H,
    ) -> io::Result<Self>
    where
        H: Host<M> + 'static,
    {
        Ok(match transport {
            Transport::Std => Self::Std(on_std::Driver::start(
                machine, listeners, options, make_host,
            )?),
            Transport::Async => Self::Async(on_async::Driver::start(
                machine, listeners, options, make_host,
            )?),
        })
    }

    /// Reaches the machine.
    pub(crate) fn handle(&self) -> Handle<M> {
        match self {
            Self::Std(driver) => driver.handle(),
            Self::Async(driver) => driver.handle(),
        }
    }

    /// Waits until the machine has ended and everything is sent and closed.
    pub(crate) fn wait(self) -> io::Result<()> {
        match self {
            Self::Std(driver) => driver.wait(),
            Self::Async(driver) => driver.wait(),
        }
    }
}
