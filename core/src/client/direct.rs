//! Direct exchange with peers: finding where they listen, private messages in both directions, and how it ends.
//!
//! An address is believed only when whoever listens there has proved to have the key of the introduction, and nothing is
//! said there before.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::connection::Connection;
use super::event::{Event, GoneCause, MessageEvent, PeerEvent, Verification};
use super::inbox::{Receipt, Sender, Showing};
use super::ledger::Route as LedgerRoute;
use super::peer::Way;
use super::peer_link::Check;
use super::record::{Record, Route};
use super::{Client, TimerKind};
use crate::id::{IntroductionId, Seq, SessionId};
use crate::key::PublicKey;
use crate::machine::ConnId;
use crate::name::Name;
use crate::wire::deframer::Deframer;
use crate::wire::frame::{RefusalCode, SealedFrame};
use crate::wire::item::{ItemError, Items, Payload, decode};
use crate::wire::peer::{PeerAnswer, PeerPush, PrivateMessage};
use crate::wire::push::{Absence, Introduction};
use crate::wire::{EndReason, Term};

/// Whose private messages come, and whether the key that they come under is marked.
#[derive(Clone, Copy)]
pub(super) struct Author {
    pub(super) name: Name,
    pub(super) verification: Verification,
}

impl Client {
    /// The server introduces a peer. What the user is to see of it, if it is news.
    pub(super) fn on_introduced(&mut self, introduction: Introduction) -> Vec<Event> {
        let (id, peer, term) = (introduction.id, introduction.peer, introduction.term);
        // The server may tell again what it did not hear that we know.
        if self.knows(id) {
            return Vec::new();
        }
        if !self.has_consented(peer) {
            self.due.declined.insert(peer);
            return [PeerEvent::IntroducedUnasked { peer }.into()].into();
        }
        if self.book.is_full() && self.book.get(peer).is_none() {
            self.due.declined.insert(peer);
            return Vec::new();
        }
        self.forget_question(peer);
        self.timers.cancel(TimerKind::Peer(peer));
        let changed = self.take_key(peer, introduction.key);
        if let Some(previous) = self.book.introduce(introduction) {
            self.peer_sessions.forget_ours(previous.introduction);
            self.release_peer_links(peer, &previous);
        }
        if let Some(peer) = self.book.get_mut(peer) {
            peer.seems_there = true;
        }
        // What was sealed for the key before is of no use to this one.
        self.ledger.mail_lost(peer);
        self.record_peer(peer);
        self.search(peer);
        let introduced = PeerEvent::Introduced { peer, term };
        let events = [Some(introduced), changed];
        events.into_iter().flatten().map(Event::from).collect()
    }

    /// Whether the user has agreed to be introduced to somebody, which is used up by it.
    fn has_consented(&mut self, peer: Name) -> bool {
        let had_consent = self.consents.standing(peer).is_some();
        let is_good = self.consents.take(self.clock.at, peer);
        if had_consent {
            self.record_consent(peer);
        }
        if is_good {
            return true;
        }
        let wish = self.outbox.introduces(peer);
        if let Some(seq) = wish {
            self.record(Record::Fulfilled { seq });
        }
        wish.is_some()
    }

    /// Looks whether a peer comes with another key than before. What was written for one that the user had verified is not sent
    /// to one that they have not.
    fn take_key(&mut self, peer: Name, key: PublicKey) -> Option<PeerEvent> {
        let was = self.peer_keys.meet(peer, key);
        if self.peer_keys.verification(peer, key) == Verification::Unverified {
            self.record(Record::Met { peer, key });
        }
        let was = was?;
        let undelivered = match was {
            Verification::Verified => self.give_up(peer),
            Verification::Unverified => 0,
        };
        Some(PeerEvent::KeyChanged {
            peer,
            was,
            undelivered,
        })
    }

