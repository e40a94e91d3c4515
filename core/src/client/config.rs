//! What a client is started with.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::wire::login::LinkChoice;

/// The settings of a client that its machine depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the server may be, in the order in which to try; at least one.
    pub servers: Vec<SocketAddr>,
    /// Where this client listens for the server and its peers. The port counts; an unspecified address means all.
    pub listener: SocketAddr,
    /// How long leaving may take: sending what waits, and telling the server and peers.
    pub leave_within: Duration,
    /// How the server is to reach this client.
    pub link: LinkChoice,
    /// Whether this client goes on where it was when it starts again.
    pub store: StoreKind,
    /// What becomes of a first login when the server cannot be reached.
    pub start: Start,
}

/// What becomes of a first login when the server cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Start {
    /// The client ends.
    #[default]
    WithServer,
    /// The client goes on as if the server had gone later: peers whom its store knows are looked for, and the login is tried until it
    /// succeeds.
    Offline,
}

/// Whether a client has a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum StoreKind {
    /// It has none: what it knows ends with it.
    #[default]
    None,
    /// It has one, which keeps its records.
    Lasting,
}

impl Config {
    /// A client of the server at these addresses, that listens there.
    #[must_use]
    pub const fn new(servers: Vec<SocketAddr>, listener: SocketAddr) -> Self {
        Self {
            servers,
            listener,
            leave_within: Duration::from_secs(3),
            link: LinkChoice::Auto,
            store: StoreKind::None,
            start: Start::WithServer,
        }
    }
}
