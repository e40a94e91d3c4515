//! The state machines of SimpleChat: everything it decides, and nothing it does.
//!
//! Two machines, [`server::Server`] and [`client::Client`], take facts and wishes with the time at which they came, and
//! give back what should happen: bytes to send, addresses to dial, work to do, things to show. The contract between a
//! machine and the driver that runs it is in [`machine`]. The same inputs and the same seed give the same outputs, to
//! the byte, on every machine.
//!
//! Reading order: [`machine`], then [`wire`] and [`channel`] (what travels, and what makes it believable), then the
//! rules, each in the module that bears its name: [`server`] and [`client`] list theirs.
//!
//! **Invariant:** this crate has no socket, thread, clock, file or random source. `no_std` holds that: what would
//! break it does not compile.
#![no_std]
#![forbid(unsafe_code)]
#![warn(
    clippy::alloc_instead_of_core,
    clippy::as_conversions,
    clippy::std_instead_of_core
)]

extern crate alloc;

#[cfg(test)]
extern crate std;

pub mod channel;
pub mod client;
pub mod id;
pub mod key;
pub mod limits;
pub mod machine;
pub mod name;
pub mod rate;
pub mod rng;
pub mod safety_code;
pub mod server;
pub mod source;
pub mod text;
pub mod time;
pub mod wire;

mod backoff;
mod lru;
mod timers;
