//! Records: what a server has a store keep, so that one that starts again goes on where the last one was.
//!
//! The records of one server's life, in their order, are its log. A store may keep the log as it is or only what it comes
//! to; [`Server::restore`](super::Server::restore) is what each record means. Records of one batch are stored all or none,
//! and batches in their order.

use alloc::vec::Vec;
use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::id::{InstanceId, IntroductionId, LoginNumber, Seq};
use crate::key::PublicKey;
use crate::name::Name;
use crate::time::WallTime;
use crate::wire::Term;
use crate::wire::mail::Mail;
use crate::wire::push::{Delivery, Expired, Push};
use crate::wire::request::Outcome;

/// A change of what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A message is in a mailbox.
    Kept {
        /// Whose mailbox.
        to: Name,
        /// Where in it: messages leave in the order of their places.
        place: u64,
        /// The message.
        message: Delivery,
    },
    /// A mail is in a mailbox.
    KeptMail {
        /// Whose mailbox.
        to: Name,
        /// The only client that gets it.
        key: PublicKey,
        /// Where in it, as with a message.
        place: u64,
        /// The mail.
        mail: Mail,
    },
    /// The messages of a mailbox up to a place have been delivered, and the mails among them that are for this client.
    Taken {
        /// Whose mailbox.
        to: Name,
        /// What the client is known by.
        key: PublicKey,
        /// The last one delivered.
        through: u64,
    },
    /// Messages that nobody fetched in time are in a mailbox no more. Their authors have to be told, besides what they have to
    /// be told already.
    Expired {
        /// Whose mailbox.
        to: Name,
        /// The last of them; `None` if they have left it before.
        through: Option<u64>,
        /// Whom to tell what.
        untold: Vec<(Name, Expired)>,
    },
    /// A user has been told of some that expired.
    ToldExpired {
        /// Who wrote them.
        user: Name,
        /// What was told.
        told: Expired,
    },
    /// What a client instance was or will be answered, in place of what was kept of it before. Its other numbers from the
    /// lowest unanswered one on have left no trace, and are done when they come again.
    Outcomes {
        /// Whose client.
        user: Name,
        /// Which client.
        instance: InstanceId,
        /// It knows the outcomes of all numbers below.
        lowest_unanswered: Seq,
        /// The outcomes from there on.
        outcomes: Vec<(Seq, Outcome)>,
    },
    /// A client has logged in. Notices for another one are forgotten, and numbers of messages that another one sent.
    LoggedIn {
        /// Whose client.
        user: Name,
        /// Which client.
        instance: InstanceId,
        /// What it is known by.
        key: PublicKey,
        /// The number of its login.
        number: LoginNumber,
        /// Where it came from, which is known to the account from now on.
        from: IpAddr,
        /// When.
        at: WallTime,
    },
    /// Logins were refused so often that they are locked out.
    LockedOut {
        /// The name that was given, which may be no account.
        name: Name,
        /// From where; `None` if from everywhere.
        from: Option<IpAddr>,
        /// Until when.
        until: WallTime,
    },
    /// A user has blocked another: what the other sent and was not delivered is gone, and what the other asks is hidden.
    Blocked {
        /// Who blocked.
        by: Name,
        /// Whom.
        user: Name,
    },
    /// A user has taken that back.
    Unblocked {
        /// Who had blocked.
        by: Name,
        /// Whom.
        user: Name,
    },
    /// A question for an address is open, in place of the same one in another state.
    Asked {
        /// Who asks.
        asker: Name,
        /// Who is asked.
        asked: Name,
        /// How it stands.
        state: QuestionState,
        /// For how long the two would know each other: what the asker chose, or what both did.
        term: Term,
        /// Until when it may be answered.
        expires: WallTime,
    },
    /// A question is open no more.
    QuestionClosed {
        /// Who asked.
        asker: Name,
        /// Who was asked.
        asked: Name,
    },
    /// Two users are introduced, in place of an earlier time.
    Introduced {
        /// One.
        a: Name,
        /// The other.
        b: Name,
        /// Which introduction it is.
        id: IntroductionId,
        /// For how long.
        term: Term,
    },
    /// Two users are introduced no more.
    Parted {
        /// One.
        a: Name,
        /// The other.
        b: Name,
    },
    /// A user's client has to be told something, in place of what it was to be told on the same subject.
    Notice {
        /// Whose client.
        to: Name,
        /// On what.
        subject: Subject,
        /// What.
        push: Push,
    },
    /// A user's client has been told the notice on a subject.
    Told {
        /// Whose client.
        to: Name,
        /// On what.
        subject: Subject,
    },
    /// An account is no more: everything that is kept for it is gone, and a later one of that name is another.
    Removed {
        /// Whose it was.
        user: Name,
    },
}

impl Record {
    /// Whether no server has written it. Places are counted from 0, so none is near the end of the numbers.
    pub(super) const fn is_damaged(&self) -> bool {
        matches!(
            self,
            Self::Kept { place, .. }
            | Self::KeptMail { place, .. }
            | Self::Taken { through: place, .. }
            | Self::Expired { through: Some(place), .. }
            if *place > u64::MAX / 2
        )
    }
}

/// What a notice is about: a later one on the same subject takes the place of an earlier one that still waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Subject {
    /// The user's question for this name's address.
    OwnQuestion(Name),
    /// This name's question for the user's address.
    Question(Name),
    /// What is between the user and this name.
    Introduction(Name),
    /// The session or the server.
    Server,
    /// Where this peer may be reached, or that they are not there.
    Addresses(Name),
    /// The mails that this client left for a peer.
    Mail(Name),
}

impl Subject {
    /// Whether a notice on it is still of use to a client that comes back after the server did.
    pub(super) const fn outlives_the_server(self) -> bool {
        match self {
            Self::OwnQuestion(_) | Self::Introduction(_) | Self::Mail(_) => true,
            // Open questions are asked anew, as peers are told where they are, and what was told of the server is history.
            Self::Question(_) | Self::Addresses(_) | Self::Server => false,
        }
    }
}

/// How an open question stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum QuestionState {
    /// The addressee may answer it.
    Shown,
    /// It stays open for the asker alone.
    Hidden,
    /// The addressee said yes, and one of the two has no address yet.
    Agreed,
}
