//! All connections: by the key under which they are waited for, by when they are due, and how many there are.
//!
//! Pure bookkeeping, guarded by one lock in [`crate::net`]. The counts are what the bounds of [`Options`] are held by.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use simplechat_core::source::Source;
use simplechat_core::time::Timestamp;

use crate::connection::Connection;
use crate::options::Options;
use crate::waiting::Waiting;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Table<W: Waiting> {
    entries: HashMap<usize, Entry<W>>,
    dues: BTreeSet<(Timestamp, usize)>,
    /// Dials that wait for a place, first come first served: keys are given out in ascending order.
    waiting: BTreeSet<usize>,
    accepted: usize,
    by_source: BTreeMap<Source, usize>,
    refused: usize,
    dialling: usize,
    dialled: usize,
    first_key: usize,
    next_key: usize,
}

/// Pollers keep the highest number to themselves.
const KEY_MAX: usize = usize::MAX - 1;

#[derive(Debug)]
struct Entry<W: Waiting> {
    conn: Arc<Connection<W>>,
    role: Role,
    due: Timestamp,
}

/// What a connection counts as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Accepted(Source),
    Refused,
    /// A dial that has no place yet.
    Waiting,
    Dialling,
    /// A dialled connection that stands or is being closed.
    Dialled,
}

/// What may be done with a connection that a peer just made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    Accept,
    Refuse,
    /// There are even too many to be told so.
    Drop,
}

impl<W: Waiting> Table<W> {
    /// An empty table. Keys below `first_key` are left to others.
    pub(crate) fn new(first_key: usize) -> Self {
        Self {
            entries: HashMap::new(),
            dues: BTreeSet::new(),
            waiting: BTreeSet::new(),
            accepted: 0,
            by_source: BTreeMap::new(),
            refused: 0,
            dialling: 0,
            dialled: 0,
            first_key,
            next_key: first_key,
        }
    }

    /// A key that nothing bears, and that nothing did for as long as there are numbers: so an event that was reported
    /// for a connection before it went is not taken for another's.
    pub(crate) fn new_key(&mut self) -> usize {
        loop {
            let key = self.next_key;
            self.next_key = if key == KEY_MAX {
                self.first_key
            } else {
                key + 1
            };
            if !self.entries.contains_key(&key) {
                return key;
            }
        }
    }

    pub(crate) fn admission(&self, options: &Options, source: Source) -> Admission {
        let from_there = self.by_source.get(&source).copied().unwrap_or_default();
        if self.accepted < options.connections_max
            && from_there < options.connections_per_source_max
        {
            Admission::Accept
        } else if self.refused < options.refusals_max {
            Admission::Refuse
        } else {
            Admission::Drop
        }
    }

    /// Whether one more dial may wait in line.
    pub(crate) fn may_wait(&self, options: &Options) -> bool {
        self.waiting.len() < options.dial_queue_max || self.may_dial(options)
    }

    pub(crate) fn insert(&mut self, conn: Arc<Connection<W>>, role: Role, due: Timestamp) {
        let key = conn.key;
        self.count(role, key, Step::In);
        self.dues.insert((due, key));
        self.entries.insert(key, Entry { conn, role, due });
    }

    pub(crate) fn get(&self, key: usize) -> Option<&Arc<Connection<W>>> {
        self.entries.get(&key).map(|entry| &entry.conn)
    }

