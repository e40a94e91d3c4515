//! What every driver does in the same way: the part of a transport that does not depend on how it waits.
//!
//! A *driver* runs a [`Machine`](simplechat_core::machine::Machine) on real sockets. What it promises the machine, and
//! how connections are bounded, timed, refused and closed, is the same whether threads or tasks wait for the sockets.
//! That part is here; a *transport* (`transport-std`, `transport-async`) adds a [`Waiting`]: how it waits, and who works.
//! Nothing here waits for anything but a lock.
//!
//! ```text
//!      cli                          a transport                               this crate
//!   Drive::start ──────▶ accepts: Net::admit                     Net, Table: which connections, how many, when due
//!   Handle       ──┐     reads: State::gather                    State: what is known of one, and what can be done now
//!                  │     works: State::advance, Shared::tell     Engine: the machine, its host, its outputs
//!                  │     minds the time: Net::look_at_due        Alarm: who has to be awake when
//!                  └────────────────────────────────────────────▶ Shared: one lock, one way to run the machine
//! ```
//!
//! Who uses a transport needs [`Drive`], [`Handle`], [`Listener`], [`Options`], [`Clock`], [`BindError`] and
//! [`Counters`], which the transports give on. Who writes one begins with [`Waiting`] and [`Net`]; whether it is right
//! is for `simplechat-conformance` to say. A transport that shares nothing of this but [`Drive`] would pass it too.
//!
//! **Invariant:** whatever a peer can make grow has its bound in [`Options`].

mod advance;
mod alarm;
mod clock;
mod connection;
mod counters;
mod dial;
mod drive;
mod engine;
mod error;
mod handle;
mod listener;
mod net;
mod options;
mod outbox;
mod shared;
mod sync;
mod table;
mod waiting;

pub use advance::Change;
pub use clock::Clock;
pub use connection::{Connection, Facts, Readiness, State};
pub use counters::{Counters, Tally};
pub use drive::Drive;
pub use error::BindError;
pub use handle::{Handle, Reach};
pub use listener::Listener;
pub use net::{Accepting, Ending, Net};
pub use options::Options;
pub use shared::{Failure, Panicked, Run, Shared};
pub use sync::lock;
pub use waiting::{Interest, Waiting};
