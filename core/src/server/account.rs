//! What the server knows of each account, and the accounts by name.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::{fmt, mem};

use super::AccountId;
use super::allowance::Allowance;
use super::blacklist::Blacklist;
use super::expiry::Untold;
use super::intake::Intake;
use super::lane::{Lane, Notice, push_notice};
use super::mailbox::{Entry, Mailbox};
use super::session::Session;
use super::sizes::AccountSizes;
use super::whereabouts::Place;
use crate::id::{InstanceId, LoginNumber};
use crate::key::PublicKey;
use crate::limits::{ACQUAINTANCES_MAX, INSTANCES_PER_ACCOUNT};
use crate::lru::LruMap;
use crate::name::Name;
use crate::time::{Timestamp, WallTime};

/// An account that there is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountEntry {
    /// Its name.
    pub name: Name,
    /// Stands for how its owner is known.
    pub credentials: CredentialsDigest,
}

/// A digest of an account's credentials: another one when they change, and otherwise meaningless here. Whoever makes it
/// sees to it that nobody can guess a password by it; it is not shown all the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CredentialsDigest(pub [u8; 32]);

impl fmt::Debug for CredentialsDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialsDigest")
    }
}

/// The last client that logged in to an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LatestLogin {
    pub(super) number: LoginNumber,
    pub(super) instance: InstanceId,
    pub(super) key: PublicKey,
}

/// One account.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) name: Name,
    pub(super) credentials: CredentialsDigest,
    /// Tickets from before are for an earlier account of this name, even if its credentials were the same.
    pub(super) tickets_from: WallTime,
    pub(super) blacklist: Blacklist,
    pub(super) mailbox: Mailbox,
    /// What its user has not been told of their messages that expired.
    pub(super) untold: Untold,
    pub(super) session: Option<Session>,
    /// Where the user is, as peers were told; `None` while they are away.
    pub(super) place: Option<Place>,
    pub(super) latest_login: Option<LatestLogin>,
    /// Notices for the latest client while it has no session: it may come back, and has its address book still.
    pub(super) missed: VecDeque<Notice>,
    /// What it may have done just now. It is not the session's: who logs in again has no more.
    pub(super) allowance: Allowance,
    pub(super) intakes: LruMap<InstanceId, Intake>,
    /// With whom messages or addresses were exchanged, and when last.
    pub(super) acquaintances: LruMap<AccountId, Timestamp>,
}

impl Account {
    fn new(entry: AccountEntry) -> Self {
        Self {
            name: entry.name,
            credentials: entry.credentials,
            tickets_from: WallTime(0),
            blacklist: Blacklist::default(),
            mailbox: Mailbox::default(),
            untold: Untold::default(),
            session: None,
            place: None,
            latest_login: None,
            missed: VecDeque::new(),
            allowance: Allowance::default(),
            intakes: LruMap::new(INSTANCES_PER_ACCOUNT),
            acquaintances: LruMap::new(ACQUAINTANCES_MAX),
        }
    }

    /// How much there is of it.
    pub(super) fn sizes(&self) -> AccountSizes {
        let lane = self.session.as_ref().map(|session| &session.lane);
        AccountSizes {
            messages: self.mailbox.len(),
            message_bytes: self.mailbox.bytes(),
            untold: self.untold.len(),
            blocked: self.blacklist.len(),
            notices: self.missed.len() + lane.map_or(0, Lane::notices),
            receipts: lane.map_or(0, Lane::receipts),
            instances: self.intakes.len(),
            operations: self
                .intakes
                .iter()
                .map(|(_, intake)| intake.len())
                .max()
                .unwrap_or(0),
            acquaintances: self.acquaintances.len(),
        }
    }

    /// Tells the user's client, now or when it comes back.
    pub(super) fn notify(&mut self, notice: Notice) {
        match &mut self.session {
            Some(session) => session.lane.notify(notice),
            None => push_notice(&mut self.missed, notice),
        }
    }
}

/// All accounts, and what is left of those that were removed: their numbers are not used again, so whatever still refers
/// to one of them means nobody else.
#[derive(Debug)]
pub(super) struct Accounts {
    all: Vec<Account>,
    by_name: BTreeMap<Name, AccountId>,
    /// Those that were removed and whose name is nobody's.
    removed: BTreeMap<Name, AccountId>,
    /// Those that were removed before this server started, numbered from the other end.
    former: Vec<Account>,
}

