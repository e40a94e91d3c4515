//! The shape of every machine, and the contract between a machine and the driver that runs it on real sockets.
//!
//! A driver's loop, for any [`Machine`]:
//!
//! 1. Hand in what happened ([`Machine::handle_input`]) or what the user wishes ([`Machine::handle_command`]), any
//!    number of them, with the time at which it was noticed.
//! 2. Take out all that should happen ([`Machine::poll_output`]) and do it in that order.
//! 3. Wait for the next thing, but no longer than until [`Machine::poll_timeout`]; then hand in [`Input::Timeout`].
//!
//! Rules that both sides keep:
//!
//! - A connection is named by whoever made it: [`ConnId::Accepted`] by the driver, [`ConnId::Dialled`] by the machine.
//!   No number is used twice.
//! - Bytes may be sent on a connection that is still being dialled; the driver keeps them until it stands. Closing it then
//!   goes on dialling only if there are such bytes. Sending nothing does nothing.
//! - What happens on one connection is handed in in its order; between two connections there is none.
//! - A connection ends once: the machine asked for it ([`Output::Close`]) and hears no more of it, or the driver said so
//!   ([`Input::ConnectFailed`], [`Input::Closed`]). The two may cross: inputs and outputs for a connection that is gone
//!   are no errors and do nothing.
//! - After a timeout was handled at or after its deadline, the next deadline lies later than that time, so a driver
//!   cannot spin.
//! - An effect is answered exactly once, at any later time and in any order.
//! - After [`Output::Stop`] a machine hears nothing more, and what it still gives is not done. A command that comes later it
//!   has to refuse by itself.

use alloc::vec::Vec;
use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::time::{Moment, Timestamp};

/// A pure state machine: facts and wishes in, things to do out, and nothing done by itself.
pub trait Machine {
    /// A wish of the user or operator.
    type Command;
    /// Why a wish was refused.
    type Rejected;
    /// Work outside the machine that takes time or touches the world.
    type Effect;
    /// The result of such work.
    type Done;
    /// Something to tell the user or operator.
    type Event;

    /// Takes a fact. Cannot be refused, never waits, and never panics on what a peer sent.
    fn handle_input(&mut self, now: Moment, input: Input<'_, Self::Done>);

    /// Takes a wish, or refuses it and changes nothing.
    fn handle_command(&mut self, now: Moment, command: Self::Command)
    -> Result<(), Self::Rejected>;

    /// The next thing to do, oldest first. Does no work of its own.
    #[must_use]
    fn poll_output(&mut self) -> Option<Output<Self::Effect, Self::Event>>;

    /// When to hand in [`Input::Timeout`], and what it is for.
    #[must_use]
    fn poll_timeout(&self) -> Option<Deadline>;
}

/// What a driver calls to have effects done and events shown. Called in the machine's order and on whatever thread runs it
/// just then, so it must not wait, and must not give the machine a command.
pub trait Host<M: Machine>: Send {
    /// Starts work whose result goes back as [`Input::EffectDone`].
    fn perform(&mut self, effect: M::Effect);

    /// Shows something to the user or operator.
    fn show(&mut self, event: M::Event);
}

/// A connection, by who made it and a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum ConnId {
    /// Made by a peer, numbered by the driver.
    Accepted(u64),
    /// Made by us, numbered by the machine.
    Dialled(u64),
}

/// A fact.
#[derive(Debug)]
pub enum Input<'a, D> {
    /// A peer connected to a listener.
    Accepted {
        /// The new connection.
        conn: ConnId,
        /// The peer's end, as seen here.
        remote: SocketAddr,
        /// Our end: the address at which the peer reached us.
        local: SocketAddr,
    },
    /// A connection that was asked for stands.
    Connected {
        /// The connection.
        conn: ConnId,
        /// Our end of it.
        local: SocketAddr,
    },
    /// A connection that was asked for could not be made.
    ConnectFailed {
        /// The connection that never was.
        conn: ConnId,
        /// Why not.
        failure: ConnectFailure,
    },
    /// Bytes came, in order; where they are cut means nothing.
    Received {
        /// Where they came.
        conn: ConnId,
        /// One or more of them.
        bytes: &'a [u8],
    },
    /// The peer will send no more, but may still read.
    Finished {
        /// Whose end it is.
        conn: ConnId,
    },
    /// The connection is gone in both directions; this may come after [`Input::Finished`].
    Closed {
        /// The connection that is gone.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// An effect is done.
    EffectDone(D),
    /// The deadline given by [`Machine::poll_timeout`] has passed.
    Timeout,
}

/// Why a connection could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum ConnectFailure {
    /// Nobody listens there.
    #[error("connection refused: nothing listens there")]
    Refused,
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// There is no way to that address.
    #[error("no route to that address")]
    Unreachable,
    /// This machine is out of descriptors, ports or places in the dialling queue.
    #[error("this machine cannot open more connections")]
    NoResources,
    /// Something else.
    #[error("the connection could not be made")]
    Other,
}

/// Why a connection is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CloseReason {
    /// The peer or the network broke it off.
    Reset,
    /// It took longer than a whole connection may, unless it is to be kept ([`Output::Keep`]).
    Deadline,
    /// The peer did not read what was sent to it, and more is queued than the driver keeps.
    Overflow,
    /// The driver was ended from outside; also said of a dial that was under way.
    Shutdown,
}

/// Something to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<E, V> {
    /// Connect to an address.
    Connect {
        /// What the machine calls the connection.
        conn: ConnId,
        /// Where to.
        to: SocketAddr,
    },
    /// Send bytes, after all that was sent there before.
    Send {
        /// Where.
        conn: ConnId,
        /// What.
        bytes: Vec<u8>,
    },
    /// Send what is queued, then end the connection. The side that accepted it ends it first, so that the port that
    /// waits for stragglers (TIME_WAIT) is a listener's, which costs nothing, and not one that dialling needs.
    Close {
        /// Which.
        conn: ConnId,
    },
    /// This connection is meant to last: from now on the driver ends it for no deadline of its own, so a machine that wants
    /// this has to notice by itself when the other side is gone. A dial still has to succeed in time, and closing to end.
    Keep {
        /// Which.
        conn: ConnId,
    },
    /// Do this work.
    Effect(E),
    /// Show this.
    Event(V),
    /// The machine has ended: send what is queued, close everything and return.
    Stop,
}

/// When the machine wants to be woken, and for what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadline {
    /// The time.
    pub at: Timestamp,
    /// What will be done then, for logs and for finding out why a driver is busy.
    pub kind: &'static str,
}

impl Deadline {
    /// The earlier of two deadlines.
    #[must_use]
    pub fn earliest(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if b.at < a.at { b } else { a }),
            (one, other) => one.or(other),
        }
    }
}
