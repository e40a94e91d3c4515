//! What the server tells us by dialling our listener: the check of the listener, batches, and the end of the session.

use alloc::vec::Vec;
use core::time::Duration;

use super::connection::Connection;
use super::event::{End, Event, MessageEvent, PeerEvent, SessionEvent};
use super::inbox::{MailReceipt, Receipt, Sender, Showing};
use super::ledger::Key;
use super::record::{Record, Route};
use super::storing::Bookmark;
use super::{Client, Effect, Output, TimerKind};
use crate::channel::Counter;
use crate::id::{BatchNumber, EffectId, Seq, SessionId};
use crate::machine::ConnId;
use crate::name::Name;
use crate::time::whole_secs_up;
use crate::wire::Term;
use crate::wire::frame::{RefusalCode, SealedFrame};
use crate::wire::item::{ItemError, Items, Payload, decode};
use crate::wire::mail::Mail;
use crate::wire::push::{Delivery, Expired, Push, PushAnswer, SessionEnd};

/// What is to be shown of a batch.
#[derive(Debug, Default)]
struct Show {
    events: Vec<Event>,
    asked_by: Vec<Name>,
    mails: Vec<MailReceipt>,
    /// Whether somebody new may call.
    has_introduced: bool,
}

impl Client {
    /// Somebody who has keys that we know calls our listener.
    pub(super) fn on_call(&mut self, conn: ConnId, sealed: &SealedFrame<'_>) {
        let session = self.link.session.as_mut();
        let Some(session) = session.filter(|session| session.channel.id() == sealed.session) else {
            return self.on_peer_call(conn, sealed);
        };
        let Ok(opened) = session.channel.open_call(sealed) else {
            return self.refuse(conn, RefusalCode::Malformed);
        };
        let mut items = Items::new(&opened.payload);
        match items.next().map(|item| decode(item?)) {
            Some(Ok(Push::Probe { challenge })) => {
                self.answer_push(conn, &PushAnswer::Probed { challenge });
            }
            Some(Ok(Push::SessionEnded { reason })) => {
                self.close(conn);
                self.on_session_ended(reason);
            }
            Some(Ok(Push::Batch { number })) => {
                self.on_batch(conn, sealed.session, number, opened.counter, items);
            }
            _ => self.refuse(conn, RefusalCode::Malformed),
        }
    }

    fn on_session_ended(&mut self, reason: SessionEnd) {
        match reason {
            SessionEnd::TakenOver => self.end(End::TakenOver),
            SessionEnd::Removed => self.end(End::Removed),
            // Without a ticket the user knows, and may have typed the new password already.
            SessionEnd::CredentialsChanged if self.link.ticket.is_none() => {}
            SessionEnd::CredentialsChanged => self.need_password(),
            SessionEnd::TimedOut => {
                self.lose_session();
                self.event(SessionEvent::TimedOut);
                self.log_in_again();
            }
        }
    }

    fn on_batch(
        &mut self,
        conn: ConnId,
        session: SessionId,
        number: BatchNumber,
        frame: Counter,
        items: Items<'_>,
    ) {
        if self.inbox.has_taken(number) {
            return self.answer_push(conn, &PushAnswer::Taken { number });
        }
        if !self.inbox.may_show(Sender::Server) || self.overtakes(items.clone()) {
            // Not now: it comes again.
            return self.close(conn);
        }
        let bookmark = self.storing.bookmark();
        let mut show = Show::default();
        for item in items {
            match item.and_then(decode) {
                Ok(push) => self.take_push(push, frame, &mut show),
                // Something of a later version, which this one has no use for.
                Err(ItemError::Unsupported(_)) => {}
                Err(ItemError::Malformed) => return self.refuse(conn, RefusalCode::Malformed),
            }
        }
        let showing = Showing {
            conn,
            receipt: Receipt::Batch { session, number },
            asked_by: show.asked_by,
            mails: show.mails,
        };
        self.show(show.events, bookmark, showing);
        if show.has_introduced {
            self.unpark();
        }
    }