    /// What waits for somebody is not sent any more: how many messages they were.
    fn give_up(&mut self, peer: Name) -> usize {
        let undelivered = self.book.give_up(peer);
        if undelivered > 0 {
            self.ledger.given_up(peer);
            self.record(Record::GivenUp { to: peer });
        }
        undelivered
    }

    /// The server says that an introduction is over.
    pub(super) fn on_introduction_ended(
        &mut self,
        peer: Name,
        reason: EndReason,
        only: Option<IntroductionId>,
    ) -> Option<PeerEvent> {
        let current = self.book.get(peer)?.introduction;
        if only.is_some_and(|only| only != current) {
            return None;
        }
        match reason {
            EndReason::Removed | EndReason::LoggedOut => {
                self.remove_peer(peer, GoneCause::Theirs(reason))
            }
            EndReason::OtherClient => self.on_peer_absent(peer, Absence::Elsewhere),
        }
    }

    /// Takes somebody out of the address book. The event says so to the user.
    pub(super) fn remove_peer(&mut self, peer: Name, cause: GoneCause) -> Option<PeerEvent> {
        let undelivered = self.give_up(peer);
        let removed = self.book.remove(peer);
        if let Some(removed) = &removed {
            self.record(Record::PeerGone { peer });
            self.timers.cancel(TimerKind::Peer(peer));
            self.timers.cancel(TimerKind::Mail(peer));
            self.part(removed, cause);
            self.release_peer_links(peer, removed);
        }
        (removed.is_some() || undelivered > 0).then_some(PeerEvent::PeerGone {
            peer,
            cause,
            undelivered,
        })
    }

    /// Sends a peer what waits for them, if they are to be reached.
    pub(super) fn pump_peer(&mut self, name: Name) {
        self.post_mail(name);
        let now = self.clock.at;
        let Some(peer) = self.book.get_mut(name) else {
            return;
        };
        if !peer.wants_attention() {
            return;
        }
        let introduction = peer.introduction;
        let ours = self.peer_sessions.ours(now, introduction);
        let (Some(way), Some(channel), true) = (peer.way(), ours, peer.has_to_send()) else {
            return self.search_if_due(name);
        };
        let (payload, through) = peer.batch();
        let session = channel.id();
        let bytes = channel.seal_call(payload.as_bytes());
        let delivery = Connection::PeerDelivery {
            introduction,
            session,
            through,
            deframer: Deframer::default(),
        };
        let conn = self.dial_peer(way, delivery);
        if let Some(peer) = self.book.get_mut(name) {
            peer.sending(conn);
        }
        let route = match way {
            Way::Address(_) => LedgerRoute::Direct,
            Way::Link(_) => LedgerRoute::PeerLink,
        };
        self.ledger
            .sent_to_peer(name, through, self.clock.wall, route, conn);
        self.send(conn, bytes);
    }

    pub(super) fn wake_peer(&mut self, name: Name) {
        if let Some(peer) = self.book.get_mut(name) {
            peer.is_resting = false;
            self.pump_peer(name);
        }
    }

    pub(super) fn on_peer_delivery_failed(&mut self, introduction: IntroductionId, conn: ConnId) {
        if let Some(peer) = self.book.by_introduction(introduction)
            && peer.failed(conn)
        {
            let name = peer.name;
            self.on_peer_not_found(name);
        }
    }

    /// A peer answers what we brought.
    pub(super) fn on_delivery_answer(&mut self, conn: ConnId, sealed: &SealedFrame<'_>) {
        let Some(&Connection::PeerDelivery {
            introduction,
            session,
            through,
            ..
        }) = self.connections.get(&conn)
        else {
            return;
        };
        let answer = self.open_peer_answer(session, sealed);
        match answer {
            Some(PeerAnswer::Taken { seq }) if seq >= through => {
                self.close(conn);
                self.on_private_delivered(introduction, through);
            }
            Some(PeerAnswer::NotInBook { reason }) => {
                self.close(conn);
                self.on_peer_says_bye(introduction, reason);
            }
            _ => self.refuse(conn, RefusalCode::Malformed),
        }
    }

