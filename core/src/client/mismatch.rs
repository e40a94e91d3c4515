//! Keys that do not agree: somebody is where a peer should be, or calls as one, and has another key than the one that was introduced.
//!
//! Nothing is said to them or taken from them, what waits goes on waiting, and the peer stays in the address book: who is on the way
//! can make an answer look like this, and must not have a peer forgotten by it. The user is told, once until the peer is found
//! again, and can ask for a new introduction, which brings the key that holds now.
//!
//! What is said of an answer is not proved: whoever cannot read a greeting refuses it in clear, or not at all. A caller's key is.

use core::net::IpAddr;

use super::Client;
use super::connection::{Connection, GreetingStage};
use super::event::{KeyMismatch, PeerEvent};
use super::peer::Way;
use crate::id::IntroductionId;
use crate::machine::ConnId;
use crate::wire::frame::RefusalCode;

impl Client {
    /// Whoever was greeted refuses. What they could not read was for another key than theirs; what they read, and do not take,
    /// came under another key than the one that they know for us. Other refusals say nothing of keys.
    pub(super) fn on_greeting_refused(&mut self, conn: ConnId, code: RefusalCode) {
        if let Some(Connection::Greeting { greeting, .. }) = self.connections.get(&conn)
            && code == RefusalCode::Malformed
        {
            let mismatch = match greeting.stage {
                GreetingStage::Calling(_) => Some(KeyMismatch::Answers),
                GreetingStage::Said(_) => Some(KeyMismatch::Refuses),
                GreetingStage::Welcomed | GreetingStage::Over => None,
            };
            if let Some(mismatch) = mismatch {
                self.note_mismatch(conn, mismatch);
            }
        }
        self.refuse(conn, code);
    }

    /// Remembers who answered in a peer's place. It is told if the peer is not found elsewhere: at an address of a network that
    /// is not theirs may be anybody.
    pub(super) fn note_mismatch(&mut self, conn: ConnId, mismatch: KeyMismatch) {
        let Some(Connection::Greeting { greeting, .. }) = self.connections.get(&conn) else {
            return;
        };
        // At the other end of a link is who has proved to be the peer.
        if let Way::Address(at) = greeting.way
            && let Some(peer) = self.book.by_introduction(greeting.introduction)
        {
            peer.met_instead = Some((at.ip().to_canonical(), mismatch));
        }
    }

    /// Tells the user of a key that is not the peer's, once until they are found again.
    pub(super) fn tell_mismatch(
        &mut self,
        introduction: IntroductionId,
        at: IpAddr,
        mismatch: KeyMismatch,
    ) {
        let Some(peer) = self.book.by_introduction(introduction) else {
            return;
        };
        if peer.mismatches.insert(mismatch) {
            let peer = peer.name;
            self.event(PeerEvent::KeyMismatch { peer, at, mismatch });
        }
    }
}
