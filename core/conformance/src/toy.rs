//! A machine that tells everything it hears as events, and does what a test's behaviour and commands say.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use simplechat_core::machine::{
    CloseReason, ConnId, ConnectFailure, Deadline, Input, Machine, Output,
};
use simplechat_core::time::{Moment, Timestamp};

use crate::contract::Contract;

/// What a toy wants done.
pub type Out = Output<u64, Fact>;
/// What the machine does of itself about a fact.
pub type Behaviour = Box<dyn FnMut(&Fact, &mut Vec<Out>) + Send>;

/// An input that can be kept. See [`Input`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "they are an input's")]
pub enum Fact {
    Accepted {
        conn: ConnId,
        remote: SocketAddr,
        local: SocketAddr,
    },
    Connected {
        conn: ConnId,
        local: SocketAddr,
    },
    ConnectFailed {
        conn: ConnId,
        failure: ConnectFailure,
    },
    Received {
        conn: ConnId,
        bytes: Vec<u8>,
    },
    Finished {
        conn: ConnId,
    },
    Closed {
        conn: ConnId,
        reason: CloseReason,
    },
    EffectDone(u64),
    /// The timer set for `at` rang at `now`.
    Rang {
        at: Timestamp,
        now: Timestamp,
    },
}

/// What a test may command.
#[derive(Debug)]
pub enum Wish {
    /// Do these, in this order.
    Do(Vec<Out>),
    /// Send the number of this wish on a connection: how many there were before.
    Count(ConnId),
    /// Ring so long from now.
    Ring(Duration),
    /// Refused as long as the machine knows of a connection.
    BeOver,
    /// Always refused.
    Refuse,
    /// Breaks the machine.
    Panic,
}

/// A wish was refused.
#[derive(PartialEq, Eq, Debug)]
pub struct Refused;

/// The machine.
pub struct Toy {
    behaviour: Behaviour,
    outputs: VecDeque<Out>,
    timers: BTreeSet<Timestamp>,
    counted: u64,
    contract: Contract,
    last_seen: Timestamp,
}

impl Toy {
    /// A toy that behaves so.
    #[must_use]
    pub fn new(behaviour: Behaviour) -> Self {
        Self {
            behaviour,
            outputs: VecDeque::new(),
            timers: BTreeSet::new(),
            counted: 0,
            contract: Contract::default(),
            last_seen: Timestamp::ZERO,
        }
    }

    fn see(&mut self, now: Moment) {
        assert!(now.at >= self.last_seen, "time went back");
        self.last_seen = now.at;
    }

    fn tell(&mut self, fact: Fact) {
        let mut outputs = Vec::new();
        (self.behaviour)(&fact, &mut outputs);
        self.outputs.push_back(Output::Event(fact));
        self.outputs.extend(outputs);
    }
}

impl fmt::Debug for Toy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Toy")
            .field("contract", &self.contract)
            .finish_non_exhaustive()
    }
}

impl Machine for Toy {
    type Command = Wish;
    type Rejected = Refused;
    type Effect = u64;
    type Done = u64;
    type Event = Fact;

    fn handle_input(&mut self, now: Moment, input: Input<'_, u64>) {
        self.see(now);
        self.contract.input(&input);
        let fact = match input {
            Input::Accepted {
                conn,
                remote,
                local,
            } => Fact::Accepted {
                conn,
                remote,
                local,
            },
            Input::Connected { conn, local } => Fact::Connected { conn, local },
            Input::ConnectFailed { conn, failure } => Fact::ConnectFailed { conn, failure },
            Input::Received { conn, bytes } => {
                let bytes = bytes.to_vec();
                Fact::Received { conn, bytes }
            }
            Input::Finished { conn } => Fact::Finished { conn },
            Input::Closed { conn, reason } => Fact::Closed { conn, reason },
            Input::EffectDone(done) => Fact::EffectDone(done),
            Input::Timeout => {
                let now = now.at;
                let later = self.timers.split_off(&(now + Duration::from_micros(1)));
                for at in std::mem::replace(&mut self.timers, later) {
                    self.tell(Fact::Rang { at, now });
                }
                return;
            }
        };
        self.tell(fact);
    }

    fn handle_command(&mut self, now: Moment, wish: Wish) -> Result<(), Refused> {
        self.see(now);
        match wish {
            Wish::Do(outputs) => self.outputs.extend(outputs),
            Wish::Count(conn) => {
                let bytes = self.counted.to_be_bytes().to_vec();
                self.counted += 1;
                self.outputs.push_back(Output::Send { conn, bytes });
            }
            Wish::Ring(wait) => {
                self.timers.insert(now.at + wait);
            }
            Wish::BeOver if self.contract.is_all_over() => {}
            Wish::BeOver => return Err(Refused),
            Wish::Refuse => return Err(Refused),
            Wish::Panic => panic!("the toy was asked to panic"),
        }
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Out> {
        let output = self.outputs.pop_front()?;
        self.contract.output(&output);
        Some(output)
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.timers.first().map(|&at| Deadline {
            at,
            kind: "the test's timer",
        })
    }
}

/// Does nothing of itself.
#[must_use]
pub fn passive() -> Behaviour {
    Box::new(|_, _| {})
}

/// Sends back what it gets, and closes when the peer has finished.
#[must_use]
pub fn echo() -> Behaviour {
    Box::new(|fact, outputs| match fact {
        Fact::Received { conn, bytes } => outputs.push(Output::Send {
            conn: *conn,
            bytes: bytes.clone(),
        }),
        Fact::Finished { conn } => outputs.push(Output::Close { conn: *conn }),
        Fact::Accepted { .. }
        | Fact::Connected { .. }
        | Fact::ConnectFailed { .. }
        | Fact::Closed { .. }
        | Fact::EffectDone(_)
        | Fact::Rang { .. } => {}
    })
}

/// Answers the first bytes of each connection with `answer`, and closes.
#[must_use]
pub fn answer_and_close(answer: &'static [u8]) -> Behaviour {
    Box::new(move |fact, outputs| {
        if let Fact::Received { conn, .. } = fact {
            let conn = *conn;
            let bytes = answer.to_vec();
            outputs.push(Output::Send { conn, bytes });
            outputs.push(Output::Close { conn });
        }
    })
}
