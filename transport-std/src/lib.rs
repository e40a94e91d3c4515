//! The blocking transport: runs any [`Machine`](simplechat_core::machine::Machine) on std sockets, with a fixed number
//! of threads.
//!
//! It knows no protocol. It moves bytes, keeps timers, and hands the machine's effects and events to a
//! [`Host`](simplechat_core::machine::Host).
//!
//! ```text
//!              ┌───────────── poll thread ─────────────┐        ┌──────── workers (fixed) ────────┐
//!   peers ───▶ │ accept, gather bytes (bounded), time  │ ─────▶ │ tell the machine, do its outputs│ ───▶ peers
//!              └───────────────────────────────────────┘ ready  └─────────────────────────────────┘
//!                             ▲                          queue        │ effects, events      ▲ results
//!                             └── watch again ── wake ────────────────┤                      │
//!                                                                     └──▶ Host ─────────────┘
//! ```
//!
//! One thread waits for readiness on all sockets and gathers bytes into bounded buffers; a bounded queue hands the
//! connections that are ready to a fixed pool of workers. So no worker ever waits on a silent peer. The machine is
//! behind one lock, and each connection is worked on by one worker at a time. What is done with a connection is in
//! `simplechat-driver`, for it is the same in every transport; here is who does it, and when.
//!
//! Reading order: [`Driver`], then `poll_loop` and `worker` (the two kinds of thread) and `ready` (what is between
//! them). The lock order is in [`simplechat_driver::lock`]; the only unsafe code in `watched`.
//!
//! **Invariants:** nothing but the poll thread waits for sockets, and it waits for nothing else; whatever a peer can
//! make grow has its bound in [`Options`]; a socket is taken out of the poller before it is closed.

mod driver;
mod poll_loop;
mod pool;
mod ready;
mod watched;
mod worker;

pub use driver::Driver;
pub use simplechat_driver::{BindError, Clock, Counters, Drive, Handle, Listener, Options};
