//! Everything that `failures` tests, with servers and clients on `transport-async`: the name of this file is what says so.

#[path = "failures.rs"]
mod failures;
