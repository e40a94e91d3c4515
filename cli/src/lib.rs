//! What the `simplechat` program is made of, around the state machines of `simplechat-core`.
#![forbid(unsafe_code)]

pub mod bounded_lines;
pub mod clean;
pub mod credentials;
pub mod problems;
