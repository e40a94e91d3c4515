//! The stores of a world's clients: what a client gives is done in its order, and what is kept outlives the client.

use std::collections::VecDeque;
use std::time::Duration;

use simplechat_core::client;
use simplechat_core::client::event::Event;
use simplechat_core::client::record::Record;
use simplechat_core::id::EffectId;
use simplechat_core::machine::{Input, Machine};

use super::{Chore, ClientId, World};
use crate::observation::Observation;
use crate::store::{Honesty, Store};

/// A store that fails is tried again so often.
const RETRY: Duration = Duration::from_secs(1);

/// Something that a client gave, and that waits for its turn.
#[derive(Debug)]
enum Job {
    Keep {
        id: EffectId,
        records: Vec<Record>,
    },
    Show {
        id: EffectId,
        events: Vec<Event>,
        records: Vec<Record>,
    },
    /// It is told after what was shown before.
    Tell(Event),
}

/// What a client has on its disk, and what is to be written there.
#[derive(Debug, Default)]
pub struct Disk {
    /// What was written.
    pub store: Store<Record>,
    jobs: VecDeque<Job>,
    is_writing: bool,
}

impl Disk {
    pub(super) fn new(honesty: Honesty) -> Self {
        let mut disk = Self::default();
        disk.store.honesty = honesty;
        disk
    }

    /// Writes the records of the first job, if that is one with records.
    fn write_first(&mut self) -> Option<(Job, Vec<Record>)> {
        let records = match self.jobs.front_mut()? {
            Job::Keep { records, .. } | Job::Show { records, .. } => records,
            Job::Tell(_) => return None,
        };
        self.store.keep(records.clone()).ok()?;
        let records = std::mem::take(records);
        Some((self.jobs.pop_front()?, records))
    }

    fn next_tell(&mut self) -> Option<Event> {
        match self.jobs.pop_front()? {
            Job::Tell(event) => Some(event),
            job @ (Job::Keep { .. } | Job::Show { .. }) => {
                self.jobs.push_front(job);
                None
            }
        }
    }

    fn has_to_show(&self) -> bool {
        let is_seen = |job: &Job| matches!(job, Job::Show { .. } | Job::Tell(_));
        self.jobs.iter().any(is_seen)
    }
}

impl World {
    /// A client's disk, if it has one.
    pub fn disk(&mut self, id: ClientId) -> Option<&mut Disk> {
        self.seat_mut(id).disk.as_mut()
    }

    pub(super) fn keep(&mut self, id: ClientId, effect: EffectId, records: Vec<Record>) {
        self.write_soon(
            id,
            Job::Keep {
                id: effect,
                records,
            },
        );
    }

    /// Shows what others sent, once what goes with it is kept.
    pub(super) fn keep_and_show(
        &mut self,
        id: ClientId,
        effect: EffectId,
        events: Vec<Event>,
        records: Vec<Record>,
    ) {
        if self.disk(id).is_none() {
            return self.put_on_screen(id, effect, events);
        }
        self.write_soon(
            id,
            Job::Show {
                id: effect,
                events,
                records,
            },
        );
    }

    /// Tells the user something, after all that is to be shown before.
    pub(super) fn tell_in_turn(&mut self, id: ClientId, event: Event) {
        match self.disk(id) {
            Some(disk) if disk.has_to_show() => disk.jobs.push_back(Job::Tell(event)),
            Some(_) | None => self.tell(id, event),
        }
    }

    fn write_soon(&mut self, id: ClientId, job: Job) {
        if let Some(disk) = self.disk(id) {
            disk.jobs.push_back(job);
            let takes = disk.store.takes;
            self.plan_write(id, takes);
        }
    }

    fn plan_write(&mut self, id: ClientId, takes: Duration) {
        if let Some(disk) = self.disk(id)
            && !disk.jobs.is_empty()
            && !std::mem::replace(&mut disk.is_writing, true)
        {
            self.add_chore(takes, Chore::Write(id));
        }
    }

    /// The disk has had time for the first job.
    pub(super) fn write(&mut self, id: ClientId) {
        let Some(disk) = self.disk(id) else {
            return;
        };
        disk.is_writing = false;
        let Some((job, records)) = disk.write_first() else {
            return self.plan_write(id, RETRY);
        };
        self.observe(Observation::Kept {
            client: id,
            records,
        });
        match job {
            Job::Keep { id: effect, .. } => {
                let moment = self.moment_on(id.host());
                let done = client::Done::Stored { id: effect };
                self.seat_mut(id)
                    .machine
                    .handle_input(moment, Input::EffectDone(done));
                self.drain_client(id);
            }
            Job::Show {
                id: effect, events, ..
            } => self.put_on_screen(id, effect, events),
            Job::Tell(_) => {}
        }
        while let Some(event) = self.disk(id).and_then(Disk::next_tell) {
            self.tell(id, event);
        }
        let takes = self.disk(id).map(|disk| disk.store.takes);
        self.plan_write(id, takes.unwrap_or_default());
    }

    /// The client ends in order: all that it gave is done, if the disk takes it.
    pub(super) fn finish_writing(&mut self, id: ClientId) {
        while let Some((job, records)) = self.disk(id).and_then(Disk::write_first) {
            self.note_kept(id, job, records);
            while let Some(event) = self.disk(id).and_then(Disk::next_tell) {
                self.tell(id, event);
            }
        }
        self.forget_jobs(id);
    }

    /// The client is gone without a word: of what waited for the disk only the first may be there, and none of it was told.
    pub(super) fn break_off_writing(&mut self, id: ClientId) {
        while self.disk(id).is_some_and(|disk| !disk.jobs.is_empty()) && self.dice.below(2) == 0 {
            let Some((job, records)) = self.disk(id).and_then(Disk::write_first) else {
                break;
            };
            self.note_kept(id, job, records);
            while self.disk(id).and_then(Disk::next_tell).is_some() {}
        }
        if let Some(disk) = self.disk(id) {
            disk.store.crash();
        }
        self.forget_jobs(id);
    }

    /// What is kept counts as shown: who comes back reads it in the history.
    fn note_kept(&mut self, id: ClientId, job: Job, records: Vec<Record>) {
        self.observe(Observation::Kept {
            client: id,
            records,
        });
        if let Job::Show {
            id: effect, events, ..
        } = job
        {
            self.note_shown(id, effect, events);
        }
    }

    fn forget_jobs(&mut self, id: ClientId) {
        if let Some(disk) = self.disk(id) {
            disk.jobs.clear();
            disk.is_writing = false;
        }
    }
}
