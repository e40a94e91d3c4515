//! Sealed mail: what is written to a peer who cannot be met is left for them at the server too, if the two know each other for good.
//!
//! The server keeps it for the peer's key alone and cannot read it. The messages go on waiting here until the peer has said, in a
//! mail of theirs or directly, that they were shown. So nothing depends on the server: what it loses or holds back is sent again, as the
//! peer notices that a mail before was lost and says so.

use alloc::vec::Vec;
use core::time::Duration;

use super::direct::Author;
use super::event::{Event, MessageEvent};
use super::inbox::MailReceipt;
use super::ledger::MessageState;
use super::peer::Peer;
use super::record::{Record, Route};
use super::{Client, TimerKind};
use crate::channel::mail;
use crate::id::{InstanceId, IntroductionId, Seq};
use crate::key::PublicKey;
use crate::name::Name;
use crate::wire::item::{Items, Payload, decode};
use crate::wire::mail::{Mail, MailItem, Sealed};
use crate::wire::peer::PrivateMessage;
use crate::wire::request::{Operation, Outcome};

/// When the server has refused a mail, and nothing else has happened, the next try is so long after.
const REFUSED_REST: Duration = Duration::from_secs(10 * 60);

/// However often others say that mail was lost, it is not left again sooner.
const LOST_REST: Duration = Duration::from_secs(5);

/// What was in a mail, as far as this version knows it.
#[derive(Debug)]
struct Opened {
    introduction: IntroductionId,
    after: Seq,
    messages: Vec<PrivateMessage>,
    /// What a peer has, of which outbox, and the last number that was in the mail that they answer.
    taken: Vec<(InstanceId, Seq, Seq)>,
}

/// What comes of a mail.
#[derive(Debug, Default)]
pub(super) struct TakenMail {
    pub(super) events: Vec<Event>,
    /// What its sender is told once it is shown.
    pub(super) receipt: Option<MailReceipt>,
}

impl Opened {
    /// `None` if it is no mail of this protocol.
    fn read(payload: &[u8]) -> Option<Self> {
        let mut items = Items::new(payload).map(|item| decode(item?));
        let Some(Ok(MailItem::Opening {
            introduction,
            after,
        })) = items.next()
        else {
            return None;
        };
        let mut opened = Self {
            introduction,
            after,
            messages: Vec::new(),
            taken: Vec::new(),
        };
        for item in items {
            match item {
                Ok(MailItem::Private(message)) => opened.messages.push(message),
                Ok(MailItem::Taken {
                    instance,
                    through,
                    of,
                }) => opened.taken.push((instance, through, of)),
                // Of a later version, or out of place.
                Ok(MailItem::Opening { .. }) | Err(_) => {}
            }
        }
        Some(opened)
    }
}

impl Client {
    /// A mail may have to be left for a peer, when all that happens now is dealt with.
    pub(super) fn post_mail(&mut self, name: Name) {
        self.due.mail.insert(name);
    }

    /// Whether the server would take mail now, as far as this client knows.
    fn can_leave_mail(&self) -> bool {
        self.is_ready() && self.has_room_for_due()
    }

    /// Whether what waits for a peer is about to be left at the server: then the user hears what comes of that, and not that it waits.
    pub(super) fn is_about_to_leave_mail(&self, name: Name) -> bool {
        let gets_mail = self.book.get(name).is_some_and(Peer::gets_mail);
        gets_mail && self.can_leave_mail()
    }

    /// Leaves a mail for a peer who cannot be met with what waits for them and is in none yet, if the server takes one now.
    pub(super) fn leave_mail(&mut self, name: Name) {
        let Some(peer) = self.book.get(name).filter(|_| self.can_leave_mail()) else {
            return;
        };
        let is_under_way = |wish| self.outbox.is_unanswered(wish);
        if peer.mails.last().is_some_and(is_under_way) {
            return;
        }
        let (key, Some(draft)) = (peer.key, peer.mail()) else {
            return;
        };
        let through = draft.through;
        let Some(wish) = self.submit_mail(name, key, draft.messages, &draft.payload) else {
            return;
        };
        if let Some(peer) = self.book.get_mut(name) {
            peer.mails.post(wish, through);
        }
        self.record(Record::Posted {
            to: name,
            through,
            wish,
        });
    }

    /// There is a session: what could not be left before may be now.
    pub(super) fn post_all_mail(&mut self) {
        for name in self.book.names() {
            self.try_mail_again(name);
        }
    }

    /// Something may have changed since the server refused a mail for a peer.
    pub(super) fn try_mail_again(&mut self, name: Name) {
        self.timers.cancel(TimerKind::Mail(name));
        if let Some(peer) = self.book.get_mut(name) {
            peer.mails.try_again();
            self.post_mail(name);
        }
    }

    fn submit_mail(
        &mut self,
        to: Name,
        key: PublicKey,
        messages: u16,
        payload: &Payload,
    ) -> Option<Seq> {
        let (protection, payload) = (&*self.protection, payload.as_bytes());
        let sealed = mail::seal(protection, &self.key, key, &mut *self.secrets, payload).ok()?;
        let sealed = Sealed::new(sealed).ok()?;
        self.wish_due(Operation::Mail {
            to,
            key,
            messages,
            sealed,
        })
    }

