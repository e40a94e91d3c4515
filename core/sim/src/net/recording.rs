//! What somebody who listens on every line of the network hears: bytes, and where they went.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::wire::Side;

/// Bytes of a recording beyond which the rest of a direction is not kept: a whole frame fits.
const RECORDING_LEN_MAX: usize = 128 * 1024;

/// Everything that was sent in one direction of one connection.
#[derive(Clone, Debug)]
pub struct Recording {
    wire: u64,
    sender: Side,
    /// The listener that the connection was made to.
    pub listener: SocketAddr,
    /// Where the sender listens, as far as can be told: everybody listens somewhere.
    pub origin: SocketAddr,
    /// What was sent, whether it arrived or not.
    pub bytes: Vec<u8>,
}

/// The latest recordings, oldest first.
#[derive(Debug)]
pub struct Recordings {
    kept: VecDeque<Recording>,
    kept_max: usize,
}

impl Recordings {
    pub(super) const fn new(kept_max: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            kept_max,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Recording> {
        self.kept.get(index)
    }

    pub(super) fn note(
        &mut self,
        (wire, sender): (u64, Side),
        (listener, origin): (SocketAddr, SocketAddr),
        bytes: &[u8],
    ) {
        let known = self
            .kept
            .iter()
            .rposition(|recording| recording.wire == wire && recording.sender == sender);
        let index = known.unwrap_or_else(|| {
            if self.kept.len() >= self.kept_max {
                self.kept.pop_front();
            }
            self.kept.push_back(Recording {
                wire,
                sender,
                listener,
                origin,
                bytes: Vec::new(),
            });
            self.kept.len() - 1
        });
        if let Some(recording) = self.kept.get_mut(index) {
            let room = RECORDING_LEN_MAX.saturating_sub(recording.bytes.len());
            recording.bytes.extend(bytes.iter().take(room));
        }
    }
}
