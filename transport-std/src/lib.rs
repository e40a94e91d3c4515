//! The blocking driver: runs a machine on std sockets.

mod clock;
mod error;
mod listener;
mod options;

pub use clock::Clock;
pub use error::BindError;
pub use listener::Listener;
pub use options::Options;
