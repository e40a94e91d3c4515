//! Shutting down: everybody is told, and what can be handed over is. What stays undelivered goes to the store; if that does not
//! outlast the server, each sender learns of it.

use alloc::collections::{BTreeMap, BTreeSet};

use super::config::StoreKind;
use super::event::Event;
use super::lane::Notice;
use super::mailbox::Keeping;
use super::record::Subject;
use super::{AccountId, Output, Rejected, Server, TimerKind};
use crate::wire::push::Push;

/// A lane that failed so often in a row is not waited for.
const FAILURES_MAX: u32 = 2;

/// Where in its life the server is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Running,
    /// Nothing new is taken, and these users may still get what waits for them.
    HandingOver {
        unfinished: BTreeSet<AccountId>,
    },
    /// Senders are being told what stays undelivered.
    Telling {
        unfinished: BTreeSet<AccountId>,
    },
    /// All is said that can be said; the last records are on their way to the store.
    Storing,
    Stopped,
}

impl Server {
    pub(super) fn shut_down(&mut self) -> Result<(), Rejected> {
        if self.phase != Phase::Running {
            return Err(Rejected::Stopping);
        }
        self.event(Event::Stopping);
        let online: BTreeSet<_> = self.online.values().copied().collect();
        self.phase = Phase::HandingOver {
            unfinished: online.clone(),
        };
        let now = self.clock.at;
        self.timers
            .set(TimerKind::HandedOver, now + self.handover_time());
        self.timers
            .set(TimerKind::Stop, now + self.config.shutdown_deadline);
        for user in &online {
            self.tell(*user, Push::Stopping);
        }
        if online.is_empty() {
            self.end_handing_over();
        }
        Ok(())
    }

    /// The handing over is finished, or has taken long enough: what is left will not be delivered by this server.
    pub(super) fn end_handing_over(&mut self) {
        self.timers.cancel(TimerKind::HandedOver);
        match self.config.store {
            StoreKind::Lasting => {
                for account in self.accounts.ids() {
                    self.store_messages(account, self.clock.at);
                }
                self.stop_once_stored();
            }
            StoreKind::Passing => self.tell_undelivered(),
        }
    }

    fn tell_undelivered(&mut self) {
        let mut undelivered: BTreeMap<(AccountId, AccountId), u32> = BTreeMap::new();
        for recipient in self.accounts.ids() {
            let mailbox = &self.accounts.get(recipient).mailbox;
            // Mails are copies of what their authors' clients keep.
            let messages = mailbox.iter().filter(|(_, entry)| entry.mail.is_none());
            for (_, entry) in messages {
                *undelivered
                    .entry((entry.origin.account, recipient))
                    .or_default() += 1;
            }
        }
        let mut unfinished = BTreeSet::new();
        for (&(sender, recipient), &count) in &undelivered {
            if self.accounts.get(sender).session.is_some() {
                unfinished.insert(sender);
                let to = self.accounts.get(recipient).name;
                self.tell(sender, Push::Undelivered { to, count });
            }
        }
        let all_told = unfinished.is_empty();
        self.phase = Phase::Telling { unfinished };
        if all_told {
            self.stop_once_stored();
        }
    }

    /// There is nobody left to tell anything.
    fn stop_once_stored(&mut self) {
        self.phase = Phase::Storing;
        self.proceed_stopping();
    }

    /// Ends if nothing but the store was waited for and it has everything.
    pub(super) fn proceed_stopping(&mut self) {
        if self.phase == Phase::Storing && self.records.is_empty() {
            self.stop();
        }
    }

    /// Ends at once.
    pub(super) fn stop(&mut self) {
        if self.phase == Phase::Stopped {
            return;
        }
        let (mut undelivered, mut kept) = (0, 0);
        for account in self.accounts.ids() {
            for (_, entry) in self.accounts.get(account).mailbox.iter() {
                match (self.config.store, entry.keeping) {
                    (StoreKind::Lasting, Keeping::Stored) => kept += 1,
                    _ => undelivered += 1,
                }
            }
        }
        self.phase = Phase::Stopped;
        self.event(Event::Stopped { undelivered, kept });
        self.output(Output::Stop);
    }

    /// During a shutdown: whether this user's lane still has to be waited for.
    pub(super) fn note_handed_over(&mut self, account: AccountId) {
        let owner = self.accounts.get(account);
        let is_finished = owner.session.as_ref().is_none_or(|session| {
            session.lane.is_drained(&owner.mailbox) || session.lane.failures() >= FAILURES_MAX
        });
        if !is_finished {
            return;
        }
        match &mut self.phase {
            Phase::HandingOver { unfinished } => {
                if unfinished.remove(&account) && unfinished.is_empty() {
                    self.end_handing_over();
                }
            }
            Phase::Telling { unfinished } => {
                if unfinished.remove(&account) && unfinished.is_empty() {
                    self.stop_once_stored();
                }
            }
            Phase::Running | Phase::Storing | Phase::Stopped => {}
        }
    }

    fn tell(&mut self, user: AccountId, push: Push) {
        let subject = Subject::Server;
        self.accounts.get_mut(user).notify(Notice { subject, push });
        self.pump(user);
    }
}
