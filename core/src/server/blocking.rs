//! `block` and `unblock`, and all that a block ends.

use super::blacklist::NotAdded;
use super::introduction::Pair;
use super::record::{QuestionState, Record};
use super::{AccountId, Server};
use crate::limits::BLACKLIST_MAX;
use crate::name::Name;
use crate::wire::EndReason;
use crate::wire::request::Refusal;

impl Server {
    pub(super) fn block(&mut self, user: AccountId, name: Name) -> Result<(), Refusal> {
        let blocked = self.other(user, name)?;
        let owner = self.accounts.get_mut(user);
        owner.blacklist.add(blocked).map_err(|error| match error {
            NotAdded::Already => Refusal::AlreadyBlocked,
            NotAdded::Full => Refusal::BlacklistFull {
                max: u32::try_from(BLACKLIST_MAX).unwrap_or(u32::MAX),
            },
        })?;
        let own_name = owner.name;
        self.records.record(Record::Blocked {
            by: own_name,
            user: name,
        });
        // What they wrote and the user does not have yet never arrives.
        let discarded = owner.mailbox.discard_from(blocked);
        if let Some(session) = &mut owner.session {
            session.lane.forget(name);
        }
        // What they were not told yet of the user's coming or going, they are not told any more.
        if let Some(session) = &mut self.accounts.get_mut(blocked).session {
            session.lane.forget_presence(own_name);
        }
        for entry in discarded {
            self.discard_copy(entry.origin, Refusal::Blocked);
        }
        let their_question = Pair {
            asked: user,
            asker: blocked,
        };
        self.introductions.hide(their_question);
        let own_question = Pair {
            asked: blocked,
            asker: user,
        };
        if let Some(state) = self.introductions.withdraw(own_question) {
            self.record_closed(own_question);
            if state == QuestionState::Shown {
                self.tell_question_closed(blocked, user);
            }
        }
        self.claims.withdraw(user, blocked);
        self.end_introduction(user, blocked, EndReason::Removed);
        Ok(())
    }

    pub(super) fn unblock(&mut self, user: AccountId, name: Name) -> Result<(), Refusal> {
        // A name may stand there whose account is no more.
        let blocked = self.accounts.find_even_removed(name);
        let blocked = blocked.ok_or(Refusal::NoSuchUser)?;
        if blocked == user {
            return Err(Refusal::Yourself);
        }
        let owner = self.accounts.get_mut(user);
        if !owner.blacklist.remove(blocked) {
            return Err(Refusal::NotBlocked);
        }
        let by = owner.name;
        self.record(Record::Unblocked { by, user: name });
        Ok(())
    }
}
