//! The inbox: what of all that arrives is shown, each message once and nothing of those whom the user has blocked.
//!
//! What others sent goes to the screen as an effect, and is acknowledged only when it has been shown. A screen that takes
//! no more therefore holds messages back where they are kept, and loses none.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::record::Route;
use crate::channel::Counter;
use crate::id::{BatchNumber, EffectId, InstanceId, Seq, SessionId};
use crate::limits::{CLIENT_BLACKLIST_MAX, SHOWING_MAX, SHOWN_MAX};
use crate::lru::LruMap;
use crate::machine::ConnId;
use crate::name::Name;

/// Whom to tell when something has been shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Showing {
    pub(super) conn: ConnId,
    pub(super) receipt: Receipt,
    /// Who asks for the user's address in it.
    pub(super) asked_by: Vec<Name>,
    /// The mails in it that are answered.
    pub(super) mails: Vec<MailReceipt>,
}

/// What a peer is told of in a mail when their own was shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct MailReceipt {
    pub(super) from: Name,
    /// Of which of their outboxes the messages in it were.
    pub(super) instance: InstanceId,
    /// The last of them.
    pub(super) of: Seq,
}

impl Showing {
    /// Whether there is something of a sender's in it.
    fn is_of(&self, sender: Sender) -> bool {
        let is_mailed = |peer| self.mails.iter().any(|mail| mail.from == peer);
        self.receipt.sender() == sender || matches!(sender, Sender::Peer(peer) if is_mailed(peer))
    }
}

/// What is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Receipt {
    /// A batch of the server's.
    Batch {
        session: SessionId,
        number: BatchNumber,
    },
    /// Private messages of a peer's.
    Private {
        session: SessionId,
        from: Name,
        through: Seq,
    },
}

/// Where something to show comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sender {
    Server,
    Peer(Name),
}

impl Receipt {
    const fn sender(self) -> Sender {
        match self {
            Self::Batch { .. } => Sender::Server,
            Self::Private { from, .. } => Sender::Peer(from),
        }
    }
}

/// Why nothing of a user is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Block {
    Blocked,
    /// Unblocked by the answer that had this place among the server's frames: what was sealed before it was sent to
    /// somebody who had blocked its author.
    Until(Counter),
}

