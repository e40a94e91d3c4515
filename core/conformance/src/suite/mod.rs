//! The tests. What each shows is its name.
#![allow(missing_docs, reason = "the name of a test says what it shows")]
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "tests, though not in this crate"
)]

pub mod accepting;
pub mod bounds;
pub mod closing;
pub mod crossing;
pub mod descriptors;
pub mod dialling;
pub mod effects;
pub mod ending;
pub mod keeping;
pub mod mixed;
pub mod timers;
