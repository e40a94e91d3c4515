//! When the poll thread has to be awake, and waking it when that becomes earlier than it thinks.
//!
//! The race to get right: the poll thread works out how long to sleep from deadlines that others move at any time. So
//! it first says that it is deciding, then reads the deadlines, then says until when it sleeps. Whoever sets an
//! earlier deadline sets it first and then rings. Either the poll thread said *deciding* before the ring, which then
//! sees it and wakes the poller (a wake-up that comes before the sleep ends that sleep at once), or it says so after,
//! and then reads the new deadline.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use polling::Poller;
use simplechat_core::time::Timestamp;

use crate::sync::lock;

/// How much later a machine is asked again that has broken its promise that the next deadline lies later.
const BROKEN_PROMISE_DELAY: Duration = Duration::from_millis(1);

/// Keeps the machine's deadline and what the poll thread is at.
#[derive(Debug)]
pub(crate) struct Alarm {
    poller: Arc<Poller>,
    state: Mutex<State>,
    #[cfg(test)]
    rings: std::sync::atomic::AtomicUsize,
}

#[derive(Debug)]
struct State {
    machine_due: Option<Timestamp>,
    /// A worker is on its way to hand in the timeout. Until it has, the deadline wakes nobody.
    is_timeout_queued: bool,
    poll_thread: PollThread,
}

#[derive(Clone, Copy, Debug)]
enum PollThread {
    /// It will look at all deadlines before it sleeps.
    Awake,
    /// It may have looked already.
    Deciding,
    /// Nothing: until it is woken.
    Asleep { until: Option<Timestamp> },
}

impl Alarm {
    pub(crate) fn new(poller: Arc<Poller>) -> Self {
        Self {
            poller,
            state: Mutex::new(State {
                machine_due: None,
                is_timeout_queued: false,
                poll_thread: PollThread::Awake,
            }),
            #[cfg(test)]
            rings: std::sync::atomic::AtomicUsize::new(0),
        }
    }

    /// The poll thread has to be awake at `at`. To be called after the deadline was put where it reads it.
    pub(crate) fn ring_by(&self, at: Timestamp) {
        self.ring(lock(&self.state).poll_thread, at);
    }

    /// The poll thread has to look around at once.
    pub(crate) fn ring_now(&self) {
        // An error would mean that the poller is broken; then the poll thread has it too, and ends the driver.
        let _ = self.poller.notify();
        #[cfg(test)]
        self.rings
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    /// Takes the machine's newest deadline.
    pub(crate) fn set_machine_due(&self, due: Option<Timestamp>) {
        let mut state = lock(&self.state);
        state.machine_due = due;
        if let (Some(at), false) = (due, state.is_timeout_queued) {
            self.ring(state.poll_thread, at);
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
        self.ring(state.poll_thread, due);
    }

    /// The poll thread is about to read the deadlines of the connections.
    pub(crate) fn decide(&self) {
        lock(&self.state).poll_thread = PollThread::Deciding;
    }

    /// The poll thread goes to sleep; the earliest deadline of a connection is `connection_due`. Returns until when.
    pub(crate) fn sleep(&self, connection_due: Option<Timestamp>) -> Option<Timestamp> {
        let mut state = lock(&self.state);
        let machine_due = state.machine_due.filter(|_| !state.is_timeout_queued);
        let until = [machine_due, connection_due].into_iter().flatten().min();
        state.poll_thread = PollThread::Asleep { until };
        until
    }

    /// The poll thread has woken.
    pub(crate) fn wake(&self) {
        lock(&self.state).poll_thread = PollThread::Awake;
    }

    fn ring(&self, poll_thread: PollThread, at: Timestamp) {
        let is_too_late = match poll_thread {
            PollThread::Awake => false,
            PollThread::Deciding => true,
            PollThread::Asleep { until } => until.is_none_or(|until| at < until),
        };
        if is_too_late {
            self.ring_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Timestamp = Timestamp::from_secs(1);
    const LATER: Timestamp = Timestamp::from_secs(2);

    fn alarm() -> Alarm {
        Alarm::new(Arc::new(Poller::new().unwrap()))
    }

    /// How often it rang since the last time it was asked.
    fn rings(alarm: &Alarm) -> usize {
        alarm.rings.swap(0, std::sync::atomic::Ordering::Relaxed)
    }

    #[test]
    fn a_sleeper_is_woken_for_an_earlier_deadline_only() {
        let alarm = alarm();
        alarm.decide();
        assert_eq!(alarm.sleep(Some(SOON)), Some(SOON));
        alarm.ring_by(LATER);
        alarm.set_machine_due(Some(LATER));
        assert_eq!(rings(&alarm), 0);
        alarm.ring_by(Timestamp::ZERO);
        assert_eq!(rings(&alarm), 1);
    }

    #[test]
    fn a_deadline_set_while_deciding_is_not_lost() {
        let alarm = alarm();
        alarm.decide();
        alarm.ring_by(SOON);
        alarm.sleep(None);
        assert_eq!(rings(&alarm), 1);
    }

    #[test]
    fn a_timeout_is_handed_in_once() {
        let alarm = alarm();
        alarm.set_machine_due(Some(SOON));
        assert!(!alarm.take_timeout(Timestamp::ZERO));
        assert!(alarm.take_timeout(SOON));
        assert!(!alarm.take_timeout(SOON), "a worker is on its way");
        alarm.decide();
        assert_eq!(alarm.sleep(None), None, "nothing to be woken for");
        alarm.timeout_handled(SOON);
        assert_eq!(rings(&alarm), 1);
        assert!(
            !alarm.take_timeout(SOON),
            "it is asked again a little later"
        );
        assert!(alarm.take_timeout(LATER));
    }
}
