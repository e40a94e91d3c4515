//! The wire: bytes to legal messages and back, everything bounded. `docs/PROTOCOL.md` describes it for other programs.
//!
//! ```text
//! bytes ── deframer ── frame ── channel ── item ── login | request | push | peer
//! ```

pub mod deframer;
pub mod frame;
pub mod item;
pub mod login;
pub mod peer;
pub mod push;
pub mod request;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

/// Random bytes that only the holder of the right keys can send back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Challenge(pub [u8; 16]);

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
