//! The user's wishes: what can be refused is refused at once, the rest is on its way.

use super::command::{Command, Consent, Rejected};
use super::config::{Start, StoreKind};
use super::event::{Event, GoneCause, MessageEvent};
use super::leaving::Phase;
use super::ledger::{Addressee, Key};
use super::link::State;
use super::record::Record;
use super::{Client, outbox};
use crate::name::Name;
use crate::text::{Password, Text};
use crate::wire::Term;
use crate::wire::login::LoginCause;
use crate::wire::peer::PrivateMessage;
use crate::wire::request::Operation;

impl Client {
    pub(super) fn obey(&mut self, command: Command) -> Result<(), Rejected> {
        let needs_session = !matches!(
            command,
            Command::Login { .. } | Command::Leave | Command::EndOfInput
        );
        if needs_session {
            self.check_session()?;
        }
        match command {
            Command::Login { user, password } => self.log_in(user, password),
            Command::Leave => {
                self.leave();
                Ok(())
            }
            Command::EndOfInput => {
                self.end_of_input();
                Ok(())
            }
            Command::Message { to, text } => {
                self.check_other(to)?;
                self.check_text(&text)?;
                self.submit(Operation::Message { to, text })
            }
            Command::Broadcast { text } => {
                self.check_text(&text)?;
                self.submit(Operation::Broadcast { text })
            }
            Command::Private { to, text } => {
                self.check_other(to)?;
                self.check_text(&text)?;
                self.write_privately(to, text)
            }
            Command::Block { user } => {
                self.check_other(user)?;
                self.block(user)
            }
            Command::Unblock { user } => {
                self.check_other(user)?;
                self.submit(Operation::Unblock { user })
            }
            Command::Online => {
                self.check_server()?;
                self.ask_who_is_online();
                Ok(())
            }
            Command::GetAddress { user, term } => {
                self.check_other(user)?;
                self.ask_for_address(user, term)
            }
            Command::RemoveAddress { user } => self.remove_address(user),
            Command::AddressBook => {
                let entries = self.book.entries(&self.peer_keys, self.own_reach());
                self.event(Event::AddressBook { entries });
                Ok(())
            }
            Command::Verify { user } => {
                self.check_other(user)?;
                self.show_safety_code(user)
            }
            Command::MarkVerified { user } => {
                self.check_other(user)?;
                self.mark_verified(user)
            }
            Command::Why { message } => self.tell_why(message),
            Command::Answer { user, consent } => self.answer_question(user, consent),
            Command::BareAnswer(consent) => {
                let user = self.questions.beyond_doubt(self.clock.at)?;
                self.answer_question(user, consent)
            }
        }
    }

    /// Whether there is, or was, a session, or the client does without.
    pub(super) fn has_begun(&self) -> bool {
        let is_offline = self.config.start == Start::Offline && self.user.is_some();
        self.link.login.is_some() || is_offline
    }

    fn check_session(&self) -> Result<(), Rejected> {
        if !self.has_begun() {
            return Err(Rejected::NotLoggedIn);
        }
        match self.phase {
            Phase::Running => Ok(()),
            Phase::EndOfInput | Phase::Leaving | Phase::SaidGoodbye { .. } | Phase::Ended => {
                Err(Rejected::Leaving)
            }
        }
    }

    fn check_other(&self, user: Name) -> Result<(), Rejected> {
        match self.user {
            Some(own) if own == user => Err(Rejected::Yourself),
            Some(_) | None => Ok(()),
        }
    }

    fn log_in(&mut self, user: Name, password: Password) -> Result<(), Rejected> {
        if self.link.state != State::Idle {
            return Err(Rejected::LoggedIn);
        }
        if let (Some(_), Some(own)) = (self.link.login, self.user.filter(|own| *own != user)) {
            return Err(Rejected::OtherUser(own));
        }
        self.user = Some(user);
        self.password = Some(password);
        self.link.ticket = None;
        self.start_login(LoginCause::Person);
        if self.config.start == Start::Offline && self.link.login.is_none() {
            self.seek_peers();
        }
        Ok(())
    }