    fn open_peer_answer(
        &mut self,
        session: SessionId,
        sealed: &SealedFrame<'_>,
    ) -> Option<PeerAnswer> {
        let session = self.peer_sessions.get_mut(session)?;
        let opened = session.channel.open_answer(sealed).ok()?;
        decode(Items::new(&opened.payload).next()?.ok()?).ok()
    }

    /// Whoever listens there says that they do not know the session. Anybody could say so: it only means another handshake.
    pub(super) fn on_delivery_refused(
        &mut self,
        conn: ConnId,
        introduction: IntroductionId,
        code: RefusalCode,
    ) {
        if code == RefusalCode::UnknownSession {
            self.peer_sessions.forget_ours(introduction);
        }
        self.refuse(conn, code);
    }

    fn on_private_delivered(&mut self, introduction: IntroductionId, through: Seq) {
        let Some(peer) = self.book.by_introduction(introduction) else {
            return;
        };
        let to = peer.name;
        peer.delivered();
        self.on_private_taken(to, through);
        self.timers.cancel(TimerKind::Peer(to));
        self.pump_peer(to);
    }

    /// A peer has all messages up to a number, as they have said directly or in a mail.
    pub(super) fn on_private_taken(&mut self, by: Name, through: Seq) {
        let Some(peer) = self.book.get_mut(by) else {
            return;
        };
        let taken = peer.taken(through);
        self.ledger.taken(by, through, self.clock.wall);
        if taken > 0 {
            self.record(Record::Taken { by, through });
        }
        for _ in 0..taken {
            self.event(MessageEvent::PrivateDelivered { to: by });
        }
    }

    /// A peer has taken us out of their book, or leaves and keeps us there.
    pub(super) fn on_peer_says_bye(&mut self, introduction: IntroductionId, reason: EndReason) {
        if let Some(peer) = self.book.by_introduction(introduction) {
            let name = peer.name;
            let event = match (peer.term, reason) {
                (Term::Lasting, EndReason::LoggedOut) => self.on_peer_absent(name, Absence::Away),
                _ => self.remove_peer(name, GoneCause::Theirs(reason)),
            };
            if let Some(event) = event {
                self.event(event);
            }
        }
    }

    /// Somebody calls in a session with a peer.
    pub(super) fn on_peer_call(&mut self, conn: ConnId, sealed: &SealedFrame<'_>) {
        let id = sealed.session;
        let Some(session) = self.peer_sessions.get_mut(id) else {
            return self.refuse(conn, RefusalCode::UnknownSession);
        };
        let Ok(opened) = session.channel.open_call(sealed) else {
            return self.refuse(conn, RefusalCode::Malformed);
        };
        let introduction = session.introduction;
        let payload = opened.payload;
        match Items::new(&payload).next().map(|item| decode(item?)) {
            Some(Ok(push @ PeerPush::Private(_))) => {
                match self.book.by_introduction(introduction) {
                    Some(peer) => {
                        let (name, key) = (peer.name, peer.key);
                        let from = Author {
                            name,
                            verification: self.peer_keys.verification(name, key),
                        };
                        let remote = self.caller(conn);
                        self.on_private_messages(conn, id, from, &payload);
                        self.on_peer_heard(name);
                        self.on_peer_called_from(name, remote);
                    }
                    None => self.on_former_peer_call(conn, id, introduction, &push),
                }
            }
            _ => self.refuse(conn, RefusalCode::Malformed),
        }
    }

