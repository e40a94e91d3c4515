//! Storing: what the client has a store keep, and what it does only once that is kept.
//!
//! Whatever is recorded while a batch is with the store makes up the next one. Records of what others sent go with what is
//! shown of it, so that it is shown once; whatever was recorded before is then given to the store first, as the log has to
//! be in order. A store that fails tries again by itself: the client only waits, and all that waits for it is bounded.
//!
//! A client without a store records nothing.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::config::StoreKind;
use super::leaving::Phase;
use super::record::Record;
use super::{Client, Effect, Output};
use crate::id::{EffectId, IntroductionId, Seq};
use crate::name::Name;
use crate::time::WallTime;

/// How far things had come when a batch was given to the store.
#[derive(Debug)]
struct Progress {
    wished_below: Seq,
    answered_below: Seq,
    written_below: Seq,
    /// Introductions that have ended since the batch before.
    parted: Vec<IntroductionId>,
}

/// Records on their way to the store.
#[derive(Debug, Default)]
pub(super) struct Storing {
    /// Whether the store knows which client this is.
    pub(super) has_begun: bool,
    gathered: Vec<Record>,
    /// Introductions whose ends are among these.
    parted: Vec<IntroductionId>,
    /// What the store has, the oldest first.
    batches: VecDeque<(EffectId, Progress)>,
}

/// Where the records of something begin that is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bookmark(usize);

impl Storing {
    /// Whether everything that was recorded is stored.
    pub(super) fn is_idle(&self) -> bool {
        self.gathered.is_empty() && self.batches.is_empty()
    }

    /// How many records wait, and batches are with the store.
    pub(super) fn len(&self) -> usize {
        self.gathered.len() + self.batches.len()
    }

    /// The end of an introduction was recorded, and the other side is told when it is stored.
    pub(super) fn parted(&mut self, introduction: IntroductionId) {
        self.parted.push(introduction);
    }

    /// Here begins something that is shown, or not.
    pub(super) fn bookmark(&self) -> Bookmark {
        Bookmark(self.gathered.len())
    }
}

impl Client {
    /// Has the store keep a change, if there is one.
    pub(super) fn record(&mut self, record: Record) {
        if self.config.store == StoreKind::None {
            return;
        }
        if !core::mem::replace(&mut self.storing.has_begun, true) {
            self.storing.gathered.push(Record::Began {
                instance: self.instance,
                next_wish: Seq::FIRST,
                next_private: Seq::FIRST,
            });
        }
        self.storing.gathered.push(record);
    }

    /// What was recorded since then, to go with what is shown. The store is given before what was recorded earlier.
    pub(super) fn records_since(&mut self, bookmark: Bookmark) -> Vec<Record> {
        let gathered = &mut self.storing.gathered;
        let records = gathered.split_off(bookmark.0.min(gathered.len()));
        self.give_records();
        records
    }

    /// Gives the store what was recorded, if it has nothing to do. Called after everything that happens.
    pub(super) fn flush_records(&mut self) {
        if self.storing.batches.is_empty() && self.phase != Phase::Ended {
            self.give_records();
        }
    }

    /// Gives the store what was recorded.
    pub(super) fn give_records(&mut self) {
        if self.storing.gathered.is_empty() {
            return;
        }
        let id = self.next_effect();
        let progress = Progress {
            wished_below: self.outbox.next(),
            answered_below: self.outbox.given_below(),
            written_below: self.next_private,
            parted: core::mem::take(&mut self.storing.parted),
        };
        self.storing.batches.push_back((id, progress));
        let records = core::mem::take(&mut self.storing.gathered);
        self.output(Output::Effect(Effect::Store { id, records }));
    }

    /// A batch is stored, and so is all that was given to the store before it: what waited for it is sent.
    pub(super) fn on_stored(&mut self, id: EffectId) {
        let batches = &mut self.storing.batches;
        let Some(place) = batches.iter().position(|(batch, _)| *batch == id) else {
            return;
        };
        let stored: Vec<_> = batches.drain(..=place).collect();
        for (_, progress) in stored {
            self.on_progress_stored(progress);
        }
        self.flush();
    }

    fn on_progress_stored(&mut self, progress: Progress) {
        self.outbox
            .stored(progress.wished_below, progress.answered_below);
        let written_through = Seq(progress.written_below.0.saturating_sub(1));
        for peer in self.book.stored(written_through) {
            self.pump_peer(peer);
        }
        for introduction in progress.parted {
            self.on_parting_stored(introduction);
        }
    }

    /// The introductions to somebody that the user has agreed to have become more, or fewer.
    pub(super) fn record_consent(&mut self, to: Name) {
        let (at, wall) = (self.clock.at, self.clock.wall);
        let (introductions, until) = self.consents.standing(to).unwrap_or((0, at));
        let rest = u64::try_from(until.since(at).as_millis()).unwrap_or(u64::MAX);
        let until = WallTime(wall.0.saturating_add(rest));
        self.record(Record::Consented {
            to,
            introductions,
            until,
        });
    }

    /// A peer is new, or may be elsewhere.
    pub(super) fn record_peer(&mut self, name: Name) {
        if let Some(peer) = self.book.get(name) {
            let record = Record::Peer {
                peer: name,
                introduction: peer.introduction,
                key: peer.key,
                candidates: peer.places.all(),
                term: peer.term,
            };
            self.record(record);
        }
    }
}
