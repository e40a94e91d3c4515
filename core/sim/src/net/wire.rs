//! One connection: its two ends, and what becomes of what is sent between them.

use std::net::SocketAddr;

use simplechat_core::machine::ConnId;
use simplechat_core::time::Timestamp;

use super::{HostId, Kind};

/// The two ends of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Side {
    Caller,
    Callee,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Caller, Self::Callee];

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

/// What becomes of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It lasts as long as it is wanted.
    Whole,
    /// It breaks after so many bytes in all, and both ends hear of it.
    BreaksAfter(usize),
    /// It breaks when all of the question has arrived and the answer is to be sent.
    BreaksBeforeAnswer,
    /// After so many bytes in all nothing arrives any more, and nobody is told.
    LostAfter(usize),
    /// It is broken or lost: nothing more is carried.
    Over,
}

/// What a connection does to bytes that are sent on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Toll {
    Nothing,
    /// So many arrive, and then both ends hear that it is broken.
    BreaksAfter(usize),
    /// So many arrive, and nothing more ever.
    LostAfter(usize),
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct End {
    pub(super) host: HostId,
    pub(super) conn: ConnId,
    /// Whether it still wants to hear of this connection.
    pub(super) open: bool,
    /// Whether it has heard that the connection stands.
    pub(super) stands: bool,
    /// It is to last: no deadline ends it.
    pub(super) kept: bool,
    /// Something that was sent to it got lost, so what comes behind cannot arrive either.
    pub(super) deaf: bool,
    /// Nothing sent to this end arrives before what was sent earlier.
    pub(super) busy_until: Timestamp,
    /// Where the latest bytes for it are in the queue, unless something is queued behind them.
    pub(super) latest: Option<(Timestamp, u64)>,
}

impl End {
    pub(super) const fn new(host: HostId, conn: ConnId, now: Timestamp) -> Self {
        Self {
            host,
            conn,
            open: true,
            stands: false,
            kept: false,
            deaf: false,
            busy_until: now,
            latest: None,
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) caller: End,
    pub(super) callee: End,
    /// Where the connection was made to.
    pub(super) listener: SocketAddr,
    pub(super) dialled_at: Timestamp,
    pub(super) fate: Fate,
    /// Bytes sent on it in all.
    carried: usize,
}

impl Wire {
    pub(super) const fn new(
        caller: End,
        callee: End,
        listener: SocketAddr,
        dialled_at: Timestamp,
    ) -> Self {
        Self {
            caller,
            callee,
            listener,
            dialled_at,
            fate: Fate::Whole,
            carried: 0,
        }
    }

    pub(super) const fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Caller => &mut self.caller,
            Side::Callee => &mut self.callee,
        }
    }

    /// The kind of the address that was dialled.
    pub(super) const fn kind(&self) -> Kind {
        Kind::of(self.listener.ip())
    }

    /// Counts bytes that one side sends, and says what becomes of them.
    pub(super) fn take_toll(&mut self, sender: Side, len: usize) -> Toll {
        let left = |after: usize| after.saturating_sub(self.carried);
        let toll = match self.fate {
            Fate::Over => Toll::LostAfter(0),
            Fate::BreaksAfter(after) if len >= left(after) => Toll::BreaksAfter(left(after)),
            Fate::LostAfter(after) if len >= left(after) => Toll::LostAfter(left(after)),
            Fate::BreaksBeforeAnswer if sender == Side::Callee => Toll::BreaksAfter(0),
            Fate::Whole | Fate::BreaksAfter(_) | Fate::LostAfter(_) | Fate::BreaksBeforeAnswer => {
                Toll::Nothing
            }
        };
        self.carried += len;
        if toll != Toll::Nothing {
            self.fate = Fate::Over;
        }
        toll
    }
}
