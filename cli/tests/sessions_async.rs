//! Everything that `sessions` tests, with servers and clients on `transport-async`: the name of this file is what says so.

#[path = "sessions.rs"]
mod sessions;
