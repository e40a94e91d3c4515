//! What every fuzz target checks: plain functions of a fuzzer's bytes that panic when a promise is broken.
//!
//! They stand here, and not in `fuzz_targets`, so that the ordinary build compiles them and the ordinary tests replay the
//! corpora without libFuzzer. `wire` has frames and items, `server` and `client` a machine alone with a hostile network
//! (the `rig`), `handshake` both with real keys, `sealed` the frames of a session, `world` all machines together, `recording` what a server has met, and `people` what people write. `any` makes values of the wire.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_in_result,
    reason = "a check panics when something is wrong; its results are about bytes that ran out"
)]

mod any;
mod client;
mod handshake;
mod people;
mod recording;
mod rig;
mod sealed;
mod server;
mod streams;
mod wire;
mod world;

pub use client::client;
pub use handshake::handshake;
pub use people::{clean, command_line, credentials, settings};
pub use recording::recording;
pub use sealed::sealed;
pub use server::server;
pub use wire::{deframer, items, round_trip};
pub use world::world;

/// A target: its name, which is also that of its corpus, and what it checks.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 13] = [
    ("clean", clean),
    ("client", client),
    ("command_line", command_line),
    ("credentials", credentials),
    ("deframer", deframer),
    ("handshake", handshake),
    ("items", items),
    ("recording", recording),
    ("round_trip", round_trip),
    ("sealed", sealed),
    ("server", server),
    ("settings", settings),
    ("world", world),
];
