//! Records: what a client has a store keep, so that one that starts again is the same client and goes on where it was.
//!
//! The records of a client's life, in their order, are its log, as with a server (see `server::record`). A store may keep the log
//! as it is or only what it comes to; [`Client::restore`](super::Client::restore) is what each record means. Records of one
//! batch are stored all or none, and batches in their order, with those that go with what is shown among them.
//!
//! Texts are in here once: what the user wrote in [`Record::Wished`] and [`Record::Written`]. What others wrote is in the events
//! that are shown together with [`Record::Shown`]; whether a store keeps that too, as a history, is its own affair.

use alloc::vec::Vec;
use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::id::{InstanceId, IntroductionId, Seq};
use crate::key::PublicKey;
use crate::name::Name;
use crate::time::WallTime;
use crate::wire::Term;
use crate::wire::peer::PrivateMessage;
use crate::wire::request::{Operation, Outcome};

/// A change of what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// Which client this is. The first record of a store.
    Began {
        /// Its outbox.
        instance: InstanceId,
        /// The number of the next wish: the first one, unless a store has forgotten wishes that are done with.
        next_wish: Seq,
        /// The number of the next private message, likewise.
        next_private: Seq,
    },
    /// The user wished something of the server. It is sent once this is stored. Numbers rise by one, and none is used twice.
    Wished {
        /// Its number in the outbox.
        seq: Seq,
        /// What.
        operation: Operation,
        /// When.
        at: WallTime,
    },
    /// The server has given its final word on a wish, which is in the outbox no more. Words come in the order of the wishes.
    Answered {
        /// Which.
        seq: Seq,
        /// The word.
        outcome: Outcome,
    },
    /// Somebody was introduced whom the user agrees to be introduced to in this wish, which has no answer yet: that is not good
    /// for another introduction.
    Fulfilled {
        /// Which wish.
        seq: Seq,
    },
    /// A message that the server had kept has arrived.
    Delivered {
        /// Which.
        seq: Seq,
    },
    /// A message that the server had kept is kept no more: nobody has fetched it in time.
    Expired {
        /// Which.
        seq: Seq,
    },
    /// The user wrote to a peer. It is sent once this is stored. Numbers rise, over all peers together.
    Written {
        /// To whom.
        to: Name,
        /// What.
        message: PrivateMessage,
    },
    /// A peer has the private messages up to a number.
    Taken {
        /// Who.
        by: Name,
        /// The last one.
        through: Seq,
    },
    /// Those of the private messages that wait for a peer and are in no mail yet, up to a number, are in one.
    Posted {
        /// For whom.
        to: Name,
        /// The last one in it.
        through: Seq,
        /// The number of the wish that the mail is.
        wish: Seq,
    },
    /// The mails for a peer are lost: what waits for them is in none any more.
    MailLost {
        /// For whom.
        to: Name,
    },
    /// The private messages that wait for somebody will not be sent.
    GivenUp {
        /// Whom they were for.
        to: Name,
    },
    /// A message of somebody else's is shown, and so is nothing of the same way and client up to its number any more.
    Shown {
        /// How it came.
        route: Route,
        /// Whose it is.
        from: Name,
        /// Of which of their clients.
        instance: InstanceId,
        /// Which.
        seq: Seq,
    },
    /// Somebody is in the address book, in place of the entry that they had, or the same with other addresses. What waits for them
    /// goes on waiting.
    Peer {
        /// Who.
        peer: Name,
        /// How the server made them a peer.
        introduction: IntroductionId,
        /// What their client is known by.
        key: PublicKey,
        /// Where they may be, the likeliest first.
        candidates: Vec<SocketAddr>,
        /// For how long.
        term: Term,
    },
    /// A peer is logged in from another client.
    Elsewhere {
        /// Who.
        peer: Name,
    },
    /// Somebody is in the address book no more. What waits for them waits for another introduction, unless it is given up.
    PeerGone {
        /// Who.
        peer: Name,
    },
    /// Somebody was introduced with this key, which is not marked; a mark of another key of theirs has fallen.
    Met {
        /// Who.
        peer: Name,
        /// What they are known by.
        key: PublicKey,
    },
    /// The user has compared this key and marked it.
    Verified {
        /// Whose.
        peer: Name,
        /// The key.
        key: PublicKey,
    },
    /// The user has agreed to so many introductions to somebody that have not come yet.
    Consented {
        /// To whom.
        to: Name,
        /// How many; with none it is over.
        introductions: u32,
        /// Until when they are good.
        until: WallTime,
    },
}

impl Record {
    /// Whether no client has written it. Numbers are counted from 1, so none is near the end of them.
    pub(super) const fn is_damaged(&self) -> bool {
        const END: u64 = u64::MAX / 2;
        match self {
            Self::Began {
                next_wish,
                next_private,
                ..
            } => next_wish.0 > END || next_private.0 > END,
            Self::Written { message, .. } => message.seq.0 > END,
            Self::Wished { seq, .. }
            | Self::Answered { seq, .. }
            | Self::Fulfilled { seq }
            | Self::Delivered { seq }
            | Self::Expired { seq }
            | Self::Taken { through: seq, .. }
            | Self::Shown { seq, .. } => seq.0 > END,
            Self::Posted { through, wish, .. } => through.0 > END || wish.0 > END,
            Self::GivenUp { .. }
            | Self::MailLost { .. }
            | Self::Peer { .. }
            | Self::Elsewhere { .. }
            | Self::PeerGone { .. }
            | Self::Met { .. }
            | Self::Verified { .. }
            | Self::Consented { .. } => false,
        }
    }
}

/// How a message comes. Each route has an order of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Route {
    /// Through the server.
    Server,
    /// From a peer, privately.
    Direct,
}
