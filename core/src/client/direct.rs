//! Direct exchange with peers: finding where they listen, private messages in both directions, and how it ends.
//!
//! An address is believed only when whoever listens there has proved to hold the pair's keys, and nothing is sent to it
//! before.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::connection::Connection;
use super::event::{GoneCause, MessageEvent, PeerEvent};
use super::inbox::{Receipt, Route, Sender, Showing};
use super::{Client, TimerKind};
use crate::channel::Channel;
use crate::id::{Seq, SessionId};
use crate::machine::ConnId;
use crate::name::Name;
use crate::wire::deframer::Deframer;
use crate::wire::frame::{RefusalCode, SealedFrame};
use crate::wire::item::{ItemError, Items, Payload, decode};
use crate::wire::peer::{PeerAnswer, PeerPush};
use crate::wire::push::Introduction;
use crate::wire::{Challenge, EndReason};

/// The addresses of a peer are not tried more often than this.
const SEARCH_INTERVAL: Duration = Duration::from_secs(5);

impl Client {
    /// The server introduces a peer. Whether that is news.
    pub(super) fn on_introduced(&mut self, introduction: Introduction) -> bool {
        let peer = introduction.peer;
        let link = introduction.keys.id;
        // The server may tell again what it did not hear that we know.
        if self.book.has_link(link)
            || self.former.has(link)
            || (self.book.is_full() && self.book.get(peer).is_none())
        {
            return false;
        }
        self.forget_question(peer);
        let candidates = introduction.candidates.as_slice().to_vec();
        let channel = Channel::new(introduction.keys, self.protection.clone());
        self.timers.cancel(TimerKind::Peer(peer));
        self.book.introduce(peer, channel, candidates);
        self.search(peer);
        self.unpark();
        true
    }

    /// The server says that an introduction is over.
    pub(super) fn on_introduction_ended(
        &mut self,
        peer: Name,
        reason: EndReason,
    ) -> Option<PeerEvent> {
        let entry = self.book.get_mut(peer)?;
        match reason {
            EndReason::Removed | EndReason::LoggedOut => {
                self.remove_peer(peer, GoneCause::Theirs(reason))
            }
            EndReason::OtherClient => {
                entry.is_elsewhere = true;
                Some(PeerEvent::PeerElsewhere { peer })
            }
        }
    }

    /// Takes somebody out of the address book. The event says so to the user.
    pub(super) fn remove_peer(&mut self, peer: Name, cause: GoneCause) -> Option<PeerEvent> {
        let removed = self.book.remove(peer)?;
        self.timers.cancel(TimerKind::Peer(peer));
        let undelivered = removed.waiting();
        self.part(removed, cause);
        Some(PeerEvent::PeerGone {
            peer,
            cause,
            undelivered,
        })
    }

    /// Looks for a peer at all addresses of their introduction, with nothing but a challenge.
    fn search(&mut self, name: Name) {
        let now = self.clock.at;
        let Some(peer) = self.book.get_mut(name) else {
            return;
        };
        if peer.probes > 0 || peer.is_elsewhere {
            return;
        }
        peer.searched = Some(now);
        peer.probes = peer.candidates.len();
        let link = peer.channel.id();
        let candidates = peer.candidates.clone();
        if candidates.is_empty() {
            return self.on_peer_not_found(name);
        }
        for address in candidates {
            self.probe_peer(link, address);
        }
    }

    fn probe_peer(&mut self, link: SessionId, address: SocketAddr) {
        let mut challenge = Challenge([0; 16]);
        self.secrets.fill(&mut challenge.0);
        let Some(peer) = self.book.by_link(link) else {
            return;
        };
        let payload = Payload::of(&PeerPush::Probe { challenge });
        let bytes = peer.channel.seal_call(payload.as_bytes());
        let probe = Connection::PeerProbe {
            link,
            address,
            challenge,
            deframer: Deframer::default(),
        };
        let conn = self.dial(address, probe);
        self.send(conn, bytes);
    }

