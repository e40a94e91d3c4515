//! A toy on a driver, and what a test sees of it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;

use simplechat_core::machine::{ConnId, Host, Output};
use simplechat_driver::{Drive, Handle, Listener, Options};

use crate::toy::{Behaviour, Fact, Out, Toy, Wish};
use crate::{PATIENCE, Transport};

/// What is done about an effect, with a handle to give back its result.
pub type Perform = Box<dyn FnMut(u64, &Handle<Toy>) + Send>;

/// A toy that runs.
pub struct World<D> {
    driver: D,
    /// Reaches the toy.
    pub handle: Handle<Toy>,
    /// Where the toy listens.
    pub address: SocketAddr,
    facts: Receiver<Fact>,
}

struct Screen {
    handle: Handle<Toy>,
    perform: Perform,
    facts: Sender<Fact>,
}

impl Host<Toy> for Screen {
    fn perform(&mut self, effect: u64) {
        (self.perform)(effect, &self.handle);
    }

    fn show(&mut self, fact: Fact) {
        // A test that has seen enough may be gone already.
        let _ = self.facts.send(fact);
    }
}

impl<D> fmt::Debug for World<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl<D: Transport> World<D> {
    /// Starts a toy whose effects nobody begins.
    pub fn start(options: Options, behaviour: Behaviour) -> Self {
        Self::with_effects(options, behaviour, Box::new(|_, _| {}))
    }

    /// Starts a toy for whose effects this is called.
    pub fn with_effects(options: Options, behaviour: Behaviour, perform: Perform) -> Self {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Listener::bind(any_port).expect("loopback has a free port");
        Self::on(listener, options, behaviour, perform)
    }

    /// Starts a toy on this listener.
    pub fn on(
        listener: Listener,
        options: Options,
        behaviour: Behaviour,
        perform: Perform,
    ) -> Self {
        let address = listener.local_addr();
        let (sender, facts) = mpsc::channel();
        let driver = D::start(Toy::new(behaviour), vec![listener], options, |handle| {
            Screen {
                handle: handle.clone(),
                perform,
                facts: sender,
            }
        })
        .expect("the driver starts");
        let handle = driver.handle();
        Self {
            driver,
            handle,
            address,
            facts,
        }
    }

    /// Has the toy do these.
    pub fn act(&self, outputs: impl Into<Vec<Out>>) {
        let done = self.handle.command(Wish::Do(outputs.into()));
        assert_eq!(done, Ok(()), "the toy does what it is told");
    }

    /// The next fact that the toy hears.
    #[track_caller]
    pub fn next(&self) -> Fact {
        self.facts
            .recv_timeout(PATIENCE)
            .expect("the toy hears something in time")
    }

    /// A fact that the toy has heard already.
    pub fn heard(&self) -> Option<Fact> {
        self.facts.try_recv().ok()
    }

    /// The first thing found among the facts to come; what is not asked for is passed over.
    #[track_caller]
    pub fn find<T>(&self, mut find: impl FnMut(&Fact) -> Option<T>) -> T {
        loop {
            if let Some(found) = find(&self.next()) {
                return found;
            }
        }
    }

    /// Passes over all facts until this one.
    #[track_caller]
    pub fn expect(&self, expected: &Fact) {
        self.find(|fact| (fact == expected).then_some(()));
    }

    /// The next connection that is accepted.
    #[track_caller]
    pub fn accepted(&self) -> ConnId {
        self.find(|fact| match fact {
            Fact::Accepted { conn, .. } => Some(*conn),
            Fact::Connected { .. }
            | Fact::ConnectFailed { .. }
            | Fact::Received { .. }
            | Fact::Finished { .. }
            | Fact::Closed { .. }
            | Fact::EffectDone(_)
            | Fact::Rang { .. } => None,
        })
    }

    /// Ends the toy, and waits for the driver. Returns what the toy heard last.
    #[track_caller]
    pub fn stop(self) -> Vec<Fact> {
        self.act([Output::Stop]);
        self.wait()
    }

    /// Waits for the driver's end. Returns what the toy heard last.
    #[track_caller]
    pub fn wait(self) -> Vec<Fact> {
        let waited = in_time(self.driver, Drive::wait);
        waited.expect("the poller worked");
        self.facts.try_iter().collect()
    }

    /// Drops the driver. Returns what the toy heard last.
    #[track_caller]
    pub fn abandon(self) -> Vec<Fact> {
        in_time(self.driver, drop);
        self.facts.try_iter().collect()
    }
}

/// Does something with a driver that takes as long as it goes on. Should it never end, the test fails.
#[track_caller]
fn in_time<D: Transport, R: Send + 'static>(
    driver: D,
    act: impl FnOnce(D) -> R + Send + 'static,
) -> R {
    let (sender, ended) = mpsc::channel();
    let acting = thread::spawn(move || {
        let result = act(driver);
        let _ = sender.send(());
        result
    });
    // A panic shows as a sender that is gone.
    let ended = ended.recv_timeout(PATIENCE);
    assert!(
        ended != Err(RecvTimeoutError::Timeout),
        "the driver never ended"
    );
    match acting.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// How the toy calls a connection that a test has it dial.
pub fn dialled(number: u64) -> ConnId {
    ConnId::Dialled(number)
}

/// Has the toy dial.
pub fn connect(number: u64, to: SocketAddr) -> Out {
    let conn = dialled(number);
    Output::Connect { conn, to }
}

/// Has the toy send.
pub fn send(conn: ConnId, bytes: impl Into<Vec<u8>>) -> Out {
    let bytes = bytes.into();
    Output::Send { conn, bytes }
}

/// Has the toy close.
pub fn close(conn: ConnId) -> Out {
    Output::Close { conn }
}
