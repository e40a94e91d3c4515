//! How this transport waits: a task for each connection, woken by its socket or by whoever changes something about it.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::task::Waker;

use async_io::{Async, Timer};
use simplechat_driver::{Interest, Waiting};

use crate::attend;
use crate::ready::{Job, ReadyQueue};
use crate::runtime;
use crate::signal::Signal;

pub(crate) type Connection = simplechat_driver::Connection<Tasks>;
pub(crate) type Net = simplechat_driver::Net<Tasks>;
pub(crate) type Shared<M> = simplechat_driver::Shared<M, Tasks>;
pub(crate) type State = simplechat_driver::State<Tasks>;

/// What wakes the tasks that are not a connection's.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    /// For the machine's.
    pub(crate) queue: ReadyQueue,
    /// For the one that minds the time.
    pub(crate) bell: Signal,
    /// For one that accepts, when it waits for a connection to close.
    pub(crate) place: Signal,
}

/// A socket that the runtime's reactor watches. Dropping it takes it out of the reactor and then closes it.
#[derive(Debug)]
pub(crate) struct Socket(pub(crate) Async<TcpStream>);

/// What is noted about a connection, under its lock.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) task: Task,
    /// It is in the ready queue, where it comes once at most; so what came on it reaches the machine in order.
    pub(crate) is_queued: bool,
    /// It has no room for more until the machine has taken what there is.
    pub(crate) is_full: bool,
    /// Its socket is no longer to be read, for lack of anything to read.
    pub(crate) is_read_out: bool,
    /// When to look whether a peer that has finished is still there.
    pub(crate) hang_up_look: Option<Timer>,
}

/// A connection's task.
#[derive(Debug, Default)]
pub(crate) enum Task {
    /// Not begun.
    #[default]
    None,
    /// Waits to be woken.
    Waiting(Waker),
    /// Was woken, and will look at the connection.
    Woken,
    /// Ended: the connection is gone.
    Over,
}

impl AsRef<TcpStream> for Socket {
    fn as_ref(&self) -> &TcpStream {
        self.0.get_ref()
    }
}

impl Waiting for Tasks {
    type Socket = Socket;
    type Notes = Notes;

    fn watch(&self, socket: TcpStream, _: usize, _: Interest) -> io::Result<Socket> {
        Async::new_nonblocking(socket).map(Socket)
    }

    fn call(net: &Arc<Net>, conn: &Arc<Connection>, notes: &mut Notes) {
        match std::mem::replace(&mut notes.task, Task::Woken) {
            Task::None => runtime::detach(attend::attend(Arc::clone(net), Arc::clone(conn))),
            Task::Waiting(waker) => waker.wake(),
            Task::Woken => {}
            Task::Over => notes.task = Task::Over,
        }
    }

    fn ring(&self) {
        self.bell.raise();
    }

    fn call_for_effects(&self) {
        self.queue.push(Job::EffectsDone);
    }

    fn accept_again(&self) {
        self.place.raise();
    }

    fn released(&self) {
        self.queue.call();
    }
}
