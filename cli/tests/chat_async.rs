//! Everything that `chat` tests, with servers and clients on `transport-async`: the name of this file is what says so.

#[path = "chat.rs"]
mod chat;