    /// The first word of somebody who has shaken hands.
    pub(super) fn on_peer_push(
        &mut self,
        conn: ConnId,
        remote: SocketAddr,
        session: SessionId,
        introduction: IntroductionId,
        push: &PeerPush,
    ) {
        let Some(peer) = self.book.by_introduction(introduction) else {
            return self.on_former_peer_call(conn, session, introduction, push);
        };
        let name = peer.name;
        match *push {
            PeerPush::Hello { port, link, .. } => {
                self.hear_that_we_are_reached(conn, name);
                self.say_to_peer(conn, session, &PeerAnswer::Welcome);
                self.on_peer_heard(name);
                let at = SocketAddr::new(remote.ip().to_canonical(), port);
                self.check_caller(conn, name, Check { session, at, link });
            }
            PeerPush::Probe { .. } => {
                self.hear_that_we_are_reached(conn, name);
                self.answer_peer(conn, session, &PeerAnswer::Welcome);
                self.on_peer_heard(name);
            }
            PeerPush::Bye { reason, .. } => {
                self.answer_peer(conn, session, &PeerAnswer::Bye);
                self.on_peer_says_bye(introduction, reason);
            }
            PeerPush::Private(_) => self.refuse(conn, RefusalCode::Malformed),
        }
    }

    /// A peer is there: what waits for them need not wait for its time.
    fn on_peer_heard(&mut self, name: Name) {
        self.on_peer_present(name);
        if self
            .book
            .get(name)
            .is_some_and(|peer| peer.is_resting && peer.way().is_some())
        {
            self.timers.cancel(TimerKind::Peer(name));
            self.wake_peer(name);
        }
    }

    fn on_private_messages(
        &mut self,
        conn: ConnId,
        session: SessionId,
        author: Author,
        payload: &[u8],
    ) {
        let from = author.name;
        if !self.inbox.may_show(Sender::Peer(from)) {
            // Not now: they come again.
            return self.close(conn);
        }
        let bookmark = self.storing.bookmark();
        let mut through = Seq(0);
        let mut events = Vec::new();
        for item in Items::new(payload) {
            match item.and_then(decode) {
                Ok(PeerPush::Private(message)) => {
                    through = through.max(message.seq);
                    events.extend(self.take_private(author, message));
                }
                Ok(PeerPush::Hello { .. } | PeerPush::Bye { .. } | PeerPush::Probe { .. })
                | Err(ItemError::Unsupported(_)) => {}
                Err(ItemError::Malformed) => return self.refuse(conn, RefusalCode::Malformed),
            }
        }
        let receipt = Receipt::Private {
            session,
            from,
            through,
        };
        let showing = Showing {
            conn,
            receipt,
            asked_by: Vec::new(),
            mails: Vec::new(),
        };
        self.show(events, bookmark, showing);
    }

    /// A private message is shown once, whichever way it comes.
    pub(super) fn take_private(
        &mut self,
        author: Author,
        message: PrivateMessage,
    ) -> Option<Event> {
        let (from, instance, seq) = (author.name, message.instance, message.seq);
        if !self.inbox.is_new(Route::Direct, from, instance, seq) {
            return None;
        }
        self.record(Record::Shown {
            route: Route::Direct,
            from,
            instance,
            seq,
        });
        let event = MessageEvent::Private {
            from,
            sent: message.sent,
            verification: author.verification,
            text: message.text,
        };
        Some(event.into())
    }

    pub(super) fn acknowledge_private(&mut self, conn: ConnId, session: SessionId, through: Seq) {
        self.answer_peer(conn, session, &PeerAnswer::Taken { seq: through });
    }

    /// Gives the last answer on a connection.
    pub(super) fn answer_peer(&mut self, conn: ConnId, session: SessionId, answer: &PeerAnswer) {
        self.say_to_peer(conn, session, answer);
        self.close(conn);
    }

    pub(super) fn say_to_peer(&mut self, conn: ConnId, session: SessionId, answer: &PeerAnswer) {
        if let Some(session) = self.peer_sessions.get_mut(session) {
            let bytes = session.channel.seal_answer(Payload::of(answer).as_bytes());
            self.send(conn, bytes);
        }
    }
}
