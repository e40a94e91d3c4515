//! What a server remembers of earlier ones, as text: two that were restored from records that come to the same thing say the
//! same. So a store can be tested against the records themselves.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::account::Account;
use super::{AccountId, Server};
use crate::name::Name;

impl Server {
    /// What was restored, a line for each thing; for tests.
    #[must_use]
    pub fn remembered(&self) -> Vec<String> {
        let accounts = self.accounts.ids().flat_map(|id| self.remembered_of(id));
        let questions = self
            .introductions
            .all_questions()
            .map(|(pair, state, term, until)| {
                let (asker, asked) = (self.name(pair.asker), self.name(pair.asked));
                format!("{asker} asks {asked} {term:?}, {state:?} until {until:?}")
            });
        let introduced = self.introductions.all_in_force().map(|(a, b, in_force)| {
            let (a, b) = (self.name(a), self.name(b));
            format!("{a} is introduced to {b} by {in_force:?}")
        });
        // By name: the numbers of accounts that are no more depend on what was heard of them first.
        let mut lines: Vec<_> = questions.chain(introduced).collect();
        lines.sort_unstable();
        let lockout = self.lockout.remembered();
        accounts.chain(lines).chain(lockout).collect()
    }

    fn name(&self, account: AccountId) -> Name {
        self.accounts.get(account).name
    }

    fn remembered_of(&self, id: AccountId) -> Vec<String> {
        let Account {
            name,
            credentials: _,
            tickets_from,
            blacklist,
            mailbox,
            untold,
            session: _,
            place: _,
            latest_login,
            missed,
            allowance: _,
            intakes,
            acquaintances: _,
        } = self.accounts.get(id);
        let mut lines = Vec::new();
        lines.push(format!(
            "{name}: tickets from {tickets_from:?}, {latest_login:?}"
        ));
        let mut blocked: Vec<_> = blacklist.iter().map(|user| self.name(user)).collect();
        blocked.sort_unstable();
        lines.push(format!("{name} blocks {blocked:?}"));
        for (place, entry) in mailbox.iter() {
            let from = self.name(entry.origin.account);
            let (seq, keeping) = (entry.origin.seq, entry.keeping);
            lines.push(format!(
                "{name} at {place:?}: {keeping:?} {seq:?} of {from} until {:?}, {:?}",
                entry.expires, entry.item
            ));
        }
        lines.push(format!("{name} missed {missed:?}"));
        for word in untold.iter() {
            lines.push(format!("{name} has to hear: {word:?}"));
        }
        for (instance, intake) in intakes.iter_by_use() {
            lines.push(format!("{name} {instance:?}: {intake:?}"));
        }
        lines
    }
}
