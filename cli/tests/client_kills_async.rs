//! Everything that `client_kills` tests, with servers and clients on `transport-async`: the name of this file is what says so.

#[path = "client_kills.rs"]
mod client_kills;
