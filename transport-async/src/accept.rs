//! The task of a listener: takes in peers, or refuses them, and pauses while there are no descriptors.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use async_io::Async;
use simplechat_driver::{Accepting, Failure};

use crate::runtime;
use crate::tasks::Net;

/// Peers accepted before other tasks have their turn.
const ACCEPTS_MAX: u32 = 8;

/// How long to accept nobody after this machine ran out of descriptors, unless a connection closes before.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What came of accepting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Accepted {
    /// Everybody who waited.
    All,
    /// Enough for one turn.
    Enough,
    /// This machine has run out of something.
    OutOfResources,
}

/// Accepts until it is cancelled.
pub(crate) async fn accept(net: Arc<Net>, listener: Async<TcpListener>) {
    loop {
        match accept_some(&net, listener.get_ref()) {
            Accepted::All => {
                if let Err(error) = listener.readable().await {
                    return net.fail(Failure::Poll(error));
                }
                net.tally.woke();
            }
            Accepted::Enough => runtime::yield_now().await,
            Accepted::OutOfResources => {
                runtime::within(Some(ACCEPT_PAUSE), net.waiting.place.raised()).await;
                net.tally.woke();
            }
        }
    }
}

fn accept_some(net: &Arc<Net>, listener: &TcpListener) -> Accepted {
    for _ in 0..ACCEPTS_MAX {
        let accepted = listener.accept();
        if matches!(&accepted, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            return Accepted::All;
        }
        match net.admit(accepted) {
            Accepting::Goes => {}
            Accepting::Pauses => return Accepted::OutOfResources,
        }
    }
    Accepted::Enough
}
