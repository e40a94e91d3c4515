//! What the `simplechat` program is made of, around the state machines of `simplechat-core`.
//!
//! Here is what touches files and people: [`settings`] and [`credentials`] are read when it starts, [`bounded_lines`]
//! and [`command_line`] take in what somebody types, and [`clean`] stands between other people's text and the terminal.
#![forbid(unsafe_code)]

pub mod bounded_lines;
pub mod clean;
pub mod command_line;
pub mod credentials;
pub mod problems;
pub mod settings;

mod nearest;