    /// Hands an operation to the outbox. It is sent at once, or when the server is back.
    fn submit(&mut self, operation: Operation) -> Result<(), Rejected> {
        let message = Addressee::of(&operation);
        let at = self.clock.wall;
        let wished = operation.clone();
        let seq = self
            .outbox
            .push(operation)
            .map_err(|outbox::Full| Rejected::OutboxFull)?;
        self.record(Record::Wished {
            seq,
            operation: wished,
            at,
        });
        if let Some(to) = message {
            let key = Key::Operation(seq);
            self.ledger.written(key, to, at);
            if self.link.away.is_some() {
                let number = self.ledger.number(key);
                self.event(MessageEvent::Waiting { number });
            }
        }
        self.flush();
        Ok(())
    }

    fn check_text(&self, text: &Text) -> Result<(), Rejected> {
        let max = self.link.session.as_ref().map(|session| session.max_text);
        match max {
            Some(max) if text.len() > max => Err(Rejected::TextTooLong {
                len: text.len(),
                max,
            }),
            _ => Ok(()),
        }
    }

    /// What makes sense only now is refused while the server is away.
    fn check_server(&self) -> Result<(), Rejected> {
        if self.link.away.is_some() {
            return Err(Rejected::ServerAway);
        }
        Ok(())
    }

    fn block(&mut self, user: Name) -> Result<(), Rejected> {
        self.submit(Operation::Block { user })?;
        self.inbox.block(user);
        self.forget_question(user);
        let gone = self.remove_peer(user, GoneCause::Own);
        if let Some(gone) = gone {
            self.event(gone);
        }
        Ok(())
    }

    fn ask_for_address(&mut self, user: Name, term: Term) -> Result<(), Rejected> {
        self.check_server()?;
        match self.book.get(user) {
            Some(peer) if !peer.needs_introduction() && term <= peer.term => {
                Err(Rejected::AlreadyInAddressBook(user))
            }
            None if self.book.is_full() => Err(Rejected::AddressBookFull),
            Some(_) | None => self.submit(Operation::GetAddress { user, term }),
        }
    }

    fn remove_address(&mut self, user: Name) -> Result<(), Rejected> {
        if self.book.get(user).is_none() && self.book.left_for(user) == 0 {
            return Err(Rejected::NotInAddressBook(user));
        }
        self.submit(Operation::RemoveAddress { user })?;
        let gone = self.remove_peer(user, GoneCause::Own);
        if let Some(gone) = gone {
            self.event(gone);
        }
        Ok(())
    }

    fn answer_question(&mut self, user: Name, consent: Consent) -> Result<(), Rejected> {
        self.check_server()?;
        if !self.questions.is_open(user) {
            return Err(Rejected::NoQuestion(user));
        }
        match consent {
            Consent::Yes(_) if self.book.is_full() && self.book.get(user).is_none() => {
                return Err(Rejected::AddressBookFull);
            }
            Consent::Yes(term) => self.submit(Operation::Accept { user, term })?,
            Consent::No => self.submit(Operation::Deny { user })?,
        }
        self.forget_question(user);
        Ok(())
    }

    fn write_privately(&mut self, to: Name, text: Text) -> Result<(), Rejected> {
        let seq = self.next_private;
        let message = PrivateMessage {
            instance: self.instance,
            seq,
            sent: self.clock.wall,
            text,
        };
        let peer = self
            .book
            .get_mut(to)
            .ok_or(Rejected::NotInAddressBook(to))?;
        let written = message.clone();
        peer.push(message).map_err(|_| Rejected::OutboxFull)?;
        if self.config.store == StoreKind::None {
            peer.stored(seq);
        }
        let (key, to_peer) = (Key::Private(seq), Addressee::Peer(to));
        self.ledger.written(key, to_peer, self.clock.wall);
        self.next_private = seq.next();
        let waits = peer.is_resting || peer.absence.is_some();
        self.record(Record::Written {
            to,
            message: written,
        });
        self.try_mail_again(to);
        if waits {
            self.tell_waiting_once(to);
        }
        self.pump_peer(to);
        Ok(())
    }
}
