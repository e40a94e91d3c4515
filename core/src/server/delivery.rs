//! Delivery: batches to clients' listeners, one at a time for each, and the check that a listener is who it should be.

use core::time::Duration;

use super::connection::Connection;
use super::event::Event;
use super::intake::Fate;
use super::lane::Next;
use super::mailbox::Keeping;
use super::record::Record;
use super::recording::{Answered, Saying};
use super::session::{Listener, Session, Way};
use super::{AccountId, Server, TimerKind};
use crate::id::{BatchNumber, SessionId};
use crate::limits::PROBE_WITHIN;
use crate::machine::ConnId;
use crate::wire::Challenge;
use crate::wire::deframer::Deframer;
use crate::wire::frame::SealedFrame;
use crate::wire::item::{Items, Payload, decode};
use crate::wire::login::LinkChoice;
use crate::wire::push::{Audience, Push, PushAnswer};
use crate::wire::request::{Answer, Reach};

impl Server {
    /// Sends a user's client what waits for it, if it can be reached and nothing is on its way to it.
    pub(super) fn pump(&mut self, account: AccountId) {
        let now = self.clock.at;
        let owner = self.accounts.get_mut(account);
        let Some(session) = &mut owner.session else {
            return;
        };
        if !session.can_be_reached() {
            return;
        }
        let (saying, bytes) = match session.lane.next(now, &owner.mailbox, &owner.untold) {
            Next::Send(payload) => (
                self.tap.saying(|texts| Saying::pushes(payload, texts)),
                session.channel.seal_call(payload.as_bytes()),
            ),
            Next::Wait(until) => return self.timers.set(TimerKind::Lazy(account), until),
            Next::Nothing => return,
        };
        let (id, way) = (session.channel.id(), session.way());
        let conn = self.dial(account, way);
        let owner = self.accounts.get_mut(account);
        if let Some(session) = &mut owner.session
            && let Some(through) = session.lane.sending(conn)
        {
            owner.mailbox.mark_seen(through);
        }
        let delivery = Connection::Delivery {
            account,
            session: id,
            deframer: Deframer::default(),
        };
        self.connections.insert(conn, delivery);
        self.send(conn, saying, bytes);
    }

    pub(super) fn wake_lane(&mut self, account: AccountId) {
        if let Some(session) = &mut self.accounts.get_mut(account).session {
            session.lane.wake();
            self.pump(account);
        }
    }

    /// A client answers to a batch.
    pub(super) fn on_delivery_answer(
        &mut self,
        conn: ConnId,
        account: AccountId,
        answered: Answered,
    ) {
        self.note_genuine(account, answered);
        match answered {
            Answered::Taken(number) if self.is_under_way(account, number) => {
                self.close(conn);
                self.on_batch_taken(account, number);
            }
            // The word on an earlier batch may have got lost, and somebody on the way brings it now: it says nothing of this one.
            Answered::Taken(_)
            | Answered::Forged
            | Answered::Nonsense
            | Answered::Proven
            | Answered::Disproven => {
                self.on_connection_lost(conn);
                self.close(conn);
            }
        }
    }

    fn is_under_way(&self, account: AccountId, number: BatchNumber) -> bool {
        let session = self.accounts.get(account).session.as_ref();
        session.is_some_and(|session| session.lane.is_under_way(number))
    }

    /// A client has a batch: its messages are delivered.
    fn on_batch_taken(&mut self, account: AccountId, number: BatchNumber) {
        let owner = self.accounts.get_mut(account);
        let Some(session) = &mut owner.session else {
            return;
        };
        let Some(taken) = session.lane.taken(number) else {
            return;
        };
        let key = session.key;
        let delivered = taken
            .through
            .map(|through| owner.mailbox.take_up_to(through, key))
            .unwrap_or_default();
        let to = owner.name;
        for word in &taken.expired {
            owner.untold.told(word);
        }
        for told in taken.expired {
            self.record(Record::ToldExpired { user: to, told });
        }
        for subject in taken.told {
            if subject.outlives_the_server() {
                self.record(Record::Told { to, subject });
            }
        }
        if let Some(through) = taken.through
            && delivered
                .iter()
                .any(|entry| entry.keeping != Keeping::Passing)
        {
            let through = through.0;
            self.record(Record::Taken { to, key, through });
        }
        for entry in delivered {
            // The author of a mail learns from its recipient that it was read.
            let is_message = entry.mail.is_none() && entry.audience == Audience::You;
            if entry.keeping == Keeping::Stored && is_message {
                self.tell_delivered(entry.origin, to);
            }
            self.resolve_copy(entry.origin, Fate::Delivered);
        }
        self.pump(account);
        self.note_handed_over(account);
    }

