//! Login lockout: how often one may guess a password.
//!
//! After `attempts_max` failures in a row an account refuses logins from that source for `block_time`, the right
//! password too. An attempt counts from its arrival until it succeeds, so many at once get no more tries than one after
//! the other. Names are counted whether such an account exists or not.
//!
//! The lock must not be a weapon: it is counted by account *and* source, so a stranger's failures do not lock out the
//! owner elsewhere. Behind it stands a budget for the whole account against guessing from many sources; it refuses only
//! sources from which, and keys with which, the account has not logged in lately: so its owner gets in from a new place with
//! the device that they have.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::key::PublicKey;
use crate::limits::{KNOWN_KEYS_MAX, KNOWN_SOURCES_MAX, LOCKOUT_ENTRIES_MAX};
use crate::lru::LruMap;
use crate::name::Name;
use crate::source::Source;
use crate::time::Timestamp;

/// How long a source and a key stay known to an account after a login from it and with it.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The settings of the lockout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockoutConfig {
    /// What is counted together.
    pub rule: LockoutRule,
    /// Failures in a row until the lock.
    pub attempts_max: u32,
    /// How long the lock holds.
    pub block_time: Duration,
    /// Failures within `account_window` that an account takes from sources and keys that it does not know.
    pub account_failures_max: u32,
    /// See `account_failures_max`.
    pub account_window: Duration,
}

impl Default for LockoutConfig {
    fn default() -> Self {
        Self {
            rule: LockoutRule::AccountAndSource,
            attempts_max: 3,
            block_time: Duration::from_secs(60),
            account_failures_max: 30,
            account_window: Duration::from_secs(10 * 60),
        }
    }
}

/// What failed attempts are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockoutRule {
    /// By account and source, with a budget for the account behind it.
    AccountAndSource,
    /// By account alone: simple, and anybody can lock anybody out.
    Account,
}

/// Where an attempt comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Provenance {
    /// The place.
    pub source: Source,
    /// What the caller has proved to be known by.
    pub key: PublicKey,
}

/// An attempt that was let through. It counts as failed until [`Lockout::succeed`] says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "an attempt stays unresolved until it succeeds or fails"]
pub struct Attempt {
    name: Name,
    provenance: Provenance,
    /// Whether it counts against the account's budget: not where the account is known to come from, nor with a key of its own.
    budgeted: bool,
}

/// Why an attempt is not even tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denied {
    /// Too many failures; try again after this.
    Locked(Duration),
    /// As many attempts as may still fail are being checked right now.
    Busy,
}

#[derive(Debug, Default)]
struct Count {
    failed: u32,
    unresolved: u32,
    locked_until: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Budget {
    failures: VecDeque<Timestamp>,
    unresolved: u32,
}

/// What was seen lately, the oldest first.
#[derive(Debug)]
struct Recent<T> {
    seen: VecDeque<(T, Timestamp)>,
}

impl<T: PartialEq> Recent<T> {
    const fn new() -> Self {
        Self {
            seen: VecDeque::new(),
        }
    }

    fn note(&mut self, at: Timestamp, what: T, capacity: usize) {
        self.seen.retain(|(earlier, _)| *earlier != what);
        if self.seen.len() == capacity {
            self.seen.pop_front();
        }
        self.seen.push_back((what, at));
    }

    fn has(&self, now: Timestamp, what: &T) -> bool {
        let is_it = |(seen, at): &(T, Timestamp)| seen == what && now.since(*at) < KNOWN_FOR;
        self.seen.iter().any(is_it)
    }
}

/// Where an account has logged in from, and with what.
#[derive(Debug)]
struct Known {
    sources: Recent<Source>,
    keys: Recent<PublicKey>,
}

impl Known {
    const fn new() -> Self {
        Self {
            sources: Recent::new(),
            keys: Recent::new(),
        }
    }
}

/// Counts failed logins.
#[derive(Debug)]
pub struct Lockout {
    config: LockoutConfig,
    counts: LruMap<(Name, Option<Source>), Count>,
    budgets: LruMap<Name, Budget>,
    known: BTreeMap<Name, Known>,
}

impl Lockout {
    /// Nobody has tried yet.
    #[must_use]
    pub fn new(config: LockoutConfig) -> Self {
        Self {
            config,
            counts: LruMap::new(LOCKOUT_ENTRIES_MAX),
            budgets: LruMap::new(LOCKOUT_ENTRIES_MAX),
            known: BTreeMap::new(),
        }
    }

    /// How many accounts and sources it remembers.
    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }

    /// Lets an attempt through, or says why not.
    ///
    /// # Errors
    ///
    /// While the account is locked for this source, and while enough attempts are under way to lock it.
    pub fn admit(
        &mut self,
        now: Timestamp,
        name: Name,
        provenance: Provenance,
    ) -> Result<Attempt, Denied> {
        let attempt = Attempt {
            name,
            provenance,
            budgeted: self.is_budgeted(now, name, provenance),
        };
        if attempt.budgeted {
            self.check_budget(now, name)?;
        }
        let attempts_max = self.config.attempts_max;
        let count = self
            .counts
            .entry(self.key(name, provenance.source), Count::default);
        if let Some(until) = count.locked_until {
            if now < until {
                return Err(Denied::Locked(until.since(now)));
            }
            count.locked_until = None;
            count.failed = 0;
        }
        if count.failed.saturating_add(count.unresolved) >= attempts_max {
            return Err(Denied::Busy);
        }
        count.unresolved += 1;
        if attempt.budgeted {
            self.budgets.entry(name, Budget::default).unresolved += 1;
        }
        Ok(attempt)
    }

