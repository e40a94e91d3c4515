//! Checking passwords, on threads of their own: it is slow by design, and chat must not wait for it.
//!
//! There are few threads, each with its own memory for hashing, so neither all processors nor all memory are ever taken
//! by people who log in. The machine bounds how many checks are under way.
//!
//! A thread of low priority gets a little of a processor that others want, and may then keep it for some milliseconds. That
//! does no harm while few log in. In a rush, which may be an attack, a check gets only what nobody else wants: see [`Share`].

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use preempt_rt::sched::{Pid, Scheduler, SchedulerParams, set_scheduler};
use simplechat_core::limits::PASSWORD_CHECKS_MAX;
use simplechat_core::name::Name;
use simplechat_core::server::Verdict;
use simplechat_core::text::Password;

use crate::credentials::{Credentials, Workbench};

/// Of the threads that check: others get nine times as much.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// So many checks that wait are a rush.
const RUSH: usize = 8;

/// A check that took so long in a rush got next to nothing: it is work of some 20 ms.
const STARVED: Duration = Duration::from_secs(1);

/// How long checks get a little after that, rush or not.
const STARVED_FOR: Duration = Duration::from_secs(60);

/// A check to be done.
pub(super) struct Check {
    pub(super) name: Name,
    pub(super) password: Password,
    /// The accounts as they were when it came: a reload changes nothing about it.
    pub(super) credentials: Arc<Credentials>,
    /// Takes the result.
    pub(super) answer: Box<dyn FnOnce(Verdict) + Send>,
}

/// What of the processors a check gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Share {
    /// A little, always.
    Little,
    /// What nobody else wants, given back at once to whoever does: so it may be nothing.
    Leftovers,
}

/// The threads. Dropping it forgets what waits, and ends them when they are done with what they have begun.
pub(super) struct Checking {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Something waits, or it is over.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Check>,
    /// When leftovers were last too little.
    starved_at: Option<Instant>,
    is_over: bool,
}

impl Checking {
    /// Starts so many threads.
    pub(super) fn start(threads: usize) -> io::Result<Self> {
        let mut checking = Self {
            shared: Arc::default(),
            threads: Vec::new(),
        };
        for _ in 0..threads {
            let shared = Arc::clone(&checking.shared);
            let thread = thread::Builder::new()
                .name("password".to_owned())
                .spawn(move || shared.work())?;
            checking.threads.push(thread);
        }
        Ok(checking)
    }

    /// Has a check done. Never waits. Gives it back if more wait than the machine has under way.
    pub(super) fn add(&self, check: Check) -> Result<(), Check> {
        let mut state = self.shared.lock();
        if state.waiting.len() >= PASSWORD_CHECKS_MAX {
            return Err(check);
        }
        state.waiting.push_back(check);
        drop(state);
        self.shared.changed.notify_one();
        Ok(())
    }
}

impl Drop for Checking {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_over = true;
        state.waiting.clear();
        drop(state);
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // If one had panicked, nothing could be done about it here.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        yield_to_chat();
        let mut bench = Workbench::default();
        while let Some((check, share)) = self.next() {
            let mut is_right = || {
                check
                    .credentials
                    .check(check.name, &check.password, &mut bench)
            };
            let is_right = match share {
                Share::Little => is_right(),
                Share::Leftovers => {
                    let began = Instant::now();
                    let is_right = with_leftovers(is_right);
                    self.note_rushed(began.elapsed());
                    is_right
                }
            };
            let verdict = if is_right {
                Verdict::Right
            } else {
                Verdict::Wrong
            };
            (check.answer)(verdict);
        }
    }

    /// Waits for a check, and says what it gets. `None` when it is over.
    fn next(&self) -> Option<(Check, Share)> {
        let is_idle = |state: &mut State| state.waiting.is_empty() && !state.is_over;
        let mut state = self
            .changed
            .wait_while(self.lock(), is_idle)
            .unwrap_or_else(PoisonError::into_inner);
        let share = state.share(Instant::now());
        Some((state.waiting.pop_front()?, share))
    }

    /// Notes how long a check in a rush took.
    fn note_rushed(&self, took: Duration) {
        if took > STARVED {
            self.lock().starved_at = Some(Instant::now());
        }
    }
}

impl State {
    /// What the next check gets.
    fn share(&self, now: Instant) -> Share {
        let was_starved = self
            .starved_at
            .is_some_and(|at| now.duration_since(at) < STARVED_FOR);
        if self.waiting.len() < RUSH || was_starved {
            Share::Little
        } else {
            Share::Leftovers
        }
    }
}