    /// Whether a batch brings mail of somebody of whom something is on its way to the screen.
    fn overtakes(&self, mut items: Items<'_>) -> bool {
        let is_too_soon = |mail: &Mail| !self.inbox.may_show(Sender::Peer(mail.from));
        self.inbox.is_showing()
            && items.any(
                |item| matches!(item.and_then(decode), Ok(Push::Mail(mail)) if is_too_soon(&mail)),
            )
    }

    /// Shows what came, with what was recorded for it since then, and acknowledges it when that is done.
    pub(super) fn show(&mut self, events: Vec<Event>, bookmark: Bookmark, showing: Showing) {
        let records = self.records_since(bookmark);
        // What hides something, such as a block, may not be stored yet: if it were lost, so would be what it has hidden.
        if events.is_empty() && records.is_empty() && self.storing.is_idle() {
            return self.acknowledge(showing);
        }
        self.connections.insert(showing.conn, Connection::Showing);
        let id = self.next_effect();
        self.inbox.show(id, showing);
        self.output(Output::Effect(Effect::Show {
            id,
            events,
            records,
        }));
    }

    /// What was handed to the screen is on it: now its sender may know.
    pub(super) fn on_shown(&mut self, id: EffectId) {
        if let Some(showing) = self.inbox.shown(id) {
            self.acknowledge(showing);
        }
    }

    fn acknowledge(&mut self, showing: Showing) {
        for by in showing.asked_by {
            self.questions.shown(self.clock.at, by);
        }
        for mail in showing.mails {
            self.answer_mail(mail);
        }
        match showing.receipt {
            Receipt::Batch { session, number } => {
                let is_current = self
                    .link
                    .session
                    .as_ref()
                    .is_some_and(|current| current.channel.id() == session);
                if is_current {
                    self.inbox.took(number);
                    self.answer_push(showing.conn, &PushAnswer::Taken { number });
                } else {
                    self.close(showing.conn);
                }
            }
            Receipt::Private {
                session, through, ..
            } => {
                self.acknowledge_private(showing.conn, session, through);
            }
        }
    }

    fn answer_push(&mut self, conn: ConnId, answer: &PushAnswer) {
        if let Some(session) = &mut self.link.session {
            let bytes = session.channel.seal_answer(Payload::of(answer).as_bytes());
            self.send(conn, bytes);
        }
        self.close(conn);
    }

    /// Takes one item of a batch in, and adds what the user is to see of it.
    fn take_push(&mut self, push: Push, frame: Counter, show: &mut Show) {
        let event = match push {
            Push::Message(delivery) => self.take_message(delivery, frame).map(Event::from),
            Push::KeptStart { count } => Some(MessageEvent::KeptStart { count }.into()),
            Push::KeptEnd => {
                self.timers.cancel(TimerKind::Kept);
                Some(MessageEvent::KeptEnd.into())
            }
            Push::Delivered { seq, to } => Some(self.take_delivered(seq, to).into()),
            Push::Expired(word) => self.take_expired(&word).map(Event::from),
            Push::MailExpired { to, seq } => {
                self.on_mail_expired(to, seq);
                None
            }
            Push::Mail(mail) if self.inbox.hides(mail.from, frame) => None,
            Push::Mail(mail) => {
                let taken = self.take_mail(&mail);
                show.events.extend(taken.events);
                show.mails.extend(taken.receipt);
                None
            }
            Push::Undelivered { to, count } => Some(MessageEvent::Undelivered { to, count }.into()),
            Push::Presence { user, presence } => Some(Event::Presence { user, presence }),
            Push::AddressAsked {
                by,
                expires_in_ms,
                term,
            } => {
                let expires_in = Duration::from_millis(expires_in_ms.into());
                let is_news = !self.inbox.hides(by, frame) && self.open_question(by, expires_in);
                show.asked_by.extend(is_news.then_some(by));
                is_news.then(|| asked(by, expires_in, term).into())
            }
            Push::QuestionClosed { by } => {
                let was_open = self.forget_question(by);
                was_open.then(|| PeerEvent::QuestionClosed { by }.into())
            }
            Push::Introduced(introduction) if self.inbox.hides(introduction.peer, frame) => None,
            Push::Introduced(introduction) => {
                show.has_introduced = true;
                show.events.extend(self.on_introduced(introduction));
                None
            }
            Push::AddressDenied { by } => Some(PeerEvent::AddressDenied { by }.into()),
            Push::NoAnswer { from } => Some(PeerEvent::NoAnswer { from }.into()),
            Push::IntroductionEnded {
                peer,
                reason,
                introduction,
            } => self
                .on_introduction_ended(peer, reason, introduction)
                .map(Event::from),
            Push::Stopping => {
                self.on_server_stopping();
                None
            }
            Push::Addresses { peer, .. } if self.inbox.hides(peer, frame) => None,
            Push::Addresses { peer, whereabouts } => {
                self.on_whereabouts(peer, whereabouts);
                None
            }
            Push::Absent { peer, absence } => self.on_peer_absent(peer, absence).map(Event::from),
            // They stand alone in their frames.
            Push::Probe { .. } | Push::Batch { .. } | Push::SessionEnded { .. } => None,
        };
        show.events.extend(event);
    }

