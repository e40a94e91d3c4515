//! Admission: who may begin a handshake.
//!
//! A handshake costs the server a public-key operation, and anybody can ask for one. So they are counted before that:
//! by [`Source`], how many begin in a time and how many are under way, and how many are under way in all. Those who
//! come with a valid admission cookie have been here lately; they have a budget of their own in which strangers cannot
//! get, so that an office behind one address comes back after a restart of the server, whoever else calls meanwhile. A cookie
//! says under a seal whose it is, and few handshakes of one account are under way: who gives their cookies away fills no more
//! places than that, from wherever they are used.
//!
//! What comes in a session that lives is not counted here: that is its account's (see [`super::allowance`]).

use alloc::collections::BTreeMap;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::limits::{
    HANDSHAKE_SOURCES_MAX, HANDSHAKES_MAX, HANDSHAKES_PER_ACCOUNT_MAX, HANDSHAKES_PER_SOURCE_MAX,
};
use crate::lru::LruMap;
use crate::name::Name;
use crate::rate::{Bucket, Rate};
use crate::source::Source;
use crate::time::Timestamp;

/// How often a source may begin a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmissionConfig {
    /// Without a cookie.
    pub strangers: Rate,
    /// With one.
    pub returning: Rate,
}

impl Default for AdmissionConfig {
    fn default() -> Self {
        Self {
            strangers: Rate::per_minute(240),
            returning: Rate::per_minute(5_000),
        }
    }
}

/// What a handshake is counted against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Budget {
    /// That of everybody.
    Strangers,
    /// That of those who showed a valid admission cookie, which this account was given.
    Returning(AccountTag),
}

/// Tells accounts apart, by and large: two that have the same share their places.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AccountTag(pub(super) u32);

impl AccountTag {
    /// That of the account of this name.
    #[must_use]
    pub fn of(name: Name) -> Self {
        let digest: [u8; 32] = Sha256::digest(name.as_str()).into();
        let [first, second, third, fourth, ..] = digest;
        Self(u32::from_be_bytes([first, second, third, fourth]))
    }
}

/// A handshake that may begin. It is under way until it is given back to [`Admission::finish`].
#[derive(PartialEq, Eq, Debug)]
#[must_use = "a handshake is under way until it is finished or given up"]
pub struct Admitted {
    source: Source,
    budget: Budget,
}

/// Why a handshake may not begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denied {
    /// The source has begun too many; try again after this.
    TooOften(Duration),
    /// Too many of this source are under way.
    TooManyOfSource,
    /// Too many that came with cookies of this account are under way.
    TooManyOfAccount,
    /// Too many are under way.
    TooMany,
}

/// Counts handshakes.
#[derive(Debug)]
pub struct Admission {
    strangers: Door,
    returning: Door,
    /// How many are under way, of each account that has any.
    of_account: BTreeMap<AccountTag, usize>,
}

impl Admission {
    /// Nobody has called yet.
    #[must_use]
    pub fn new(config: AdmissionConfig) -> Self {
        Self {
            strangers: Door::new(config.strangers),
            returning: Door::new(config.returning),
            of_account: BTreeMap::new(),
        }
    }

    /// Lets a handshake begin, or says why not.
    ///
    /// # Errors
    ///
    /// When the source has begun too many lately, or too many are under way. What is refused costs the source nothing.
    pub fn admit(
        &mut self,
        now: Timestamp,
        source: Source,
        budget: Budget,
    ) -> Result<Admitted, Denied> {
        match budget {
            Budget::Strangers => self.strangers.enter(now, source)?,
            Budget::Returning(account) => {
                let of_account = self.of_account.get(&account).copied().unwrap_or(0);
                if of_account >= HANDSHAKES_PER_ACCOUNT_MAX {
                    return Err(Denied::TooManyOfAccount);
                }
                self.returning.enter(now, source)?;
                self.of_account.insert(account, of_account + 1);
            }
        }
        Ok(Admitted { source, budget })
    }

    /// A handshake has ended, whichever way, or its connection is gone.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "so that no handshake can end twice"
    )]
    pub fn finish(&mut self, admitted: Admitted) {
        match admitted.budget {
            Budget::Strangers => self.strangers.leave(admitted.source),
            Budget::Returning(account) => {
                self.returning.leave(admitted.source);
                take_one(&mut self.of_account, account);
            }
        }
    }

    /// How many handshakes are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.strangers.under_way + self.returning.under_way
    }

    /// How many sources it remembers.
    #[must_use]
    pub fn sources(&self) -> usize {
        self.strangers.buckets.len() + self.returning.buckets.len()
    }
}

/// Counts one less. Gives whether there was one.
fn take_one<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) -> bool {
    let Some(count) = counts.get_mut(&key) else {
        return false;
    };
    *count -= 1;
    if *count == 0 {
        counts.remove(&key);
    }
    true
}

/// The handshakes of one budget.
#[derive(Debug)]
struct Door {
    rate: Rate,
    buckets: LruMap<Source, Bucket>,
    /// How many are under way, of each source that has any. Apart from the buckets, of which one may be forgotten
    /// meanwhile.
    of_source: BTreeMap<Source, usize>,
    under_way: usize,
}

impl Door {
    fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: LruMap::new(HANDSHAKE_SOURCES_MAX),
            of_source: BTreeMap::new(),
            under_way: 0,
        }
    }

    fn enter(&mut self, now: Timestamp, source: Source) -> Result<(), Denied> {
        if self.under_way >= HANDSHAKES_MAX {
            return Err(Denied::TooMany);
        }
        let of_source = self.of_source.get(&source).copied().unwrap_or(0);
        if of_source >= HANDSHAKES_PER_SOURCE_MAX {
            return Err(Denied::TooManyOfSource);
        }
        self.buckets
            .entry(source, Bucket::default)
            .take(now, &self.rate)
            .map_err(Denied::TooOften)?;
        self.of_source.insert(source, of_source + 1);
        self.under_way += 1;
        Ok(())
    }

    fn leave(&mut self, source: Source) {
        if take_one(&mut self.of_source, source) {
            self.under_way -= 1;
        }
    }
}

#[cfg(test)]
mod tests;
