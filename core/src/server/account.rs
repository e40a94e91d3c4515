//! What the server knows of each account, and the accounts by name.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::AccountId;
use super::allowance::Allowance;
use super::blacklist::Blacklist;
use super::intake::Intake;
use super::lane::{Lane, Notice, push_notice};
use super::mailbox::Mailbox;
use super::session::Session;
use super::sizes::AccountSizes;
use crate::id::{InstanceId, LoginNumber};
use crate::key::PublicKey;
use crate::limits::{ACQUAINTANCES_MAX, INSTANCES_PER_ACCOUNT};
use crate::lru::LruMap;
use crate::name::Name;
use crate::time::Timestamp;

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
    pub(super) blacklist: Blacklist,
    pub(super) mailbox: Mailbox,
    pub(super) session: Option<Session>,
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
    fn new(name: Name) -> Self {
        Self {
            name,
            blacklist: Blacklist::default(),
            mailbox: Mailbox::default(),
            session: None,
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

/// All accounts.
#[derive(Debug)]
pub(super) struct Accounts {
    all: Vec<Account>,
    by_name: BTreeMap<Name, AccountId>,
}

impl Accounts {
    pub(super) fn new(names: impl IntoIterator<Item = Name>) -> Self {
        let mut accounts = Self {
            all: Vec::new(),
            by_name: BTreeMap::new(),
        };
        for name in names {
            let id = AccountId(u32::try_from(accounts.all.len()).unwrap_or(u32::MAX));
            if accounts.by_name.insert(name, id).is_none() {
                accounts.all.push(Account::new(name));
            }
        }
        accounts
    }

    pub(super) fn find(&self, name: Name) -> Option<AccountId> {
        self.by_name.get(&name).copied()
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
            .expect("account ids come from this table, which never shrinks")
    }

    pub(super) fn get_mut(&mut self, id: AccountId) -> &mut Account {
        self.all
            .get_mut(id.index())
            .expect("account ids come from this table, which never shrinks")
    }
}
