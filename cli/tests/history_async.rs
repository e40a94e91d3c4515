//! Everything that `history` tests, with servers and clients on `transport-async`: the name of this file is what says so.

#[path = "history.rs"]
mod history;
