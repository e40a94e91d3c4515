//! How this transport waits: one poller for all sockets, and a queue to a pool of workers.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use polling::Poller;
use simplechat_driver::{Interest, Waiting};

use crate::ready::{Job, ReadyQueue};
use crate::watched::Watched;

pub(crate) type Connection = simplechat_driver::Connection<Pool>;
pub(crate) type Net = simplechat_driver::Net<Pool>;
pub(crate) type Shared<M> = simplechat_driver::Shared<M, Pool>;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) poller: Arc<Poller>,
    pub(crate) queue: ReadyQueue,
}

/// Whose turn it is to work on a connection. So it is worked on by one worker at a time, and its inputs reach the machine
/// in order. A worker ends its turn only in the same hold of the connection's lock in which it saw that there is nothing
/// left to do, so no change can slip in between and be forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Turn {
    /// Nobody's.
    #[default]
    Idle,
    /// The next free worker's: it is in the ready queue.
    Queued,
    /// A worker's, who will look at it once more before it lets go.
    Running,
}

impl Pool {
    pub(crate) fn new(poller: Arc<Poller>) -> Self {
        Self {
            poller,
            queue: ReadyQueue::default(),
        }
    }
}

impl Waiting for Pool {
    type Socket = Watched<TcpStream>;
    type Notes = Turn;

    fn watch(&self, socket: TcpStream, key: usize, interest: Interest) -> io::Result<Self::Socket> {
        Watched::stream(socket, &self.poller, key, interest)
    }

    fn call(net: &Arc<Net>, conn: &Arc<Connection>, turn: &mut Turn) {
        match turn {
            Turn::Idle => {
                *turn = Turn::Queued;
                net.waiting.queue.push(Job::Connection(Arc::clone(conn)));
            }
            Turn::Queued | Turn::Running => {}
        }
    }

    fn ring(&self) {
        // An error would mean that the poller is broken; then the poll thread has it too, and ends the driver.
        let _ = self.poller.notify();
    }

    fn call_for_effects(&self) {
        self.queue.push(Job::EffectsDone);
    }

    fn accept_again(&self) {
        self.ring();
    }
}