    /// The server has given its word on a mail for a peer.
    pub(super) fn on_mail_answered(&mut self, to: Name, wish: Seq, outcome: Outcome) {
        let Some(peer) = self.book.get_mut(to) else {
            return;
        };
        // An answer to the peer, or a mail that was given up, has no messages.
        let Some((after, through)) = peer.mails.range(wish) else {
            return;
        };
        let wall = self.clock.wall;
        if let Outcome::Refused(refusal) = outcome {
            peer.mails.refused(wish);
            let state = MessageState::Refused(refusal);
            self.ledger.mailed(to, after, through, wall, state);
            self.put_off_mail(to, REFUSED_REST);
            self.tell_waiting_once(to);
        } else {
            let kept = self
                .ledger
                .mailed(to, after, through, wall, MessageState::Stored);
            if kept > 0 {
                self.event(MessageEvent::PrivateStored { to });
            }
            self.post_mail(to);
        }
    }

    /// Nobody has fetched a mail in time.
    pub(super) fn on_mail_expired(&mut self, to: Name, wish: Seq) {
        let mails = self.book.get(to).map(|peer| &peer.mails);
        let Some((after, through)) = mails.and_then(|mails| mails.range(wish)) else {
            return;
        };
        let (wall, state) = (self.clock.wall, MessageState::Expired);
        self.ledger.mailed(to, after, through, wall, state);
        self.lose_mail(to);
    }

    /// A mail is not at the server any more: what is in it, and in those after it, is left again.
    fn lose_mail(&mut self, to: Name) {
        if let Some(peer) = self.book.get_mut(to) {
            peer.mails.lose();
            self.ledger.mail_lost(to);
            self.record(Record::MailLost { to });
            self.put_off_mail(to, LOST_REST);
        }
    }

    fn put_off_mail(&mut self, to: Name, rest: Duration) {
        if let Some(peer) = self.book.get_mut(to) {
            peer.mails.put_off();
            self.timers.set(TimerKind::Mail(to), self.clock.at + rest);
        }
    }

    /// A peer has left a mail for this client.
    pub(super) fn take_mail(&mut self, mail: &Mail) -> TakenMail {
        let (protection, sealed) = (&*self.protection, mail.sealed.as_bytes());
        let opened = mail::open(protection, &self.key, &mut *self.secrets, sealed).ok();
        let opened = opened.and_then(|(key, payload)| Some((key, Opened::read(&payload)?)));
        let Some((key, opened)) = opened else {
            let from = mail.from;
            return TakenMail {
                events: [MessageEvent::MailUnreadable { from }.into()].into(),
                receipt: None,
            };
        };
        // Whoever is a peer no more, or is one anew, has been told so; and a server may say a wrong name.
        let peer = self.book.by_introduction(opened.introduction);
        let is_author = |peer: &&mut Peer| peer.key == key && peer.name == mail.from;
        let Some(from) = peer.filter(is_author).map(|peer| peer.name) else {
            return TakenMail::default();
        };
        for (instance, through, of) in opened.taken {
            if instance == self.instance {
                self.on_mail_taken(from, through, of);
            }
        }
        let author = Author {
            name: from,
            verification: self.peer_keys.verification(from, key),
        };
        self.take_mailed(author, opened.after, opened.messages)
    }

    /// The messages of a mail. What follows on some that this client does not have is left to be sent again.
    fn take_mailed(
        &mut self,
        author: Author,
        after: Seq,
        messages: Vec<PrivateMessage>,
    ) -> TakenMail {
        let Some(last) = messages.last() else {
            return TakenMail::default();
        };
        let (from, instance, of) = (author.name, last.instance, last.seq);
        let mut events = Vec::new();
        if self.inbox.last_shown(Route::Direct, from, instance) >= after {
            for message in messages {
                events.extend(self.take_private(author, message));
            }
        }
        let receipt = Some(MailReceipt { from, instance, of });
        TakenMail { events, receipt }
    }

    /// Tells a peer in a mail what was shown of theirs. If that cannot be left, they send it again when the two meet.
    pub(super) fn answer_mail(&mut self, mail: MailReceipt) {
        let MailReceipt { from, instance, of } = mail;
        let Some(peer) = self.book.get(from).filter(|_| self.has_room_for_due()) else {
            return;
        };
        let (introduction, key, after) = (peer.introduction, peer.key, Seq(0));
        let mut payload = Payload::of(&MailItem::Opening {
            introduction,
            after,
        });
        payload.push(&MailItem::Taken {
            instance,
            through: self.inbox.last_shown(Route::Direct, from, instance),
            of,
        });
        self.submit_mail(from, key, 0, &payload);
    }

    /// A peer says what they have of what was in a mail.
    fn on_mail_taken(&mut self, by: Name, through: Seq, of: Seq) {
        self.on_private_taken(by, through);
        if through < of {
            self.lose_mail(by);
        }
    }
}
