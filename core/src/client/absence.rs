//! Peers who are not there: with a lasting introduction they stay in the address book, and what is written for them waits.

use super::event::PeerEvent;
use super::peer_link::Word;
use super::record::Record;
use super::{Client, TimerKind};
use crate::name::Name;
use crate::wire::item::Bounded;
use crate::wire::push::Absence;
use crate::wire::request::{Held, Request};

impl Client {
    /// A peer is not where they were, and will say so when they are back. The event is for the user, if it is news.
    pub(super) fn on_peer_absent(&mut self, name: Name, absence: Absence) -> Option<PeerEvent> {
        let peer = self.book.get_mut(name)?;
        let seemed_there = core::mem::take(&mut peer.seems_there);
        let was = peer.absence.replace(absence);
        let may_return = peer.may_return();
        peer.word = Word::None;
        peer.places.lose_address();
        let links = core::mem::take(&mut peer.links);
        self.timers.cancel(TimerKind::PeerLink(name));
        self.release_links(links);
        if !may_return {
            self.record(Record::Elsewhere { peer: name });
        }
        self.post_mail(name);
        match absence {
            Absence::Away => seemed_there.then_some(PeerEvent::PeerAway { peer: name }),
            Absence::Elsewhere => {
                (was != Some(absence)).then_some(PeerEvent::PeerElsewhere { peer: name })
            }
        }
    }

    /// A peer is there, as they have shown or as the server says.
    pub(super) fn on_peer_present(&mut self, name: Name) {
        if let Some(peer) = self.book.get_mut(name) {
            peer.is_back();
        }
    }

    /// Who is in the address book, for the server: what has ended meanwhile it tells, and what it has forgotten it learns.
    pub(super) fn address_book_item(&self) -> Request {
        let entries = self.book.iter().filter(|peer| peer.may_return());
        let held = entries.map(|peer| Held {
            peer: peer.name,
            introduction: peer.introduction,
            key: peer.key,
            term: peer.term,
        });
        Request::Holds {
            entries: Bounded::first_of(held),
        }
    }
}