impl Accounts {
    /// One account for each name: a recording from somewhere may say one twice.
    pub(super) fn new(entries: impl IntoIterator<Item = AccountEntry>) -> Self {
        let mut accounts = Self {
            all: Vec::new(),
            by_name: BTreeMap::new(),
            removed: BTreeMap::new(),
            former: Vec::new(),
        };
        for entry in entries {
            if accounts.find(entry.name).is_none() {
                accounts.add(entry);
            }
        }
        accounts
    }

    /// Adds an account whose name nobody has. It has nothing of an earlier one of that name, but stays in the blacklists
    /// that the name is in.
    pub(super) fn add(&mut self, entry: AccountEntry) {
        let id = AccountId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(Account::new(entry));
        self.by_name.insert(entry.name, id);
        if let Some(earlier) = self.removed.remove(&entry.name) {
            for other in &mut self.all {
                other.blacklist.replace(earlier, id);
            }
        }
    }

    /// Removes an account that has no session any more, and gives what was in its mailbox.
    pub(super) fn remove(&mut self, id: AccountId) -> Vec<Entry> {
        let name = self.get(id).name;
        self.by_name.remove(&name);
        self.removed.insert(name, id);
        self.erase(id)
    }

    /// Forgets everything that is kept for an account, and gives what was in its mailbox.
    pub(super) fn erase(&mut self, id: AccountId) -> Vec<Entry> {
        let account = self.get_mut(id);
        let empty = Account::new(AccountEntry {
            name: account.name,
            credentials: account.credentials,
        });
        mem::replace(account, empty).mailbox.into_entries()
    }

    /// The accounts by name.
    pub(super) fn named(&self) -> impl Iterator<Item = (Name, AccountId)> {
        self.by_name.iter().map(|(name, id)| (*name, *id))
    }

    /// The account of that name, or what is left of it: what others may still have to do with.
    pub(super) fn find_even_removed(&self, name: Name) -> Option<AccountId> {
        self.find(name).or_else(|| self.removed.get(&name).copied())
    }

    /// The account of that name, or one that was removed: for what an earlier server has left that has to do with it.
    pub(super) fn find_or_former(&mut self, name: Name) -> AccountId {
        self.find_even_removed(name).unwrap_or_else(|| {
            let place = u32::try_from(self.former.len()).unwrap_or(u32::MAX);
            let id = AccountId(u32::MAX - place);
            self.former.push(Account::new(AccountEntry {
                name,
                credentials: CredentialsDigest([0; 32]),
            }));
            self.removed.insert(name, id);
            id
        })
    }

    /// The accounts in the order of their numbers, as they were added.
    pub(super) fn entries(&self) -> impl Iterator<Item = AccountEntry> {
        self.all.iter().map(|account| AccountEntry {
            name: account.name,
            credentials: account.credentials,
        })
    }

    pub(super) fn find(&self, name: Name) -> Option<AccountId> {
        self.by_name.get(&name).copied()
    }

    /// Whether it was not removed.
    pub(super) fn is_current(&self, id: AccountId) -> bool {
        self.find(self.get(id).name) == Some(id)
    }

    pub(super) fn find_mut(&mut self, name: Name) -> Option<&mut Account> {
        let id = self.find(name)?;
        Some(self.get_mut(id))
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = AccountId> + Clone + use<> {
        (0..u32::try_from(self.all.len()).unwrap_or(u32::MAX)).map(AccountId)
    }

    /// Whether there is such an account; ids from elsewhere are not believed.
    pub(super) fn contains(&self, id: AccountId) -> bool {
        id.index() < self.all.len()
    }

    pub(super) fn get(&self, id: AccountId) -> &Account {
        self.all
            .get(id.index())
            .or_else(|| self.former.get(Self::former_place(id)))
            .expect("account ids come from these tables, which never shrink")
    }

    pub(super) fn get_mut(&mut self, id: AccountId) -> &mut Account {
        self.all
            .get_mut(id.index())
            .or_else(|| self.former.get_mut(Self::former_place(id)))
            .expect("account ids come from these tables, which never shrink")
    }

    fn former_place(id: AccountId) -> usize {
        usize::try_from(u32::MAX - id.0).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::CredentialsDigest;

    #[test]
    fn a_name_that_comes_twice_is_one_account() {
        let [alice, bob] = ["alice", "bob"].map(|name| name.parse().unwrap());
        let entries = [alice, alice, bob, alice].map(|name| AccountEntry {
            name,
            credentials: CredentialsDigest([0; 32]),
        });
        let accounts = Accounts::new(entries);
        assert_eq!(accounts.ids().count(), 2);
        for name in [alice, bob] {
            let id = accounts.find(name).unwrap();
            assert_eq!(accounts.get(id).name, name);
        }
    }
}
