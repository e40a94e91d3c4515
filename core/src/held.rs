//! Held links: connections that stay open, for clients that cannot be called.
//!
//! What takes a connection of its own elsewhere takes a *stream* of the link here, and both sides may begin one. So the
//! rest of a machine need not know the difference: a stream is named by a [`ConnId`] like a connection, is dialled,
//! accepted, sent to and closed like one, and what travels on it is sealed as ever. This module stands between the
//! machine and its driver, and puts streams onto links and takes them off.
//!
//! On the link each frame of a stream stands behind a frame that says whose it is. A stream begins with its first frame.
//! Either side ends it for both, as an exchange is over when one of the two needs no more of it. Numbers only rise, so
//! what comes for a stream that is over is known to be late, and dropped.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::id::StreamNumber;
use crate::limits::{EXCHANGE_WITHIN, STREAMS_MAX};
use crate::machine::{CloseReason, ConnId, Input, Output};
use crate::time::Timestamp;
use crate::wire::deframer::Deframer;
use crate::wire::frame::{Frame, FrameError};

/// The addresses of a link's two ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ends {
    pub(crate) remote: SocketAddr,
    pub(crate) local: SocketAddr,
}

/// What the bytes of a link say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    /// The other side begins a stream.
    Accepted { conn: ConnId, ends: Ends },
    /// A whole frame of a stream.
    Received { conn: ConnId, frame: Vec<u8> },
    /// The other side has ended a stream.
    Ended { conn: ConnId },
    /// The other side begins more streams than it may, or one on a link that ends: it is to be told that this one is over.
    TooMany { number: StreamNumber },
}

impl Heard {
    /// What it is to a machine; or the stream that is not for it.
    pub(crate) fn as_input<D>(&self) -> Result<Input<'_, D>, StreamNumber> {
        Ok(match *self {
            Self::Accepted { conn, ends } => Input::Accepted {
                conn,
                remote: ends.remote,
                local: ends.local,
            },
            Self::Received { conn, ref frame } => Input::Received { conn, bytes: frame },
            Self::Ended { conn } => Input::Closed {
                conn,
                reason: CloseReason::Reset,
            },
            Self::TooMany { number } => return Err(number),
        })
    }
}

/// What has taken too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Overdue {
    /// An exchange, while others go on.
    Stream(ConnId),
    /// All of this link: there may be nobody at its other end any more.
    Link(ConnId),
}

/// What cannot be understood of a link's bytes. The link is of no more use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Garbled {
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("a frame of no stream on a held link")]
    Unannounced,
}

#[derive(Debug)]
struct HeldLink {
    ends: Ends,
    deframer: Deframer,
    /// Whose the next frame is.
    announced: Option<StreamNumber>,
    /// Of our own the next one.
    next: StreamNumber,
    /// Of theirs the lowest that did not begin yet.
    unopened: StreamNumber,
    /// Those that they began.
    theirs: usize,
    /// When something last came.
    heard: Timestamp,
    /// Those of ours without a number.
    begun: BTreeSet<ConnId>,
    streams: BTreeMap<StreamNumber, ConnId>,
    /// Nothing new is begun there, and by this time it is closed, whatever is under way.
    ending: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stream {
    link: ConnId,
    /// One of ours has none until its first frame is sent, as numbers have to arrive in their order.
    number: Option<StreamNumber>,
    /// When its exchange has taken too long; set for those that we began.
    overdue: Option<Timestamp>,
}

/// All held links of a machine.
#[derive(Debug, Default)]
pub(crate) struct HeldLinks {
    links: BTreeMap<ConnId, HeldLink>,
    streams: BTreeMap<ConnId, Stream>,
    deadlines: BTreeSet<(Timestamp, ConnId)>,
    accepted: u64,
}

impl HeldLinks {
    /// A connection is a held link from now on.
    pub(crate) fn hold(&mut self, now: Timestamp, conn: ConnId, ends: Ends) {
        let (next, unopened) = match conn {
            ConnId::Dialled(_) => (StreamNumber(0), StreamNumber(1)),
            ConnId::Accepted(_) => (StreamNumber(1), StreamNumber(0)),
        };
        let link = HeldLink {
            ends,
            deframer: Deframer::default(),
            announced: None,
            next,
            unopened,
            theirs: 0,
            heard: now,
            begun: BTreeSet::new(),
            streams: BTreeMap::new(),
            ending: None,
        };
        self.links.insert(conn, link);
    }

