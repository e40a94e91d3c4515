//! The wire: bytes to legal messages and back, everything bounded. `docs/PROTOCOL.md` describes it for other programs.
//!
//! ```text
//! bytes ── deframer ── frame ── channel ── item ── login | request | push | peer | mail
//! ```

pub mod deframer;
pub mod frame;
pub mod item;
pub mod login;
pub mod mail;
pub mod peer;
pub mod push;
pub mod request;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

/// Random bytes that only the holder of the right keys can send back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Challenge(pub [u8; 16]);

/// For how long two users agree to be in each other's address books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Term {
    /// Until one of them logs out.
    #[default]
    UntilLogout,
    /// Until one of them removes or blocks the other. Both have to choose it.
    Lasting,
}

impl Term {
    /// What comes of two users' choices.
    #[must_use]
    pub fn agreed(self, other: Self) -> Self {
        self.min(other)
    }
}

/// Why two users are peers no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndReason {
    /// One of them removed or blocked the other.
    Removed,
    /// One of them logged out.
    LoggedOut,
    /// One of them is logged in from another client, which has another key.
    OtherClient,
}
