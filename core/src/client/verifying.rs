//! Verifying: the user compares with a peer what both clients show, and marks the peer's key.
//!
//! A mark is for the key whose code was shown, never for one that came since: an introduction between looking at the code and
//! saying that it is right would else have another key marked than the one that was compared.

use super::Client;
use super::command::Rejected;
use super::event::{Event, PeerEvent};
use super::peer_keys;
use super::record::Record;
use crate::name::Name;
use crate::safety_code::SafetyCode;

impl Client {
    pub(super) fn show_safety_code(&mut self, user: Name) -> Result<(), Rejected> {
        let own = self.user.ok_or(Rejected::NotLoggedIn)?;
        let peer = self
            .book
            .get_mut(user)
            .ok_or(Rejected::NotInAddressBook(user))?;
        peer.is_code_shown = true;
        let key = peer.key;
        let code = SafetyCode::between((own, self.key.public()), (user, key));
        self.event(Event::SafetyCode {
            peer: user,
            code,
            verification: self.peer_keys.verification(user, key),
        });
        Ok(())
    }

    pub(super) fn mark_verified(&mut self, user: Name) -> Result<(), Rejected> {
        let peer = self
            .book
            .get(user)
            .ok_or(Rejected::NotInAddressBook(user))?;
        if !peer.is_code_shown {
            return Err(Rejected::NothingCompared(user));
        }
        let key = peer.key;
        self.peer_keys
            .mark(user, key)
            .map_err(|peer_keys::Full| Rejected::TooManyVerified)?;
        self.record(Record::Verified { peer: user, key });
        self.event(PeerEvent::Verified { peer: user });
        Ok(())
    }
}
