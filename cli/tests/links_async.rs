//! Everything that `links` tests, with servers and clients on `transport-async`: the name of this file is what says so.

#[path = "links.rs"]
mod links;
