//! Everything that `hostile` tests, with servers and clients on `transport-async`: the name of this file is what says so.

#[path = "hostile.rs"]
mod hostile;
