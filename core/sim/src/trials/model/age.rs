//! How old a text may be for the server, which goes by its wall clock for what an earlier one kept.

use std::time::Duration;

use simplechat_core::client::ledger::MessageNumber;
use simplechat_core::name::Name;
use simplechat_core::time::Timestamp;

use super::Model;
use super::letters::Letter;
use crate::world::ClientId;

/// How far the server's wall clock was set in all.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClockChanges {
    forward: Duration,
    back: Duration,
}

impl ClockChanges {
    /// It was set by so many milliseconds.
    pub fn note(&mut self, by: i64) {
        let change = Duration::from_millis(by.unsigned_abs());
        if by > 0 {
            self.forward += change;
        } else {
            self.back += change;
        }
    }
}

impl Model {
    /// A client is told that texts of its user's have expired.
    pub(super) fn apply_expired(
        &mut self,
        at: Timestamp,
        id: ClientId,
        user: Option<Name>,
        to: Name,
        numbers: &[MessageNumber],
        count: u32,
    ) {
        for number in numbers {
            let text = self
                .letters
                .numbered(id, number.0)
                .map(|letter| letter.text.clone());
            if let Some(letter) = text.and_then(|text| self.letters.find(&text)) {
                self.letters.get_mut(letter).expired = Some(at);
            }
        }
        let elsewhere = count.saturating_sub(u32::try_from(numbers.len()).unwrap_or(u32::MAX));
        if let Some(user) = user {
            *self.expired_elsewhere.entry((user, to)).or_default() += elsewhere;
        }
    }

    /// Whether a user may be taken for a later account of their name than they are, by a clock that was set back.
    #[must_use]
    pub fn may_be_another(&self, user: Name) -> bool {
        self.clock_changes.back > Duration::ZERO && self.changed.contains_key(&user)
    }

    /// Whether a text may be too old to be kept.
    #[must_use]
    pub fn may_have_expired(&self, letter: &Letter, at: Timestamp) -> bool {
        at.since(letter.wished) + self.clock_changes.forward >= self.settings.mailbox_age.into()
    }

    /// Whether a text must be, for so long at least.
    #[must_use]
    pub fn must_have_expired(&self, letter: &Letter, at: Timestamp, since: Duration) -> bool {
        let Some((stored, _)) = letter.word else {
            return false;
        };
        let age = Duration::from(self.settings.mailbox_age) + self.clock_changes.back;
        at.since(stored) >= age + since
    }
}
