//! Reloading: the operator has other accounts now. New ones are there at once. Where the credentials have changed, the session
//! ends, so that whoever had the old ones is out, and a client that has the new ones comes back with nothing lost. An account
//! that is gone ends with all that was kept for it.
//!
//! A name that comes back is a new account: nothing of the old one is continued, neither its mailbox nor a login that was
//! being checked. Two things outlive an account, as they belong to others: messages that it sent and that their recipients
//! do not have yet, and its name in others' blacklists, which holds for a new account of that name.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::account::{AccountEntry, CredentialsDigest};
use super::event::{Departure, Event};
use super::introduction::Pair;
use super::mailbox::Keeping;
use super::record::Record;
use super::record_queue::Waiting;
use super::shutdown::Phase;
use super::{AccountId, Missing, Rejected, Server, TimerKind};
use crate::name::Name;
use crate::wire::push::{Presence, SessionEnd};
use crate::wire::request::Refusal;
use crate::wire::{EndReason, Term};

/// Whether so many missing accounts can be meant.
///
/// # Errors
///
/// If they are over half of those that are known.
pub fn check_missing(missing: usize, known: usize) -> Result<(), Rejected> {
    if missing <= known / 2 {
        return Ok(());
    }
    let count = |accounts: usize| u32::try_from(accounts).unwrap_or(u32::MAX);
    Err(Rejected::TooManyMissing {
        missing: count(missing),
        known: count(known),
    })
}

impl Server {
    /// Takes other accounts in the place of those that there are.
    pub(super) fn reload(
        &mut self,
        entries: Vec<AccountEntry>,
        missing: Missing,
    ) -> Result<(), Rejected> {
        if self.phase != Phase::Running {
            return Err(Rejected::Stopping);
        }
        let wanted: BTreeMap<Name, CredentialsDigest> = entries
            .into_iter()
            .map(|entry| (entry.name, entry.credentials))
            .collect();
        let known: Vec<_> = self.accounts.named().collect();
        let gone: Vec<_> = known
            .iter()
            .filter(|(name, _)| !wanted.contains_key(name))
            .collect();
        if missing == Missing::Doubtful {
            check_missing(gone.len(), known.len())?;
        }
        for (_, account) in gone {
            self.remove_account(*account);
        }
        for (name, credentials) in wanted {
            self.take_entry(AccountEntry { name, credentials });
        }
        self.event(Event::Reloaded);
        Ok(())
    }

    fn take_entry(&mut self, entry: AccountEntry) {
        let user = entry.name;
        let Some(account) = self.accounts.find(user) else {
            let now = self.ticket_time();
            self.accounts.add(entry);
            if let Some(added) = self.accounts.find_mut(user) {
                added.tickets_from = now;
            }
            // One of this name may have been removed while no server ran: what is stored for it is not this one's.
            self.record(Record::Removed { user });
            return self.event(Event::AccountAdded { user });
        };
        let owner = self.accounts.get_mut(account);
        if owner.credentials != entry.credentials {
            owner.credentials = entry.credentials;
            self.event(Event::CredentialsChanged { user });
            self.ask_for_credentials(account);
        }
    }

    /// Whoever is logged in has shown credentials that hold no more. It may be the owner, who then shows the new ones and goes on.
    fn ask_for_credentials(&mut self, account: AccountId) {
        if let Some(session) = self.detach_session(account) {
            self.say_farewell(account, session, SessionEnd::CredentialsChanged);
            self.depart(account, Departure::CredentialsChanged);
        }
    }

    fn remove_account(&mut self, account: AccountId) {
        let user = self.accounts.get(account).name;
        let session = self.detach_session(account);
        self.end_introductions(account, Term::Lasting, EndReason::LoggedOut);
        self.withdraw_questions(account);
        self.withdraw_questions_for(account);
        if let Some(session) = session {
            self.say_farewell(account, session, SessionEnd::Removed);
            self.alert(account, Presence::Offline);
            let departure = Departure::Removed;
            self.event(Event::LoggedOut { user, departure });
        }
        self.timers.cancel(TimerKind::Store(account));
        self.timers.cancel(TimerKind::Expire(account));
        self.lockout.forget(user);
        let undelivered = self.accounts.remove(account);
        self.record(Record::Removed { user });
        self.records.wait(Waiting::Removal { user });
        self.event(Event::AccountRemoved { user });
        for entry in undelivered {
            // Who was told that it is stored has had the final word.
            if entry.keeping != Keeping::Stored {
                self.discard_copy(entry.origin, Refusal::NoSuchUser);
            }
        }
    }

    /// A user is gone: nobody will answer what they were asked.
    fn withdraw_questions_for(&mut self, asked: AccountId) {
        for (asker, state) in self.introductions.withdraw_all_to(asked) {
            self.on_question_expired(Pair { asked, asker }, state);
        }
    }
}
