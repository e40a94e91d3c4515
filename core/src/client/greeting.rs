//! Greetings: handshakes between peers. Whoever calls knows the other's key from the introduction; whoever is called learns the
//! caller's key in the last message, and whether it is in the address book decides what becomes of it.

use alloc::boxed::Box;
use core::net::SocketAddr;

use super::Client;
use super::TimerKind;
use super::connection::{Connection, Greeting, GreetingStage, PeerCall};
use super::event::KeyMismatch;
use super::peer::Way;
use crate::channel::{Answering, Called, Calling, Channel, OpenError, Part};
use crate::id::IntroductionId;
use crate::key::PublicKey;
use crate::limits::{GREETINGS_MAX, GREETINGS_PER_ADDRESS_MAX};
use crate::machine::ConnId;
use crate::source::Source;
use crate::wire::deframer::Deframer;
use crate::wire::frame::{RefusalCode, SealedFrame};
use crate::wire::item::{Items, Payload, decode};
use crate::wire::peer::{PeerAnswer, PeerPush};

impl Client {
    /// Calls whoever should be there, to say one thing once they have proved who they are.
    pub(super) fn greet(
        &mut self,
        introduction: IntroductionId,
        key: PublicKey,
        way: Way,
        saying: PeerPush,
    ) {
        let called = Calling::start(
            &*self.protection,
            Part::PeerInitiator(key),
            &self.key,
            &mut *self.secrets,
            &[],
        );
        let mut greeting = Greeting {
            introduction,
            way,
            saying,
            stage: GreetingStage::Over,
        };
        let Ok((calling, bytes)) = called else {
            // They were introduced by something that is no key, which nobody can have.
            return self.on_greeting_failed(&greeting);
        };
        greeting.stage = GreetingStage::Calling(calling);
        let deframer = Deframer::default();
        let conn = self.dial_peer(way, Connection::Greeting { greeting, deframer });
        self.send(conn, bytes);
    }

    /// The answer to our call: whoever gave it has the key. Now they learn who we are.
    pub(super) fn on_greeted(&mut self, conn: ConnId, message: &[u8]) {
        let Some(Connection::Greeting { greeting, .. }) = self.connections.get_mut(&conn) else {
            return;
        };
        match greeting.introduce_ourselves(message) {
            Ok(bytes) => self.send(conn, bytes),
            Err(_) => {
                self.note_mismatch(conn, KeyMismatch::Answers);
                self.refuse(conn, RefusalCode::Malformed);
            }
        }
    }

    /// What they say to our greeting.
    pub(super) fn on_greeting_answered(&mut self, conn: ConnId, sealed: &SealedFrame<'_>) {
        let Some(Connection::Greeting { greeting, .. }) = self.connections.get_mut(&conn) else {
            return;
        };
        if let GreetingStage::Welcomed = greeting.stage {
            return self.on_checked_by_peer(conn, sealed);
        }
        let (introduction, way) = (greeting.introduction, greeting.way);
        let saying = greeting.saying.clone();
        let Some((channel, answer)) = greeting.take_answer(sealed) else {
            return self.refuse(conn, RefusalCode::Malformed);
        };
        match (saying, answer) {
            (PeerPush::Hello { .. }, PeerAnswer::Welcome) => {
                greeting.stage = GreetingStage::Welcomed;
                self.await_word(introduction, conn);
                self.on_welcomed(introduction, way, channel);
            }
            (PeerPush::Probe { .. }, PeerAnswer::Welcome) => {
                self.close(conn);
                self.on_welcomed(introduction, way, channel);
            }
            (PeerPush::Bye { .. }, PeerAnswer::Bye | PeerAnswer::NotInBook { .. }) => {
                self.close(conn);
                self.on_former_peer_told(introduction);
            }
            (PeerPush::Hello { .. } | PeerPush::Probe { .. }, PeerAnswer::NotInBook { reason }) => {
                self.close(conn);
                self.on_peer_says_bye(introduction, reason);
            }
            _ => self.refuse(conn, RefusalCode::Malformed),
        }
    }

    /// Nobody was there, or not who we looked for.
    pub(super) fn on_greeting_failed(&mut self, greeting: &Greeting) {
        match greeting.saying {
            PeerPush::Bye { .. } => self.on_bye_failed(greeting.introduction),
            PeerPush::Hello { .. } | PeerPush::Probe { .. } | PeerPush::Private(_) => {
                self.on_peer_search_failed(greeting.introduction);
            }
        }
    }

    fn on_welcomed(&mut self, introduction: IntroductionId, way: Way, channel: Channel) {
        if self.book.by_introduction(introduction).is_none() {
            return;
        }
        self.peer_sessions
            .begin(self.clock.at, introduction, channel);
        self.plan_expiry();
        self.on_peer_found(introduction, way);
    }