    /// Whether it is a stream of a link, and no connection that could be one.
    pub(crate) fn is_stream(&self, conn: ConnId) -> bool {
        self.streams.contains_key(&conn)
    }

    pub(crate) fn is_held(&self, conn: ConnId) -> bool {
        self.links.contains_key(&conn)
    }

    /// How many links there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.links.len()
    }

    /// How many streams there are on all of them.
    #[cfg(test)]
    pub(crate) fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Begins a stream, which is called `conn`, where one is dialled otherwise. On a link that is no more it goes nowhere, and
    /// whoever has seen the link go will see to it.
    pub(crate) fn open(&mut self, now: Timestamp, link: ConnId, conn: ConnId) {
        let Some(held) = self.links.get_mut(&link) else {
            return;
        };
        held.begun.insert(conn);
        let overdue = now + EXCHANGE_WITHIN;
        self.deadlines.insert((overdue, conn));
        let stream = Stream {
            link,
            number: None,
            overdue: Some(overdue),
        };
        self.streams.insert(conn, stream);
    }

    /// The streams of a link that we began.
    pub(crate) fn begun_on(&self, link: ConnId) -> Vec<ConnId> {
        let is_ours = |stream: &Stream| stream.link == link && stream.overdue.is_some();
        let streams = self.streams.iter();
        streams
            .filter_map(|(conn, stream)| is_ours(stream).then_some(*conn))
            .collect()
    }

    /// Takes bytes of a link apart.
    pub(crate) fn received(
        &mut self,
        now: Timestamp,
        link: ConnId,
        bytes: &[u8],
    ) -> Result<Vec<Heard>, Garbled> {
        let mut heard = Vec::new();
        let Some(held) = self.links.get_mut(&link) else {
            return Ok(heard);
        };
        held.heard = now;
        held.deframer.push(bytes);
        while let Some(held) = self.links.get_mut(&link)
            && let Some(frame) = held.deframer.next_in_place()?
        {
            match (held.announced.take(), Frame::parse(frame)?) {
                (None, Frame::Stream(number)) => held.announced = Some(number),
                (None, Frame::End(number)) => heard.extend(self.ended(link, number)),
                (Some(number), Frame::Handshake(_) | Frame::Session(_) | Frame::Refusal(_)) => {
                    let frame = frame.to_vec();
                    self.take(link, number, frame, &mut heard);
                }
                (Some(_), Frame::Stream(_) | Frame::End(_))
                | (None, Frame::Handshake(_) | Frame::Session(_) | Frame::Refusal(_)) => {
                    return Err(Garbled::Unannounced);
                }
            }
        }
        Ok(heard)
    }

    fn take(&mut self, link: ConnId, number: StreamNumber, frame: Vec<u8>, heard: &mut Vec<Heard>) {
        let Some(held) = self.links.get_mut(&link) else {
            return;
        };
        if let Some(&conn) = held.streams.get(&number) {
            return heard.push(Heard::Received { conn, frame });
        }
        let begins = number >= held.unopened && is_even(number) == is_even(held.unopened);
        if !begins {
            // It is over on this side.
            return;
        }
        held.unopened = after(number);
        if held.theirs >= STREAMS_MAX || held.ending.is_some() {
            return heard.push(Heard::TooMany { number });
        }
        // The driver counts the connections that it accepts from 0 up.
        let conn = ConnId::Accepted(u64::MAX - self.accepted);
        self.accepted += 1;
        held.theirs += 1;
        held.streams.insert(number, conn);
        let ends = held.ends;
        let stream = Stream {
            link,
            number: Some(number),
            overdue: None,
        };
        self.streams.insert(conn, stream);
        heard.push(Heard::Accepted { conn, ends });
        heard.push(Heard::Received { conn, frame });
    }

    fn ended(&mut self, link: ConnId, number: StreamNumber) -> Option<Heard> {
        let conn = *self.links.get(&link)?.streams.get(&number)?;
        self.forget(conn);
        Some(Heard::Ended { conn })
    }

    /// A stream is over.
    fn forget(&mut self, conn: ConnId) -> Option<Stream> {
        let stream = self.streams.remove(&conn)?;
        if let Some(overdue) = stream.overdue {
            self.deadlines.remove(&(overdue, conn));
        }
        if let Some(held) = self.links.get_mut(&stream.link) {
            match stream.number {
                Some(number) => drop(held.streams.remove(&number)),
                None => drop(held.begun.remove(&conn)),
            }
            held.theirs -= usize::from(stream.overdue.is_none());
        }
        Some(stream)
    }