/// Does it on a thread of its own: one that takes only leftovers may not go back to more. It holds no lock that others need.
fn with_leftovers<T: Send>(mut work: impl FnMut() -> T + Send) -> T {
    let done = thread::scope(|scope| {
        let rushed = thread::Builder::new()
            .name("password-rush".to_owned())
            .spawn_scoped(scope, || {
                take_leftovers();
                work()
            });
        rushed.ok()?.join().ok()
    });
    // If there is no thread to be had, it is done here.
    done.unwrap_or_else(work)
}

/// Has this thread get little of a processor that others want: many logins may take long, and messages may not.
fn yield_to_chat() {
    // Elsewhere this is about the whole process.
    #[cfg(target_os = "linux")]
    {
        // If it cannot be had, checks are only as important as all else.
        let _ = rustix::process::setpriority_process(None, NICE);
    }
}

/// Has this thread get only what nobody else wants of a processor.
fn take_leftovers() {
    #[cfg(target_os = "linux")]
    {
        // If it cannot be had, it gets a little, as the thread that has started it.
        let params = SchedulerParams { priority: 0 };
        let _ = set_scheduler(Pid::current_thread(), Scheduler::SCHED_IDLE, params);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::credentials::Cost;

    fn check(
        credentials: &Arc<Credentials>,
        password: &str,
        answer: impl FnOnce(Verdict) + Send + 'static,
    ) -> Check {
        Check {
            name: "alice".parse().unwrap(),
            password: Password::new(password.into()).unwrap(),
            credentials: Arc::clone(credentials),
            answer: Box::new(answer),
        }
    }

    fn accounts(text: &str) -> Arc<Credentials> {
        Arc::new(Credentials::parse("test", text.as_bytes(), Cost::new(8, 1)).unwrap())
    }

    #[test]
    fn every_check_is_answered_once_by_the_accounts_that_it_came_with() {
        let (old, new) = (accounts("alice old"), accounts("alice new"));
        let (sender, answers) = channel();
        let checking = Checking::start(2).unwrap();
        for number in 0..100 {
            let sender = sender.clone();
            let credentials = if number % 2 == 0 { &old } else { &new };
            let answer = move |verdict| {
                let _ = sender.send((number, verdict));
            };
            assert!(checking.add(check(credentials, "old", answer)).is_ok());
        }
        drop(sender);
        let mut got: Vec<_> = answers.iter().collect();
        got.sort_unstable_by_key(|(number, _)| *number);
        let expected = |number| {
            let verdict = if number % 2 == 0 {
                Verdict::Right
            } else {
                Verdict::Wrong
            };
            (number, verdict)
        };
        assert_eq!(got, (0..100).map(expected).collect::<Vec<_>>());
    }

    #[test]
    fn checks_of_a_rush_get_leftovers_unless_these_are_too_little() {
        let accounts = accounts("alice pw");
        let checking = Checking::start(0).unwrap();
        let share = |later| checking.shared.lock().share(Instant::now() + later);
        for waiting in 1..=RUSH {
            let unanswered = check(&accounts, "pw", |_| panic!("nobody checks it"));
            assert!(checking.add(unanswered).is_ok());
            let is_rush = share(Duration::ZERO) == Share::Leftovers;
            assert_eq!(is_rush, waiting == RUSH);
        }
        checking.shared.note_rushed(STARVED);
        assert_eq!(share(Duration::ZERO), Share::Leftovers);
        checking.shared.note_rushed(STARVED * 2);
        assert_eq!(share(Duration::ZERO), Share::Little);
        assert_eq!(share(STARVED_FOR), Share::Leftovers);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn leftovers_are_taken_by_a_thread_of_the_idle_class_and_no_other() {
        use preempt_rt::sched::get_scheduler;

        let class = || get_scheduler(Pid::current_thread()).unwrap();
        assert_eq!(with_leftovers(class), Scheduler::SCHED_IDLE);
        assert_ne!(class(), Scheduler::SCHED_IDLE);
    }

    #[test]
    fn what_waits_is_bounded_and_forgotten_at_the_end() {
        let accounts = accounts("alice pw");
        // Nobody works, so all of it waits.
        let checking = Checking::start(0).unwrap();
        let unanswered = || check(&accounts, "pw", |_| panic!("nobody checks it"));
        for _ in 0..PASSWORD_CHECKS_MAX {
            assert!(checking.add(unanswered()).is_ok());
        }
        assert!(checking.add(unanswered()).is_err());
        drop(checking);
        assert_eq!(Arc::strong_count(&accounts), 1);
    }
}