    pub(crate) fn set_due(&mut self, key: usize, due: Timestamp) {
        if let Some(entry) = self.entries.get_mut(&key) {
            self.dues.remove(&(entry.due, key));
            entry.due = due;
            self.dues.insert((due, key));
        }
    }

    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.dues.first().map(|&(due, _)| due)
    }

    /// Takes out the next time of a connection that has come.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<Arc<Connection<W>>> {
        let &(due, key) = self.dues.first()?;
        if due > now {
            return None;
        }
        self.dues.pop_first();
        self.get(key).cloned()
    }

    /// A dial has succeeded.
    pub(crate) fn stands(&mut self, key: usize) {
        self.change_role(key, Role::Dialled);
    }

    /// Forgets a connection.
    pub(crate) fn remove(&mut self, key: usize) {
        if let Some(entry) = self.entries.remove(&key) {
            self.dues.remove(&(entry.due, key));
            self.count(entry.role, key, Step::Out);
        }
    }

    /// Gives the first dial in line its place, if there is one.
    pub(crate) fn next_dial(&mut self, options: &Options) -> Option<Arc<Connection<W>>> {
        if !self.may_dial(options) {
            return None;
        }
        let key = *self.waiting.first()?;
        self.change_role(key, Role::Dialling);
        self.get(key).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Connection<W>>> {
        let mut all: Vec<_> = self
            .entries
            .values()
            .map(|entry| Arc::clone(&entry.conn))
            .collect();
        all.sort_unstable_by_key(|conn| conn.key);
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn may_dial(&self, options: &Options) -> bool {
        self.dialling < options.dials_max && self.dialling + self.dialled < options.dialled_max
    }

    fn change_role(&mut self, key: usize, role: Role) {
        if let Some(entry) = self.entries.get_mut(&key) {
            let old = std::mem::replace(&mut entry.role, role);
            self.count(old, key, Step::Out);
            self.count(role, key, Step::In);
        }
    }

    fn count(&mut self, role: Role, key: usize, step: Step) {
        let count = match role {
            Role::Accepted(source) => {
                self.count_source(source, step);
                &mut self.accepted
            }
            Role::Refused => &mut self.refused,
            Role::Dialling => &mut self.dialling,
            Role::Dialled => &mut self.dialled,
            Role::Waiting => {
                match step {
                    Step::In => self.waiting.insert(key),
                    Step::Out => self.waiting.remove(&key),
                };
                return;
            }
        };
        match step {
            Step::In => *count += 1,
            Step::Out => *count -= 1,
        }
    }
}

impl<W: Waiting> Table<W> {
    fn count_source(&mut self, source: Source, step: Step) {
        let count = self.by_source.entry(source).or_default();
        match step {
            Step::In => *count += 1,
            Step::Out => *count -= 1,
        }
        if *count == 0 {
            self.by_source.remove(&source);
        }
    }
}

#[derive(Clone, Copy)]
enum Step {
    In,
    Out,
}

#[cfg(test)]
mod tests {
    use simplechat_core::machine::ConnId;

    use super::*;
    use crate::connection::State;
    use crate::waiting::Idle;

    const DUE: Timestamp = Timestamp::from_secs(9);

    fn dial(table: &mut Table<Idle>) -> usize {
        let key = table.new_key();
        let state = State::waiting("127.0.0.1:9".parse().unwrap(), DUE);
        let id = ConnId::Dialled(u64::try_from(key).unwrap());
        table.insert(Connection::new(id, key, state), Role::Waiting, DUE);
        key
    }

    fn next(table: &mut Table<Idle>, options: &Options) -> Option<usize> {
        table.next_dial(options).map(|conn| conn.key)
    }

    #[test]
    fn dials_wait_in_line_for_both_kinds_of_place() {
        let options = Options {
            dials_max: 2,
            dialled_max: 3,
            dial_queue_max: 1,
            ..Options::default()
        };
        let mut table = Table::new(1);
        let [a, b, c, d] = std::array::from_fn(|_| dial(&mut table));
        assert_eq!(next(&mut table, &options), Some(a));
        assert_eq!(next(&mut table, &options), Some(b));
        assert_eq!(next(&mut table, &options), None, "two are under way");
        assert!(!table.may_wait(&options), "two are in line");
        table.stands(a);
        assert_eq!(next(&mut table, &options), Some(c));
        table.stands(b);
        assert_eq!(next(&mut table, &options), None, "three are open");
        table.remove(a);
        assert_eq!(next(&mut table, &options), Some(d));
        assert!(table.may_wait(&options), "nobody is in line");
    }

    #[test]
    fn keys_begin_again_when_they_run_out_but_are_never_shared() {
        let mut table = Table::new(7);
        let first = dial(&mut table);
        table.next_key = KEY_MAX;
        assert_eq!(table.new_key(), KEY_MAX);
        assert_eq!(table.new_key(), first + 1, "the first is still in use");
    }

    #[test]
    fn times_come_in_order_and_once_and_can_be_moved() {
        let mut table = Table::new(1);
        let [a, b, c] = std::array::from_fn(|_| dial(&mut table));
        table.set_due(b, Timestamp::from_secs(1));
        table.set_due(a, Timestamp::from_secs(2));
        table.remove(c);
        assert_eq!(table.next_due(), Some(Timestamp::from_secs(1)));
        let mut due = || table.take_due(Timestamp::from_secs(5)).map(|conn| conn.key);
        assert_eq!([due(), due(), due()], [Some(b), Some(a), None]);
        table.set_due(a, Timestamp::from_secs(3));
        assert_eq!(table.next_due(), Some(Timestamp::from_secs(3)));
        assert_eq!(table.len(), 2);
    }
}
