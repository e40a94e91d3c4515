//! Names for machines: newtypes, so that one kind of id is never taken for another.

use core::fmt;

use serde::{Deserialize, Serialize};

/// One client's outbox: random, 128 bits, as old as the messages waiting in it. An account has a new one for each client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstanceId(pub [u8; 16]);

/// Names the keys that a frame is sealed with: those of a client and the server, or of two peers. Both sides have it from
/// their handshake, and nobody can guess it. 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(pub [u8; 16]);

/// Tells the introductions of two users apart. Random, 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IntroductionId(pub [u8; 16]);

/// A number in the order of what one client instance sends on one route; the first is 1.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct Seq(pub u64);

/// Numbers the logins of an account that a person started. A later one is higher, also over a restart of the server.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct LoginNumber(pub u64);

/// Numbers what the server pushes to one session; the first is 1.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct BatchNumber(pub u64);

/// Tells the answers to a client's questions about who is online apart.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct QueryNumber(pub u32);

/// Numbers the streams of a held link: even ones are opened by the side that made the connection, odd ones by the other.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct StreamNumber(pub u32);

/// What a machine calls an effect until its result is back.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct EffectId(pub u64);

impl Seq {
    /// The first number of an instance.
    pub const FIRST: Self = Self(1);

    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// How many numbers from `earlier` to this one; 0 if it is not after it.
    #[must_use]
    pub const fn distance_from(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

fn write_short_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes
        .iter()
        .take(4)
        .try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Debug for InstanceId {
    /// The first eight digits: enough to tell them apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_short_hex(f, &self.0)
    }
}

impl fmt::Debug for IntroductionId {
    /// The first eight digits: enough to tell them apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_short_hex(f, &self.0)
    }
}

impl fmt::Debug for SessionId {
    /// The first eight digits: enough to tell them apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_short_hex(f, &self.0)
    }
}