    fn take_delivered(&mut self, seq: Seq, to: Name) -> MessageEvent {
        let key = Key::Operation(seq);
        self.record(Record::Delivered { seq });
        self.ledger.arrived(key, self.clock.wall);
        let number = self.ledger.number(key);
        MessageEvent::Delivered { to, number }
    }

    /// A server that crashed may say again what it had said.
    fn take_expired(&mut self, word: &Expired) -> Option<MessageEvent> {
        let mut count = word.others;
        let mut numbers = Vec::new();
        for &seq in word.numbers.as_slice() {
            self.record(Record::Expired { seq });
            let key = Key::Operation(seq);
            if self.ledger.expired(key, self.clock.wall) {
                count = count.saturating_add(1);
                numbers.extend(self.ledger.number(key));
            }
        }
        let to = word.to;
        (count > 0).then_some(MessageEvent::Expired { to, numbers, count })
    }

    /// A message is shown once, and never if its author was blocked when the server sealed it.
    fn take_message(&mut self, delivery: Delivery, frame: Counter) -> Option<MessageEvent> {
        let (from, instance) = (delivery.from, delivery.instance);
        let is_new = self
            .inbox
            .is_new(Route::Server, from, instance, delivery.seq);
        let is_shown = is_new && !self.inbox.hides(from, frame);
        if is_shown {
            self.record(Record::Shown {
                route: Route::Server,
                from,
                instance,
                seq: delivery.seq,
            });
        }
        is_shown.then_some(MessageEvent::Message {
            from,
            sent: delivery.sent,
            audience: delivery.audience,
            text: delivery.text,
        })
    }

    fn open_question(&mut self, by: Name, expires_in: Duration) -> bool {
        let now = self.clock.at;
        let is_news = self.questions.open(now, by);
        if is_news {
            self.timers.set(TimerKind::Question(by), now + expires_in);
        }
        is_news
    }

    /// A question is open no more: whether it was.
    pub(super) fn forget_question(&mut self, by: Name) -> bool {
        self.timers.cancel(TimerKind::Question(by));
        self.questions.close(self.clock.at, by)
    }

    /// A question has expired.
    pub(super) fn close_question(&mut self, by: Name) {
        if self.forget_question(by) {
            self.event(PeerEvent::QuestionClosed { by });
        }
    }
}

fn asked(by: Name, expires_in: Duration, term: Term) -> PeerEvent {
    PeerEvent::AddressAsked {
        by,
        expires_in_secs: whole_secs_up(expires_in),
        term,
    }
}
