//! Consents: to whose introduction the user has said yes, by asking or by accepting.
//!
//! The server introduces only two who have both agreed, so an introduction that this user did not agree to is the server's own
//! doing, and its key need not be anybody's. Each consent is good for one introduction. It is counted from the server's word on it; until
//! then it stands in the outbox (see `outbox`), as a server that has forgotten it does it anew.
//!
//! It is not the server's denials that end a consent: a server that lies would not say them, and one that is honest may say one
//! twice. It ends by time, which is long: an introduction that was agreed to waits at the server while this client is away.

use core::time::Duration;

use crate::limits::CONSENTS_MAX;
use crate::lru::LruMap;
use crate::name::Name;
use crate::time::Timestamp;

/// How long an introduction may take to come: who asks and goes on holiday may be answered meanwhile.
const GOOD_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[derive(Debug)]
struct Consent {
    introductions: u32,
    until: Timestamp,
}

/// With whom the user has agreed to be introduced, and is not yet.
#[derive(Debug)]
pub(super) struct Consents {
    given: LruMap<Name, Consent>,
}

impl Consents {
    pub(super) fn new() -> Self {
        Self {
            given: LruMap::new(CONSENTS_MAX),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.given.len()
    }

    /// The server has taken a yes to somebody.
    pub(super) fn give(&mut self, now: Timestamp, to: Name) {
        let consent = self.at(now, to);
        consent.introductions = consent.introductions.saturating_add(1);
    }

    /// The server says that a yes from before still stands.
    pub(super) fn confirm(&mut self, now: Timestamp, to: Name) {
        let consent = self.at(now, to);
        consent.introductions = consent.introductions.max(1);
    }

    fn at(&mut self, now: Timestamp, to: Name) -> &mut Consent {
        let fresh = || Consent {
            introductions: 0,
            until: now,
        };
        let consent = self.given.entry(to, fresh);
        if consent.until <= now {
            consent.introductions = 0;
        }
        consent.until = now + GOOD_FOR;
        consent
    }

    /// To how many introductions to somebody the user has agreed, and until when.
    pub(super) fn standing(&self, to: Name) -> Option<(u32, Timestamp)> {
        let consent = self.given.peek(&to)?;
        Some((consent.introductions, consent.until))
    }

    /// All of them, with how many introductions each is good for.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Name, u32)> {
        self.given
            .iter()
            .map(|(to, consent)| (*to, consent.introductions))
    }

    /// So many that an earlier life of this client was given are good for so long.
    pub(super) fn restore(&mut self, now: Timestamp, to: Name, introductions: u32, rest: Duration) {
        self.given.remove(&to);
        if introductions > 0 && !rest.is_zero() {
            // Clocks may have been set: none is good for longer than a new one.
            let until = now + rest.min(GOOD_FOR);
            self.given.entry(to, || Consent {
                introductions,
                until,
            });
        }
    }

    /// Somebody is introduced: whether the user has agreed to it. That is used up by it.
    pub(super) fn take(&mut self, now: Timestamp, to: Name) -> bool {
        let Some(consent) = self.given.peek_mut(&to) else {
            return false;
        };
        let is_good = consent.until > now && consent.introductions > 0;
        consent.introductions = consent.introductions.saturating_sub(1);
        if !is_good || consent.introductions == 0 {
            self.given.remove(&to);
        }
        is_good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bob() -> Name {
        "bob".parse().unwrap()
    }

    const END: u64 = 30 * 24 * 60 * 60;

    #[test]
    fn a_yes_is_good_for_one_introduction() {
        let mut consents = Consents::new();
        let now = Timestamp::from_secs(1);
        assert!(!consents.take(now, bob()));
        consents.give(now, bob());
        consents.give(now, bob());
        assert!(!consents.take(now, "carol".parse().unwrap()));
        assert!(consents.take(now, bob()));
        assert!(consents.take(now, bob()));
        assert!(!consents.take(now, bob()));
        assert_eq!(consents.len(), 0);
    }

    #[test]
    fn a_yes_that_still_stands_is_not_a_second_one() {
        let mut consents = Consents::new();
        let now = Timestamp::from_secs(1);
        consents.give(now, bob());
        consents.confirm(now, bob());
        assert!(consents.take(now, bob()));
        assert!(!consents.take(now, bob()));
        consents.confirm(now, bob());
        assert!(consents.take(now, bob()));
    }

    #[test]
    fn a_yes_is_forgotten_in_the_end() {
        let mut consents = Consents::new();
        consents.give(Timestamp::from_secs(0), bob());
        assert!(!consents.take(Timestamp::from_secs(END), bob()));
        consents.give(Timestamp::from_secs(0), bob());
        assert!(consents.take(Timestamp::from_secs(END - 1), bob()));
        consents.give(Timestamp::from_secs(0), bob());
        consents.give(Timestamp::from_secs(END), bob());
        assert!(consents.take(Timestamp::from_secs(END), bob()));
        assert!(!consents.take(Timestamp::from_secs(END), bob()));
    }

    #[test]
    fn they_are_bounded() {
        let mut consents = Consents::new();
        for number in 0..=CONSENTS_MAX {
            let name = alloc::format!("user{number}").parse().unwrap();
            consents.give(Timestamp::ZERO, name);
        }
        assert_eq!(consents.len(), CONSENTS_MAX);
    }
}