    /// A message whose sender was told that it is stored has arrived: a courtesy, so only to the client that sent it.
    fn tell_delivered(&mut self, origin: super::mailbox::Origin, to: crate::name::Name) {
        if let Some(session) = &mut self.accounts.get_mut(origin.account).session
            && session.instance == origin.instance
        {
            session.lane.note_receipt(origin.seq, to);
            self.pump(origin.account);
        }
    }

    pub(super) fn on_delivery_failed(
        &mut self,
        conn: ConnId,
        account: AccountId,
        session: SessionId,
    ) {
        let owner = self.accounts.get_mut(account);
        let Some(current) = &mut owner.session else {
            return;
        };
        if current.channel.id() != session {
            return;
        }
        if let Some(rest) = current.lane.failed(conn, &mut self.rng) {
            let rested = self.clock.at + rest;
            self.timers.set(TimerKind::Rest(account), rested);
            self.note_handed_over(account);
        }
    }

    /// Messages that waited for their recipient's client as long as their senders should wait are stored.
    pub(super) fn store_overdue(&mut self, account: AccountId) {
        self.store_messages(account, self.clock.at - self.config.store_after);
    }

    /// Something genuine and new came from a client.
    pub(super) fn on_sign_of_life(&mut self, account: AccountId) {
        self.heartbeats.heard(self.clock.at, account);
        let is_unreachable = |session: &Session| session.listener == Listener::Unreachable;
        if self
            .accounts
            .get(account)
            .session
            .as_ref()
            .is_some_and(is_unreachable)
        {
            self.probe(account);
        }
    }

    /// Finds out whether a client's listener is where it says, if that was not tried too often.
    pub(super) fn probe(&mut self, account: AccountId) {
        let now = self.clock.at;
        let mut challenge = Challenge([0; 16]);
        self.secrets.fill(&mut challenge.0);
        let Some(session) = &mut self.accounts.get_mut(account).session else {
            return;
        };
        if !session.may_probe(now) {
            return;
        }
        let payload = Payload::of(&Push::Probe { challenge });
        let saying = self.tap.saying(|texts| Saying::pushes(&payload, texts));
        let bytes = session.channel.seal_call(payload.as_bytes());
        let (id, to) = (session.channel.id(), session.address());
        let conn = self.dial(account, Way::Listener(to));
        let probe = Connection::Probe {
            account,
            session: id,
            deframer: Deframer::default(),
        };
        self.connections.insert(conn, probe);
        self.send(conn, saying, bytes);
        if let Some(session) = &mut self.accounts.get_mut(account).session {
            session.listener = Listener::Probing { conn, challenge };
        }
        self.timers
            .set(TimerKind::Probe(account), now + PROBE_WITHIN);
    }

    pub(super) fn on_probe_answer(
        &mut self,
        conn: ConnId,
        account: AccountId,
        session: SessionId,
        answered: Answered,
    ) {
        self.note_genuine(account, answered);
        let is_expected = self.is_probed_on(account, session, conn);
        self.close(conn);
        if is_expected {
            let listener = match answered {
                Answered::Proven => Listener::Reachable,
                Answered::Forged
                | Answered::Nonsense
                | Answered::Disproven
                | Answered::Taken(_) => Listener::Unreachable,
            };
            self.on_probed(account, listener);
        }
    }

