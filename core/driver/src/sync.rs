//! The one way in which drivers take a lock.
//!
//! **Lock order**, outermost first. Whoever holds one may take those after it, never one before it, and never two
//! connections at once:
//!
//! 1. the engine (the machine, its host, and the connections it knows),
//! 2. one connection,
//! 3. the table of all connections,
//! 4. the leaves: alarm, results of effects, how the driver failed, and whatever queue a transport calls its workers by.
//!    No two of them together.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes `mutex`, also if somebody panicked while holding it: a panic ends the whole driver, and what is left to do
/// then, closing sockets and ending threads, must not hang or panic on a poisoned lock.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