    /// Somebody calls our listener who knows our key.
    pub(super) fn on_greeting(&mut self, conn: ConnId, remote: SocketAddr, message: &[u8]) {
        // By which key we are known depends on the server. Who calls before that is known comes again.
        let is_known = self.link.server_key.is_some();
        if !is_known
            || !self.may_greet(remote)
            || !self.callers.admit(self.clock.at, Source::of(remote.ip()))
        {
            return self.refuse(conn, RefusalCode::Busy);
        }
        let called = Called::take(
            &*self.protection,
            Part::PeerResponder,
            &self.key,
            &mut *self.secrets,
            message,
        );
        let Ok((answering, bytes)) = called.and_then(Called::answer) else {
            return self.refuse(conn, RefusalCode::Malformed);
        };
        if let Some(Connection::Call { handshake, .. }) = self.connections.get_mut(&conn) {
            *handshake = Some(answering);
        }
        self.send(conn, bytes);
    }

    /// Greetings under way are bounded, in all and from one address.
    fn may_greet(&self, remote: SocketAddr) -> bool {
        let caller = remote.ip().to_canonical();
        let (mut greeting, mut by_caller) = (0, 0);
        for connection in self.connections.values() {
            if let Connection::Call {
                remote,
                handshake: Some(_),
                ..
            } = connection
            {
                greeting += 1;
                by_caller += usize::from(remote.ip().to_canonical() == caller);
            }
        }
        greeting < GREETINGS_MAX && by_caller < GREETINGS_PER_ADDRESS_MAX
    }

    /// The caller says who they are and what they want.
    pub(super) fn on_introduced_itself(
        &mut self,
        conn: ConnId,
        remote: SocketAddr,
        answering: Answering,
        message: &[u8],
    ) {
        let Ok((channel, key, payload)) = answering.finish(message) else {
            return self.refuse(conn, RefusalCode::Malformed);
        };
        let item = Items::new(&payload).next().map(|item| decode(item?));
        let Some(Ok(push)) = item else {
            return self.refuse(conn, RefusalCode::Malformed);
        };
        let call = Box::new(PeerCall { key, channel, push });
        match call.push.introduction() {
            Some(introduction) if self.knows(introduction) => {
                self.take_call(conn, remote, introduction, call);
            }
            Some(_) => self.park(conn, remote, Connection::ParkedGreeting { remote, call }),
            None => self.refuse(conn, RefusalCode::Malformed),
        }
    }

    /// Whether this introduction is, or was, in the address book.
    pub(super) fn knows(&self, introduction: IntroductionId) -> bool {
        self.book.has(introduction) || self.former.has(introduction)
    }

    /// Somebody calls with regard to an introduction: a session begins if it is who was introduced.
    pub(super) fn take_call(
        &mut self,
        conn: ConnId,
        remote: SocketAddr,
        introduction: IntroductionId,
        call: Box<PeerCall>,
    ) {
        let known = self.book.by_introduction(introduction).map(|peer| peer.key);
        let known = known.or_else(|| self.former.key(introduction));
        if known != Some(call.key) {
            self.tell_mismatch(introduction, remote.ip().to_canonical(), KeyMismatch::Calls);
            return self.refuse(conn, RefusalCode::Malformed);
        }
        let session = call.channel.id();
        let now = self.clock.at;
        self.peer_sessions.admit(now, introduction, call.channel);
        self.plan_expiry();
        self.on_peer_push(conn, remote, session, introduction, &call.push);
    }

    /// Keys are not kept for longer than they may be used.
    pub(super) fn plan_expiry(&mut self) {
        if let Some(at) = self.peer_sessions.next_expiry() {
            self.timers.set(TimerKind::PeerSessions, at);
        }
    }

    pub(super) fn expire_peer_sessions(&mut self) {
        self.peer_sessions.expire(self.clock.at);
        self.plan_expiry();
    }
}

impl Greeting {
    fn introduce_ourselves(&mut self, message: &[u8]) -> Result<alloc::vec::Vec<u8>, OpenError> {
        let stage = core::mem::replace(&mut self.stage, GreetingStage::Over);
        let GreetingStage::Calling(calling) = stage else {
            return Err(OpenError::Forged);
        };
        let met = calling.answered(message)?;
        let (channel, bytes) = met.say(Payload::of(&self.saying).as_bytes());
        self.stage = GreetingStage::Said(Box::new(channel));
        Ok(bytes)
    }

    fn take_answer(&mut self, sealed: &SealedFrame<'_>) -> Option<(Channel, PeerAnswer)> {
        let stage = core::mem::replace(&mut self.stage, GreetingStage::Over);
        let GreetingStage::Said(mut channel) = stage else {
            return None;
        };
        let opened = channel.open_answer(sealed).ok()?;
        let answer = decode(Items::new(&opened.payload).next()?.ok()?).ok()?;
        Some((*channel, answer))
    }
}
