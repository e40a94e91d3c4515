//! Sockets that a poller watches, and the only unsafe code of this crate.
//!
//! [`Poller::add`] is unsafe because a poller keeps the bare descriptor: were the socket closed before it is taken out
//! of the poller, the poller could go on using a descriptor that by then belongs to somebody else. [`Watched`] makes
//! that impossible by owning both ends of the matter; the proof is where `add` is called.
//!
//! Interest is one-shot: after an event a socket is not watched until it is armed again. So an event that nobody acts
//! on (a peer's end keeps a socket readable for ever) cannot make the poller spin.
#![allow(
    unsafe_code,
    reason = "`Poller::add` is unsafe; proved safe in `Watched::register`"
)]

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use polling::{Event, Poller};
use simplechat_driver::Interest;

/// A socket together with its place in a poller. Dropping it takes it out of the poller and then closes it.
#[derive(Debug)]
pub(crate) struct Watched<S: AsFd> {
    socket: S,
    poller: Arc<Poller>,
    key: usize,
    /// What the poller watches for, if it still does.
    armed: Option<Interest>,
}

impl Watched<TcpStream> {
    /// Watches a stream. Events for it bear `key`.
    pub(crate) fn stream(
        socket: TcpStream,
        poller: &Arc<Poller>,
        key: usize,
        interest: Interest,
    ) -> io::Result<Self> {
        Self::register(socket, poller, key, interest)
    }
}

impl Watched<TcpListener> {
    /// Watches a listener for peers. Events for it bear `key`.
    pub(crate) fn listener(
        socket: TcpListener,
        poller: &Arc<Poller>,
        key: usize,
    ) -> io::Result<Self> {
        Self::register(socket, poller, key, Interest::READABLE)
    }
}

impl<S: AsFd + AsRawFd> Watched<S> {
    /// Private: the proof below needs an `S` whose descriptor stays the same for as long as it lives.
    fn register(
        socket: S,
        poller: &Arc<Poller>,
        key: usize,
        interest: Interest,
    ) -> io::Result<Self> {
        // SAFETY: `add` demands that the source is deleted from the poller before it is dropped.
        // - If it fails, nothing was added.
        // - If it succeeds, the socket moves into a `Watched` with nothing in between that could fail or panic.
        // - A `Watched` never gives its socket away: its fields are private and it only lends `&S`. The two types that
        //   `S` can be, by the constructors above, have no way to change or close their descriptor through `&S`.
        // - So the socket is closed only when the `Watched` is dropped, and `drop` deletes it from the poller before
        //   the fields are dropped. The poller is still there, as the `Watched` holds it.
        // - A `Watched` that is leaked leaves the socket open, which breaks nothing.
        unsafe { poller.add(&socket, event(key, interest)) }?;
        Ok(Self {
            socket,
            poller: Arc::clone(poller),
            key,
            armed: Some(interest),
        })
    }

    /// Watches for `interest` until the next event.
    pub(crate) fn arm(&mut self, interest: Interest) -> io::Result<()> {
        if self.armed != Some(interest) {
            self.poller
                .modify(&self.socket, event(self.key, interest))?;
            self.armed = Some(interest);
        }
        Ok(())
    }

    /// There was an event, so it is not watched any more.
    pub(crate) fn disarm(&mut self) {
        self.armed = None;
    }
}

impl<S: AsFd> AsRef<S> for Watched<S> {
    fn as_ref(&self) -> &S {
        &self.socket
    }
}

fn event(key: usize, interest: Interest) -> Event {
    Event::new(key, interest.readable, interest.writable)
}

impl<S: AsFd> Drop for Watched<S> {
    fn drop(&mut self) {
        // It can fail only if the source is not in the poller, and then there is nothing to take out.
        let _ = self.poller.delete(&self.socket);
    }
}
