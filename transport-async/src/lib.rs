//! The asynchronous transport: runs any [`Machine`](simplechat_core::machine::Machine) on async-std, with a task for
//! each connection and no thread.
//!
//! It knows no protocol. It moves bytes, keeps timers, and hands the machine's effects and events to a
//! [`Host`](simplechat_core::machine::Host).
//!
//! ```text
//!            ┌ accept: a task a listener ┐       ┌ attend: a task a connection ┐
//!   peers ──▶│ takes in or refuses       │ ────▶ │ dials, reads (bounded),     │ ◀───▶ peers
//!            └───────────────────────────┘       │ writes, lingers, closes     │
//!            ┌ time_loop: one task ──────┐       └──────────┬─────────▲────────┘
//!            │ deadlines, and the end    │ ────▶  ready     ▼         │ outputs wake it
//!            └───────────────────────────┘        queue  ┌ worker: one task ─────────┐       results
//!                                                  ────▶ │ hands in all that is there│ ─▶ Host ──┐
//!                                                        └──────────────▲────────────┘           │
//!                                                                       └────────────────────────┘
//! ```
//!
//! The tasks of connections put what they read into bounded buffers and queue themselves; the machine's task takes all
//! that are queued in one hold of the machine's lock. So under load the machine is woken once for many inputs, one
//! read carries many frames, and one write many answers. A connection is queued at most once with at most
//! [`Options::inbox_max`] bytes, so none keeps the others waiting. What is done with a connection is in
//! `simplechat-driver`, for it is the same in every transport; here is who does it, and when.
//!
//! Reading order: [`Driver`], then `attend` and `worker` (what happens to bytes), `accept`, `time_loop`, and `tasks`
//! (what they call each other by).
//!
//! # The runtime
//!
//! Tasks run on async-std's own threads, one for each processor (`ASYNC_STD_THREAD_COUNT` says otherwise), which all
//! drivers of a process share and which stay when a driver has ended; [`Options::worker_threads`] is for transports
//! that have threads of their own. Nothing here makes one of them wait: the machine's task tries the lock, and is called
//! when a [`Handle`] has let go of it. But `start`, `wait` and dropping a driver do wait, and are for threads, not tasks.
//!
//! Sockets are [`async_io::Async`] around std's, which is what async-std's own are made of: async-std itself offers no
//! backlog, no connect that fails in time, no reset, and no way to see what can be done without waiting for it.
//! A peer that has ended its side keeps a socket readable for ever, so that a reset after that cannot be waited for; it is
//! looked for once a second.
//!
//! async-std is not developed any more; smol, made of the same parts, is its successor. Moving there, or to another
//! runtime, is a matter of `runtime` (spawn, cancel, block, a time limit) and, where [`async_io`] is not what it is
//! built on, of the socket in `tasks` and the listener in `accept`. With smol set `SMOL_THREADS`, which is 1 if not said.
//!
//! **Invariants:** no task waits for a thread, and no connection has one; whatever a peer can make grow has its bound in
//! [`Options`]; channels hold one token or are the ready queue, which holds each connection once.

mod accept;
mod attend;
mod driver;
mod ready;
mod runtime;
mod signal;
mod tasks;
mod time_loop;
mod worker;

pub use driver::Driver;
pub use simplechat_driver::{BindError, Clock, Counters, Drive, Handle, Listener, Options};