    /// What a driver does in place of what a machine wants done: sends on a link what is for one of its streams.
    pub(crate) fn carry<E, V>(&mut self, output: Output<E, V>) -> [Option<Output<E, V>>; 2] {
        match output {
            Output::Send { conn, bytes } => [self.send(conn, bytes), None],
            Output::Close { conn } if self.streams.contains_key(&conn) => self.end(conn),
            other @ (Output::Connect { .. }
            | Output::Close { .. }
            | Output::Keep { .. }
            | Output::Effect(_)
            | Output::Event(_)
            | Output::Stop) => [Some(other), None],
        }
    }

    fn send<E, V>(&mut self, conn: ConnId, bytes: Vec<u8>) -> Option<Output<E, V>> {
        let Some(stream) = self.streams.get_mut(&conn) else {
            return Some(Output::Send { conn, bytes });
        };
        let (link, number) = (stream.link, stream.number);
        let held = self.links.get_mut(&link)?;
        let number = number.unwrap_or_else(|| {
            let number = held.next;
            held.next = after(number);
            held.begun.remove(&conn);
            held.streams.insert(number, conn);
            number
        });
        stream.number = Some(number);
        let announced = Frame::Stream(number).to_bytes();
        let mut carried = Vec::with_capacity(announced.len() + bytes.len());
        carried.extend(announced);
        carried.extend(bytes);
        Some(Output::Send {
            conn: link,
            bytes: carried,
        })
    }

    fn end<E, V>(&mut self, conn: ConnId) -> [Option<Output<E, V>>; 2] {
        let Some(Stream { link, number, .. }) = self.forget(conn) else {
            return [None, None];
        };
        let end = number.map(|number| Output::Send {
            conn: link,
            bytes: Frame::End(number).to_bytes(),
        });
        [end, self.close_if_done(link)]
    }

    /// The link is closed as soon as no stream is on it, or they have taken too long. Nothing new should be begun.
    pub(crate) fn finish<E, V>(&mut self, now: Timestamp, link: ConnId) -> Option<Output<E, V>> {
        let held = self.links.get_mut(&link)?;
        let ending = *held.ending.get_or_insert(now + EXCHANGE_WITHIN);
        self.deadlines.insert((ending, link));
        self.close_if_done(link)
    }

    /// Closes a link that should end and has no stream any more: to be called when the other side may have ended the last one.
    pub(crate) fn close_if_done<E, V>(&mut self, link: ConnId) -> Option<Output<E, V>> {
        let held = self.links.get(&link)?;
        if held.ending.is_none() || !held.streams.is_empty() || !held.begun.is_empty() {
            return None;
        }
        self.forget_link(link);
        Some(Output::Close { conn: link })
    }

    fn forget_link(&mut self, link: ConnId) -> Option<HeldLink> {
        let held = self.links.remove(&link)?;
        if let Some(ending) = held.ending {
            self.deadlines.remove(&(ending, link));
        }
        Some(held)
    }

    /// A link is gone: all these streams are.
    pub(crate) fn lost(&mut self, link: ConnId) -> Vec<ConnId> {
        let held = self.forget_link(link);
        let streams: Vec<_> = held
            .into_iter()
            .flat_map(|held| held.streams.into_values().chain(held.begun))
            .collect();
        for conn in &streams {
            self.forget(*conn);
        }
        streams
    }

    /// When to call [`Self::overdue`] next.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// What has taken too long: a stream that we began, which has to be closed, or its whole link if nothing came there since.
    pub(crate) fn overdue(&self, now: Timestamp) -> Option<Overdue> {
        let &(at, conn) = self.deadlines.first().filter(|(at, _)| *at <= now)?;
        if self.links.contains_key(&conn) {
            return Some(Overdue::Link(conn));
        }
        let link = self.streams.get(&conn)?.link;
        let is_silent = self.links.get(&link)?.heard + EXCHANGE_WITHIN <= at;
        Some(if is_silent {
            Overdue::Link(link)
        } else {
            Overdue::Stream(conn)
        })
    }
}

/// The next number of the same side. There are two thousand million of them, and keys are renewed, with their link, long before.
const fn after(number: StreamNumber) -> StreamNumber {
    StreamNumber(number.0.saturating_add(2))
}

const fn is_even(number: StreamNumber) -> bool {
    number.0.is_multiple_of(2)
}

#[cfg(test)]
mod tests;
