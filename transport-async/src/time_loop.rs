//! The task that minds the time of everything, and the end.
//!
//! One timer for all deadlines, rather than one for each connection: a connection has several in its life, and nearly all
//! of them pass unused.

use std::sync::Arc;
use std::time::Duration;

use simplechat_driver::Ending;

use crate::ready::Job;
use crate::runtime::{self, Task};
use crate::tasks::Net;

/// The longest sleep while there is a deadline. The runtime's clock stands still while the computer is suspended and ours
/// does not, so a deadline that passed meanwhile would be noticed only when the rest of the sleep is over.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// Runs until the driver has ended and all connections are gone, or at once if something broke. Nothing happens after
/// it.
pub(crate) async fn mind_time(net: Arc<Net>, mut acceptors: Vec<Task<()>>) {
    let mut is_stopping = false;
    loop {
        if net.look_at_due(net.clock.timestamp()) {
            net.waiting.queue.push(Job::Timeout);
        }
        match net.ending() {
            Ending::No => {}
            Ending::Orderly(until) => {
                if !std::mem::replace(&mut is_stopping, true) {
                    cancel(&mut acceptors).await;
                    net.stop_all(until);
                }
                if net.is_empty() {
                    break;
                }
            }
            Ending::Abrupt => break,
        }
        sleep(&net).await;
    }
    cancel(&mut acceptors).await;
    net.waiting.queue.close();
    net.abandon_all();
}

async fn sleep(net: &Net) {
    let rest = net.sleep(None).map(|until| {
        // Rounded up: to wake a moment too early would only mean to go to sleep again.
        let rest = until.since(net.clock.timestamp()) + Duration::from_micros(1);
        rest.min(SLEEP_MAX)
    });
    runtime::within(rest, net.waiting.bell.raised()).await;
    net.wake();
}

/// Closes the listeners.
async fn cancel(acceptors: &mut Vec<Task<()>>) {
    for acceptor in acceptors.drain(..) {
        acceptor.cancel().await;
    }
}
