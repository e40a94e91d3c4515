//! When whoever minds the time has to be awake, and waking them when that becomes earlier than they think.
//!
//! The timekeeper is a thread or a task of the transport. The race to get right: it works out how long to sleep from deadlines that others move at any time. So
//! it first says that it is deciding, then reads the deadlines, then says until when it sleeps. Whoever sets an
//! earlier deadline sets it first and then rings. Either the timekeeper said *deciding* before the ring, which then
//! sees it and rings (a ring that comes before the sleep ends that sleep at once), or it says so after,
//! and then reads the new deadline.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use simplechat_core::time::Timestamp;

use crate::sync::lock;

/// How much later a machine is asked again that has broken its promise that the next deadline lies later.
const BROKEN_PROMISE_DELAY: Duration = Duration::from_millis(1);

/// Keeps the machine's deadline and what the timekeeper is at.
pub(crate) struct Alarm {
    bell: Box<dyn Fn() + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    machine_due: Option<Timestamp>,
    /// A worker is on its way to hand in the timeout. Until it has, the deadline wakes nobody.
    is_timeout_queued: bool,
    timekeeper: Timekeeper,
}

#[derive(Clone, Copy, Debug)]
enum Timekeeper {
    /// It will look at all deadlines before it sleeps.
    Awake,
    /// It may have looked already.
    Deciding,
    /// Nothing: until it is woken.
    Asleep { until: Option<Timestamp> },
}

impl Alarm {
    /// `bell` wakes the timekeeper; should it not sleep yet, it will not fall asleep.
    pub(crate) fn new(bell: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            bell: Box::new(bell),
            state: Mutex::new(State {
                machine_due: None,
                is_timeout_queued: false,
                timekeeper: Timekeeper::Awake,
            }),
        }
    }

    /// The timekeeper has to be awake at `at`. To be called after the deadline was put where it reads it.
    pub(crate) fn ring_by(&self, at: Timestamp) {
        self.ring(lock(&self.state).timekeeper, at);
    }

    /// The timekeeper has to look around at once.
    pub(crate) fn ring_now(&self) {
        (self.bell)();
    }

    /// Takes the machine's newest deadline.
    pub(crate) fn set_machine_due(&self, due: Option<Timestamp>) {
        let mut state = lock(&self.state);
        state.machine_due = due;
        if let (Some(at), false) = (due, state.is_timeout_queued) {
            self.ring(state.timekeeper, at);
        }
    }

    /// Whether a timeout is to be handed to the machine. Says so once, until [`Alarm::timeout_handled`].
    pub(crate) fn take_timeout(&self, now: Timestamp) -> bool {
        let mut state = lock(&self.state);
        let is_due = !state.is_timeout_queued && state.machine_due.is_some_and(|due| due <= now);
        state.is_timeout_queued |= is_due;
        is_due
    }

    /// The timeout was handed in at `now`.
    pub(crate) fn timeout_handled(&self, now: Timestamp) {
        let mut state = lock(&self.state);
        state.is_timeout_queued = false;
        let Some(mut due) = state.machine_due else {
            return;
        };
        if due <= now {
            due = now + BROKEN_PROMISE_DELAY;
            state.machine_due = Some(due);
        }
        self.ring(state.timekeeper, due);
    }

    /// The timekeeper is about to read the deadlines of the connections.
    pub(crate) fn decide(&self) {
        lock(&self.state).timekeeper = Timekeeper::Deciding;
    }

    /// The timekeeper goes to sleep; the earliest deadline of a connection is `connection_due`. Returns until when.
    pub(crate) fn sleep(&self, connection_due: Option<Timestamp>) -> Option<Timestamp> {
        let mut state = lock(&self.state);
        let machine_due = state.machine_due.filter(|_| !state.is_timeout_queued);
        let until = [machine_due, connection_due].into_iter().flatten().min();
        state.timekeeper = Timekeeper::Asleep { until };
        until
    }

    /// The timekeeper has woken.
    pub(crate) fn wake(&self) {
        lock(&self.state).timekeeper = Timekeeper::Awake;
    }

    fn ring(&self, timekeeper: Timekeeper, at: Timestamp) {
        let is_too_late = match timekeeper {
            Timekeeper::Awake => false,
            Timekeeper::Deciding => true,
            Timekeeper::Asleep { until } => until.is_none_or(|until| at < until),
        };
        if is_too_late {
            self.ring_now();
        }
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const SOON: Timestamp = Timestamp::from_secs(1);
    const LATER: Timestamp = Timestamp::from_secs(2);

    /// An alarm, and how often it rang since that was last set to nothing.
    fn alarm() -> (Alarm, Arc<AtomicUsize>) {
        let rings = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&rings);
        let bell = move || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        (Alarm::new(bell), rings)
    }

    fn rings(count: &AtomicUsize) -> usize {
        count.swap(0, Ordering::Relaxed)
    }

    #[test]
    fn a_sleeper_is_woken_for_an_earlier_deadline_only() {
        let (alarm, count) = alarm();
        alarm.decide();
        assert_eq!(alarm.sleep(Some(SOON)), Some(SOON));
        alarm.ring_by(LATER);
        alarm.set_machine_due(Some(LATER));
        assert_eq!(rings(&count), 0);
        alarm.ring_by(Timestamp::ZERO);
        assert_eq!(rings(&count), 1);
    }

    #[test]
    fn a_deadline_set_while_deciding_is_not_lost() {
        let (alarm, count) = alarm();
        alarm.decide();
        alarm.ring_by(SOON);
        alarm.sleep(None);
        assert_eq!(rings(&count), 1);
    }

    #[test]
    fn a_timeout_is_handed_in_once() {
        let (alarm, count) = alarm();
        alarm.set_machine_due(Some(SOON));
        assert!(!alarm.take_timeout(Timestamp::ZERO));
        assert!(alarm.take_timeout(SOON));
        assert!(!alarm.take_timeout(SOON), "a worker is on its way");
        alarm.decide();
        assert_eq!(alarm.sleep(None), None, "nothing to be woken for");
        alarm.timeout_handled(SOON);
        assert_eq!(rings(&count), 1);
        assert!(
            !alarm.take_timeout(SOON),
            "it is asked again a little later"
        );
        assert!(alarm.take_timeout(LATER));
    }
}