    /// Sends a peer what waits for them, if they are to be reached.
    pub(super) fn pump_peer(&mut self, name: Name) {
        let now = self.clock.at;
        let Some(peer) = self.book.get_mut(name) else {
            return;
        };
        if !peer.wants_attention() {
            return;
        }
        let Some(address) = peer.address else {
            let is_due = peer
                .searched
                .is_none_or(|searched| now.since(searched) >= SEARCH_INTERVAL);
            if is_due {
                self.search(name);
            } else if peer.probes == 0 {
                self.on_peer_not_found(name);
            }
            return;
        };
        let (payload, through) = peer.batch();
        let bytes = peer.channel.seal_call(payload.as_bytes());
        let delivery = Connection::PeerDelivery {
            link: peer.channel.id(),
            through,
            deframer: Deframer::default(),
        };
        let conn = self.dial(address, delivery);
        if let Some(peer) = self.book.get_mut(name) {
            peer.sending(conn);
        }
        self.send(conn, bytes);
    }

    pub(super) fn wake_peer(&mut self, name: Name) {
        if let Some(peer) = self.book.get_mut(name) {
            peer.is_resting = false;
            self.pump_peer(name);
        }
    }

    /// A peer could not be reached: what waits goes on waiting, and the user learns so once.
    fn on_peer_not_found(&mut self, name: Name) {
        let Some(peer) = self.book.get_mut(name) else {
            return;
        };
        let rest = peer.backoff.after_failure(&mut self.rng);
        if peer.waiting() == 0 {
            return;
        }
        peer.is_resting = true;
        let tell = !core::mem::replace(&mut peer.told_waiting, true);
        let rested = self.clock.at + rest.max(SEARCH_INTERVAL / 10);
        self.timers.set(TimerKind::Peer(name), rested);
        if tell {
            self.event(MessageEvent::PrivateWaiting { to: name });
        }
    }

    pub(super) fn on_peer_probe_failed(&mut self, link: SessionId) {
        let Some(peer) = self.book.by_link(link) else {
            return;
        };
        peer.probes = peer.probes.saturating_sub(1);
        let name = peer.name;
        if peer.probes == 0 && peer.address.is_none() {
            self.on_peer_not_found(name);
        }
    }

    pub(super) fn on_peer_delivery_failed(&mut self, link: SessionId, conn: ConnId) {
        if let Some(peer) = self.book.by_link(link)
            && peer.failed(conn)
        {
            let name = peer.name;
            self.on_peer_not_found(name);
        }
    }

    /// A peer answers where we called.
    pub(super) fn on_peer_answer(&mut self, conn: ConnId, sealed: &SealedFrame<'_>) {
        let answer = self.open_peer_answer(sealed);
        let connection = self.connections.get(&conn);
        match (connection, answer) {
            (
                Some(&Connection::PeerProbe {
                    link,
                    address,
                    challenge,
                    ..
                }),
                Some(PeerAnswer::Probed { challenge: proof }),
            ) if sealed.session == link && proof == challenge => {
                self.close(conn);
                self.on_peer_found(link, address);
            }
            (
                Some(&Connection::PeerDelivery { link, through, .. }),
                Some(PeerAnswer::Taken { seq }),
            ) if sealed.session == link && seq >= through => {
                self.close(conn);
                self.on_private_delivered(link, through);
            }
            (
                Some(&Connection::PeerDelivery { link, .. } | &Connection::PeerProbe { link, .. }),
                Some(PeerAnswer::NotInBook { reason }),
            ) if sealed.session == link => {
                self.close(conn);
                self.on_peer_says_bye(link, reason);
            }
            (
                Some(&Connection::PeerBye { link, .. }),
                Some(PeerAnswer::Bye | PeerAnswer::NotInBook { .. }),
            ) if sealed.session == link => {
                self.close(conn);
                self.on_former_peer_told(link);
            }
            _ => self.refuse(conn, RefusalCode::Malformed),
        }
    }

    fn open_peer_answer(&mut self, sealed: &SealedFrame<'_>) -> Option<PeerAnswer> {
        let channel = match self.book.by_link(sealed.session) {
            Some(peer) => &mut peer.channel,
            None => self.former.channel(sealed.session)?,
        };
        let opened = channel.open_answer(sealed).ok()?;
        decode(Items::new(&opened.payload).next()?.ok()?).ok()
    }

    fn on_peer_found(&mut self, link: SessionId, address: SocketAddr) {
        let Some(peer) = self.book.by_link(link) else {
            return;
        };
        peer.probes = peer.probes.saturating_sub(1);
        peer.address.get_or_insert(address);
        peer.is_resting = false;
        peer.backoff.reset();
        let name = peer.name;
        self.pump_peer(name);
    }

