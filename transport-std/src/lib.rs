//! The blocking driver: runs any [`Machine`](simplechat_core::machine::Machine) on std sockets, with a fixed number of
//! threads.
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
//! behind one lock, and each connection is worked on by one worker at a time.
//!
//! Reading order: [`Driver`] and [`Handle`], then `poll_loop` and `worker` (the two kinds of thread), `connection`
//! (what others do to a connection) and `advance` (what a worker does to it), `engine` (the machine's side). The lock
//! order is in `sync`; the only unsafe code in `watched`.
//!
//! **Invariants:** nothing but the poll thread waits for sockets, and it waits for nothing else; whatever a peer can
//! make grow has its bound in [`Options`]; a socket is taken out of the poller before it is closed.

mod advance;
mod alarm;
mod clock;
mod connection;
mod counters;
mod dial;
mod driver;
mod engine;
mod error;
mod handle;
mod listener;
mod net;
mod options;
mod outbox;
mod poll_loop;
mod ready;
mod shared;
mod sync;
mod table;
mod watched;
mod worker;

pub use clock::Clock;
pub use counters::Counters;
pub use driver::Driver;
pub use error::BindError;
pub use handle::Handle;
pub use listener::Listener;
pub use options::Options;