/// What was shown, is being shown, and must not be shown.
#[derive(Debug)]
pub(super) struct Inbox {
    shown: LruMap<(Route, Name, InstanceId), Seq>,
    blocked: BTreeMap<Name, Block>,
    showing: BTreeMap<EffectId, Showing>,
    last_batch: BatchNumber,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            shown: LruMap::new(SHOWN_MAX),
            blocked: BTreeMap::new(),
            showing: BTreeMap::new(),
            last_batch: BatchNumber(0),
        }
    }

    /// How many client instances it knows.
    pub(super) fn instances(&self) -> usize {
        self.shown.len()
    }

    /// How many batches are on their way to the screen.
    pub(super) fn showing(&self) -> usize {
        self.showing.len()
    }

    /// Of how many users nothing is shown.
    pub(super) fn blocked(&self) -> usize {
        self.blocked.len()
    }

    /// Whether a message is new; from now on it is not.
    pub(super) fn is_new(
        &mut self,
        route: Route,
        from: Name,
        instance: InstanceId,
        seq: Seq,
    ) -> bool {
        let highest = self.shown.entry((route, from, instance), || Seq(0));
        let is_new = seq > *highest;
        *highest = (*highest).max(seq);
        is_new
    }

    /// The highest number shown of a client, or 0.
    pub(super) fn last_shown(&self, route: Route, from: Name, instance: InstanceId) -> Seq {
        let shown = self.shown.peek(&(route, from, instance));
        shown.copied().unwrap_or(Seq(0))
    }

    /// What was shown of each client, by route.
    pub(super) fn shown_through(&self) -> impl Iterator<Item = (&(Route, Name, InstanceId), &Seq)> {
        self.shown.iter()
    }

    /// Whether a batch was taken before.
    pub(super) fn has_taken(&self, number: BatchNumber) -> bool {
        number <= self.last_batch
    }

    /// Whether something may go to the screen: not while something from the same sender is on its way there (a batch of
    /// an earlier session too), which keeps the order and the receipts right, and not while the screen is far behind.
    pub(super) fn may_show(&self, sender: Sender) -> bool {
        self.showing.len() < SHOWING_MAX
            && !self.showing.values().any(|showing| showing.is_of(sender))
    }

    /// Whether anything is on its way to the screen.
    pub(super) fn is_showing(&self) -> bool {
        !self.showing.is_empty()
    }

    pub(super) fn show(&mut self, id: EffectId, showing: Showing) {
        self.showing.insert(id, showing);
    }

    /// The screen has it.
    pub(super) fn shown(&mut self, id: EffectId) -> Option<Showing> {
        self.showing.remove(&id)
    }

    /// A batch of the current session has been shown, or held nothing to show.
    pub(super) fn took(&mut self, number: BatchNumber) {
        self.last_batch = self.last_batch.max(number);
    }

    /// A new session counts its batches and frames anew.
    pub(super) fn start_session(&mut self) {
        self.last_batch = BatchNumber(0);
        self.blocked
            .retain(|_, block| matches!(block, Block::Blocked));
    }

    /// From now on nothing of this user is shown.
    pub(super) fn block(&mut self, name: Name) {
        self.note(name, Block::Blocked);
    }

    /// The server has unblocked this user, in the frame with this counter.
    pub(super) fn unblock(&mut self, name: Name, answer: Counter) {
        self.note(name, Block::Until(answer));
    }

    fn note(&mut self, name: Name, block: Block) {
        if self.blocked.len() < CLIENT_BLACKLIST_MAX || self.blocked.contains_key(&name) {
            self.blocked.insert(name, block);
        }
    }

    /// The server did not block this user.
    pub(super) fn forget_block(&mut self, name: Name) {
        self.blocked.remove(&name);
    }

    /// Whether something of this user in a frame of the server's must not be shown.
    pub(super) fn hides(&self, name: Name, frame: Counter) -> bool {
        match self.blocked.get(&name) {
            Some(Block::Blocked) => true,
            Some(Block::Until(answer)) => frame < *answer,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::tests::pair;
    use crate::wire::frame::Frame;
    use proptest::prelude::*;

    const INSTANCE: InstanceId = InstanceId([1; 16]);

    fn bob() -> Name {
        "bob".parse().unwrap()
    }

    /// The places of the first frames of a session.
    fn counters<const N: usize>() -> [Counter; N] {
        let (mut caller, mut called) = pair(1);
        core::array::from_fn(|_| {
            let bytes = caller.seal_call(b"");
            let Ok(Frame::Session(sealed)) = Frame::parse(&bytes) else {
                panic!("{bytes:?} is no sealed frame");
            };
            called.open_call(&sealed).unwrap().counter
        })
    }

    #[test]
    fn routes_and_instances_count_apart() {
        let mut inbox = Inbox::new();
        let other = InstanceId([2; 16]);
        assert!(inbox.is_new(Route::Server, bob(), INSTANCE, Seq(5)));
        assert!(inbox.is_new(Route::Direct, bob(), INSTANCE, Seq(5)));
        assert!(inbox.is_new(Route::Server, bob(), other, Seq(1)));
        assert!(!inbox.is_new(Route::Server, bob(), INSTANCE, Seq(4)));
    }

    #[test]
    fn one_at_a_time_from_each_sender_goes_to_the_screen() {
        let mut inbox = Inbox::new();
        let session = SessionId([1; 16]);
        let receipt = Receipt::Batch {
            session,
            number: BatchNumber(1),
        };
        let showing = Showing {
            conn: ConnId::Accepted(1),
            receipt,
            asked_by: Vec::new(),
            mails: Vec::new(),
        };
        inbox.show(EffectId(1), showing.clone());
        assert!(!inbox.may_show(Sender::Server));
        assert!(inbox.may_show(Sender::Peer(bob())));
        assert_eq!(inbox.shown(EffectId(1)), Some(showing));
        assert_eq!(inbox.shown(EffectId(1)), None);
        assert!(inbox.may_show(Sender::Server));
    }

    #[test]
    fn what_was_sealed_before_the_answer_to_an_unblock_is_hidden() {
        let [before, answer, after] = counters();
        let hidden = |inbox: &Inbox| [before, answer, after].map(|at| inbox.hides(bob(), at));
        let mut inbox = Inbox::new();
        inbox.block(bob());
        assert_eq!(hidden(&inbox), [true, true, true]);
        inbox.unblock(bob(), answer);
        assert_eq!(hidden(&inbox), [true, false, false]);
    }

    proptest! {
        /// However deliveries are repeated and late: each number is shown once, and in rising order.
        #[test]
        fn each_number_is_shown_once(arrivals in prop::collection::vec(1u64..20, 0..80)) {
            let mut inbox = Inbox::new();
            let shown: Vec<_> = arrivals
                .into_iter()
                .filter(|seq| inbox.is_new(Route::Server, bob(), INSTANCE, Seq(*seq)))
                .collect();
            prop_assert!(shown.is_sorted_by(|a, b| a < b));
        }
    }
}