    fn on_private_delivered(&mut self, link: SessionId, through: Seq) {
        let Some(peer) = self.book.by_link(link) else {
            return;
        };
        let to = peer.name;
        for _ in 0..peer.delivered(through) {
            self.event(MessageEvent::PrivateDelivered { to });
        }
        self.timers.cancel(TimerKind::Peer(to));
        self.pump_peer(to);
    }

    /// A peer has taken us out of their book.
    fn on_peer_says_bye(&mut self, link: SessionId, reason: EndReason) {
        if let Some(peer) = self.book.by_link(link) {
            let name = peer.name;
            let event = self.remove_peer(name, GoneCause::Theirs(reason));
            if let Some(event) = event {
                self.event(event);
            }
        }
    }

    /// Somebody with the keys of a pair calls our listener.
    pub(super) fn on_peer_call(&mut self, conn: ConnId, sealed: &SealedFrame<'_>) {
        let Some(peer) = self.book.by_link(sealed.session) else {
            return self.on_former_peer_call(conn, sealed);
        };
        let Ok(opened) = peer.channel.open_call(sealed) else {
            return self.refuse(conn, RefusalCode::Malformed);
        };
        let name = peer.name;
        let payload = opened.payload;
        match Items::new(&payload).next().map(|item| decode(item?)) {
            Some(Ok(PeerPush::Probe { challenge })) => {
                self.answer_peer(conn, sealed.session, &PeerAnswer::Probed { challenge });
                self.on_peer_heard(name);
            }
            Some(Ok(PeerPush::Private(_))) => {
                self.on_private_messages(conn, sealed.session, name, &payload);
                self.on_peer_heard(name);
            }
            Some(Ok(PeerPush::Bye { reason })) => {
                self.answer_peer(conn, sealed.session, &PeerAnswer::Bye);
                self.on_peer_says_bye(sealed.session, reason);
            }
            _ => self.refuse(conn, RefusalCode::Malformed),
        }
    }

    /// A peer is there: what waits for them need not wait for its time.
    fn on_peer_heard(&mut self, name: Name) {
        if self
            .book
            .get(name)
            .is_some_and(|peer| peer.is_resting && peer.address.is_some())
        {
            self.timers.cancel(TimerKind::Peer(name));
            self.wake_peer(name);
        }
    }

    fn on_private_messages(&mut self, conn: ConnId, link: SessionId, from: Name, payload: &[u8]) {
        if !self.inbox.may_show(Sender::Peer(link)) {
            // Not now: they come again.
            return self.close(conn);
        }
        let mut through = Seq(0);
        let mut events = Vec::new();
        for item in Items::new(payload) {
            match item.and_then(decode) {
                Ok(PeerPush::Private(message)) => {
                    through = through.max(message.seq);
                    let (instance, seq) = (message.instance, message.seq);
                    if self.inbox.is_new(Route::Direct, from, instance, seq) {
                        let event = MessageEvent::Private {
                            from,
                            sent: message.sent,
                            text: message.text,
                        };
                        events.push(event.into());
                    }
                }
                Ok(PeerPush::Probe { .. } | PeerPush::Bye { .. })
                | Err(ItemError::Unsupported(_)) => {}
                Err(ItemError::Malformed) => return self.refuse(conn, RefusalCode::Malformed),
            }
        }
        if events.is_empty() {
            return self.acknowledge_private(conn, link, through);
        }
        self.connections.insert(conn, Connection::Showing);
        let receipt = Receipt::Private { link, through };
        self.show(
            events,
            Showing {
                conn,
                receipt,
                asked_by: Vec::new(),
            },
        );
    }

    pub(super) fn acknowledge_private(&mut self, conn: ConnId, link: SessionId, through: Seq) {
        self.answer_peer(conn, link, &PeerAnswer::Taken { seq: through });
    }

    pub(super) fn answer_peer(&mut self, conn: ConnId, link: SessionId, answer: &PeerAnswer) {
        let channel = match self.book.by_link(link) {
            Some(peer) => Some(&mut peer.channel),
            None => self.former.channel(link),
        };
        let bytes = channel.map(|channel| channel.seal_answer(Payload::of(answer).as_bytes()));
        if let Some(bytes) = bytes {
            self.send(conn, bytes);
        }
        self.close(conn);
    }
}
