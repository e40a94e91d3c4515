//! Waking a task that waits for something to happen, of whatever number.

use async_channel::{Receiver, Sender};

/// A channel of one token. Who raises it never waits; what was raised before anybody waited is not lost.
#[derive(Debug)]
pub(crate) struct Signal {
    sender: Sender<()>,
    receiver: Receiver<()>,
}

impl Default for Signal {
    fn default() -> Self {
        let (sender, receiver) = async_channel::bounded(1);
        Self { sender, receiver }
    }
}

impl Signal {
    pub(crate) fn raise(&self) {
        // If the token is there already, whoever waits is on its way.
        let _ = self.sender.try_send(());
    }

    /// Waits until it was raised, and takes the token.
    pub(crate) async fn raised(&self) {
        // The sender is here, so the channel cannot end.
        let _ = self.receiver.recv().await;
    }
}
