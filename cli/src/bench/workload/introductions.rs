//! Putting pairs into each other's address books, before they can write directly.

use std::collections::{BTreeSet, VecDeque};

use simplechat_core::client::command::{Command, Consent};
use simplechat_core::client::event::{Event, PeerEvent};
use simplechat_core::wire::Term;

use super::super::crowd::UserId;
use super::Stage;

/// Introductions under way at once.
const UNDER_WAY_MAX: usize = 32;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Introductions {
    to_ask: VecDeque<UserId>,
    under_way: usize,
    /// Who has the other in their address book.
    has_other: BTreeSet<UserId>,
    users: usize,
}

impl Introductions {
    pub(super) fn new(pairs: u32) -> Self {
        Self {
            to_ask: (0..pairs).map(|number| UserId(2 * number)).collect(),
            under_way: 0,
            has_other: BTreeSet::new(),
            users: usize::try_from(pairs).unwrap_or(usize::MAX) * 2,
        }
    }

    pub(super) fn are_made(&self) -> bool {
        self.has_other.len() == self.users
    }

    pub(super) fn begin(&mut self, stage: &mut Stage<'_>) {
        while self.under_way < UNDER_WAY_MAX
            && let Some(asker) = self.to_ask.pop_front()
        {
            let Some(user) = stage.crowd.name(UserId(asker.0 | 1)) else {
                continue;
            };
            self.under_way += 1;
            let term = Term::UntilLogout;
            // Should it be refused, nothing happens any more, and that is noticed.
            let _ = stage
                .crowd
                .command(asker, Command::GetAddress { user, term });
        }
    }

    pub(super) fn happened(&mut self, stage: &mut Stage<'_>, user: UserId, event: &Event) {
        if let Event::Peer(PeerEvent::AddressAsked { by, .. }) = event {
            let answer = Command::Answer {
                user: *by,
                consent: Consent::Yes(Term::UntilLogout),
            };
            let _ = stage.crowd.command(user, answer);
        }
        if let Event::Peer(PeerEvent::Introduced { .. }) = event
            && self.has_other.insert(user)
            && user.0.is_multiple_of(2)
        {
            self.under_way = self.under_way.saturating_sub(1);
            self.begin(stage);
        }
    }
}
