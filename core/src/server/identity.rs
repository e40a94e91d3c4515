//! What a server is known by, and what it knows its own tickets by.

use core::fmt;

use zeroize::Zeroizing;

use super::ticket::TicketKey;
use crate::key::{KEY_LEN, StaticKey};
use crate::rng::SecretSource;

/// The secrets of a server that outlive it: clients remember its key, and bring tickets after a restart.
pub struct Identity {
    pub(super) key: StaticKey,
    pub(super) tickets: TicketKey,
}

impl Identity {
    /// The server with this key, which seals tickets under `ticket_key`.
    #[must_use]
    pub fn new(key: StaticKey, ticket_key: Zeroizing<[u8; KEY_LEN]>) -> Self {
        Self {
            key,
            tickets: TicketKey::new(&ticket_key),
        }
    }

    /// A server that nobody knows yet.
    pub fn generate(secrets: &mut dyn SecretSource) -> Self {
        let key = StaticKey::generate(secrets);
        let mut ticket_key = Zeroizing::new([0; KEY_LEN]);
        secrets.fill(&mut *ticket_key);
        Self::new(key, ticket_key)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({:?})", self.key.public())
    }
}