    pub(super) fn on_probe_overdue(&mut self, account: AccountId) {
        let listener = self
            .accounts
            .get(account)
            .session
            .as_ref()
            .map(|session| session.listener);
        if let Some(Listener::Probing { conn, .. }) = listener {
            self.close(conn);
            self.on_probed(account, Listener::Unreachable);
        }
    }

    pub(super) fn is_probed_on(
        &self,
        account: AccountId,
        session: SessionId,
        conn: ConnId,
    ) -> bool {
        self.accounts
            .get(account)
            .session
            .as_ref()
            .is_some_and(|current| {
                let on_this = matches!(
                    current.listener,
                    Listener::Probing { conn: probed, .. } if probed == conn
                );
                current.channel.id() == session && on_this
            })
    }

    /// A check of a listener is over.
    pub(super) fn on_probed(&mut self, account: AccountId, listener: Listener) {
        self.timers.cancel(TimerKind::Probe(account));
        let owner = self.accounts.get_mut(account);
        let user = owner.name;
        let Some(session) = &mut owner.session else {
            return;
        };
        session.listener = listener;
        let address = session.address();
        match (listener, session.link) {
            (Listener::Reachable, _) => self.say_checked(account, Reach::Reachable),
            (_, LinkChoice::Auto) if session.login_conn.is_some() => self.hold_link(account),
            _ => self.say_checked(account, Reach::Unreachable),
        }
        if listener != Listener::Reachable {
            self.event(Event::ListenerUnreachable {
                user,
                listener: address,
            });
        }
        let session = self.accounts.get(account).session.as_ref();
        if session.is_some_and(Session::can_be_reached) {
            self.wake_lane(account);
        }
        self.introduce_agreed(account);
        self.tell_whereabouts(account);
    }

    /// Tells a client that waits for it whether its listener could be reached.
    fn say_checked(&mut self, account: AccountId, reach: Reach) {
        let Some(session) = &mut self.accounts.get_mut(account).session else {
            return;
        };
        if let Some(conn) = session.login_conn.take() {
            self.say_on_login(account, conn, reach);
            self.close(conn);
        }
    }

    pub(super) fn say_on_login(&mut self, account: AccountId, conn: ConnId, reach: Reach) {
        let answer = Payload::of(&Answer::ListenerChecked { reach });
        let saying = self.tap.saying(|_| Saying::answers(&answer));
        if let Some(session) = &mut self.accounts.get_mut(account).session {
            let bytes = session.channel.seal_answer(answer.as_bytes());
            self.send(conn, saying, bytes);
        }
    }

    /// The answer in a frame that came back where we dialled a session's listener.
    pub(super) fn open_answer(
        &mut self,
        account: AccountId,
        session: SessionId,
        sealed: &SealedFrame<'_>,
    ) -> Answered {
        let current = self.accounts.get_mut(account).session.as_mut();
        let Some(current) = current.filter(|current| current.channel.id() == session) else {
            return Answered::Forged;
        };
        if sealed.session != session {
            return Answered::Forged;
        }
        let Ok(opened) = current.channel.open_answer(sealed) else {
            return Answered::Forged;
        };
        let item = Items::new(&opened.payload).next();
        match item.map(|item| item.and_then(decode)) {
            Some(Ok(PushAnswer::Taken { number })) => Answered::Taken(number),
            Some(Ok(PushAnswer::Probed { challenge })) => match current.listener {
                Listener::Probing {
                    challenge: asked, ..
                } if asked == challenge => Answered::Proven,
                Listener::Probing { .. }
                | Listener::Unknown
                | Listener::Reachable
                | Listener::Unreachable
                | Listener::Held { .. } => Answered::Disproven,
            },
            Some(Err(_)) | None => Answered::Nonsense,
        }
    }

    /// An answer that a session's channel opened is a sign of life, whatever it says.
    fn note_genuine(&mut self, account: AccountId, answered: Answered) {
        if answered != Answered::Forged {
            self.heartbeats.heard(self.clock.at, account);
        }
    }

    /// How long the handing over of a shutdown may take, of all the time that it has.
    pub(super) fn handover_time(&self) -> Duration {
        self.config.shutdown_deadline.mul_f32(0.7)
    }
}