    /// The password was right: the count starts anew, and where it came from is known from now on.
    pub fn succeed(&mut self, now: Timestamp, attempt: Attempt) {
        self.resolve_budget(attempt);
        let key = self.key(attempt.name, attempt.provenance.source);
        let count = self.counts.entry(key, Count::default);
        count.unresolved = count.unresolved.saturating_sub(1);
        count.failed = 0;
        count.locked_until = None;
        if count.unresolved == 0 {
            self.counts.remove(&key);
        }
        self.note_known(now, attempt.name, attempt.provenance);
    }

    /// Notes that the account has logged in from there.
    pub(super) fn note_known(&mut self, at: Timestamp, name: Name, provenance: Provenance) {
        let known = self.known.entry(name).or_insert_with(Known::new);
        known.sources.note(at, provenance.source, KNOWN_SOURCES_MAX);
        known.keys.note(at, provenance.key, KNOWN_KEYS_MAX);
    }

    /// The account is no more: where it came from says nothing of a new one. Guesses go on counting.
    pub(super) fn forget(&mut self, name: Name) {
        self.known.remove(&name);
    }

    /// Whether a name is locked for a source: until when, and whether for that source alone.
    pub(super) fn locked(
        &self,
        now: Timestamp,
        name: Name,
        source: Source,
    ) -> Option<(Timestamp, Option<Source>)> {
        let key = self.key(name, source);
        let until = self.counts.peek(&key)?.locked_until?;
        (now < until).then_some((until, key.1))
    }

    /// What outlives a restart, a line for each name.
    pub(super) fn remembered(&self) -> Vec<String> {
        let known = self.known.iter();
        let known = known.map(|(name, known)| format!("{name} is known: {known:?}"));
        let counts = self.counts.iter_by_use();
        let counts = counts.map(|(key, count)| format!("{key:?}: {count:?}"));
        known.chain(counts).collect()
    }

    /// Locks a name again as it was before a restart, for no longer than a new lock would hold.
    pub(super) fn restore_lock(
        &mut self,
        now: Timestamp,
        name: Name,
        source: Option<Source>,
        rest: Duration,
    ) {
        if rest.is_zero() {
            // This is the last word on it, whatever was said before.
            self.counts.remove(&(name, source));
            return;
        }
        let count = self.counts.entry((name, source), Count::default);
        count.failed = self.config.attempts_max;
        count.locked_until = Some(now + rest.min(self.config.block_time));
    }

    /// The password was wrong. Gives how many attempts are left before the lock.
    pub fn fail(&mut self, now: Timestamp, attempt: Attempt) -> u32 {
        self.resolve_budget(attempt);
        if attempt.budgeted {
            let failures_max =
                usize::try_from(self.config.account_failures_max).unwrap_or(usize::MAX);
            let budget = self.budgets.entry(attempt.name, Budget::default);
            if budget.failures.len() >= failures_max {
                budget.failures.pop_front();
            }
            budget.failures.push_back(now);
        }
        let count = self.counts.entry(
            self.key(attempt.name, attempt.provenance.source),
            Count::default,
        );
        count.unresolved = count.unresolved.saturating_sub(1);
        count.failed = count.failed.saturating_add(1);
        if count.failed >= self.config.attempts_max {
            count.locked_until = Some(now + self.config.block_time);
        }
        self.config.attempts_max.saturating_sub(count.failed)
    }

    fn key(&self, name: Name, source: Source) -> (Name, Option<Source>) {
        match self.config.rule {
            LockoutRule::AccountAndSource => (name, Some(source)),
            LockoutRule::Account => (name, None),
        }
    }

    fn is_budgeted(&self, now: Timestamp, name: Name, provenance: Provenance) -> bool {
        let is_known = || {
            self.known.get(&name).is_some_and(|known| {
                known.sources.has(now, &provenance.source) || known.keys.has(now, &provenance.key)
            })
        };
        self.config.rule == LockoutRule::AccountAndSource && !is_known()
    }

    fn check_budget(&mut self, now: Timestamp, name: Name) -> Result<(), Denied> {
        let (window, failures_max) = (
            self.config.account_window,
            u64::from(self.config.account_failures_max),
        );
        let Some(budget) = self.budgets.peek_mut(&name) else {
            return Ok(());
        };
        while budget
            .failures
            .front()
            .is_some_and(|at| now.since(*at) >= window)
        {
            budget.failures.pop_front();
        }
        let failed = u64::try_from(budget.failures.len()).unwrap_or(u64::MAX);
        if failed.saturating_add(u64::from(budget.unresolved)) < failures_max {
            return Ok(());
        }
        match budget.failures.front() {
            Some(oldest) if failed >= failures_max => {
                Err(Denied::Locked((*oldest + window).since(now)))
            }
            _ => Err(Denied::Busy),
        }
    }

    fn resolve_budget(&mut self, attempt: Attempt) {
        if !attempt.budgeted {
            return;
        }
        if let Some(budget) = self.budgets.peek_mut(&attempt.name) {
            budget.unresolved = budget.unresolved.saturating_sub(1);
            if budget.unresolved == 0 && budget.failures.is_empty() {
                self.budgets.remove(&attempt.name);
            }
        }
    }
}

#[cfg(test)]
mod tests;
