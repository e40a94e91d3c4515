//! What the `simplechat` program is made of, around the state machines of `simplechat-core`.
#![forbid(unsafe_code)]

pub mod bounded_lines;
pub mod clean;
pub mod command_line;
pub mod credentials;
pub mod problems;

mod nearest;
