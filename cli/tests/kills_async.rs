//! Everything that `kills` tests, with servers and clients on `transport-async`: the name of this file is what says so.

#[path = "kills.rs"]
mod kills;
