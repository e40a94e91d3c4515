//! `getaddress`, `accept`, `deny` and `removeaddress`: how two users come to know each other's address, and how that ends.

use alloc::vec::Vec;
use core::time::Duration;

use super::introduction::{Asked, Pair};
use super::lane::Notice;
use super::record::{QuestionState, Record, Subject};
use super::record_queue::Waiting;
use super::session::Session;
use super::{AccountId, Server};
use crate::id::IntroductionId;
use crate::limits::{INTRODUCTIONS_MAX, QUESTIONS_MAX};
use crate::name::Name;
use crate::time::WallTime;
use crate::wire::push::{Introduction, Push};
use crate::wire::request::Refusal;
use crate::wire::{EndReason, Term};

impl Server {
    /// One user asks for another's address. Whether the other is online, or has blacklisted the asker, makes no
    /// difference that the asker could see.
    pub(super) fn ask_address(
        &mut self,
        asker: AccountId,
        name: Name,
        term: Term,
    ) -> Result<(), Refusal> {
        let asked = self.other(asker, name)?;
        if self.accounts.get(asker).blacklist.contains(asked) {
            return Err(Refusal::BlockedByYou);
        }
        self.check_introductions(asker)?;
        let pair = Pair { asked, asker };
        let state = if self.accounts.get(asked).blacklist.contains(asker) {
            QuestionState::Hidden
        } else {
            QuestionState::Shown
        };
        match self.introductions.ask(self.clock.at, pair, state, term) {
            Asked::Open(state) => {
                self.record_question(pair, state, term);
                if state == QuestionState::Shown {
                    self.put_question(pair, term, self.config.question_expiry);
                    self.pump(asked);
                }
                Ok(())
            }
            Asked::Crossed(term) => {
                self.agree(pair.crossing(), term);
                Ok(())
            }
            Asked::Already => Err(Refusal::AlreadyAsked),
            Asked::TooMany => Err(Refusal::TooManyQuestions {
                max: u32::try_from(QUESTIONS_MAX).unwrap_or(u32::MAX),
            }),
        }
    }

    pub(super) fn accept(
        &mut self,
        asked: AccountId,
        name: Name,
        term: Term,
    ) -> Result<(), Refusal> {
        let asker = self.other(asked, name)?;
        self.check_introductions(asked)?;
        let pair = Pair { asked, asker };
        let chosen = self.answer_question(pair)?;
        self.agree(pair, term.agreed(chosen));
        Ok(())
    }

    pub(super) fn deny(&mut self, asked: AccountId, name: Name) -> Result<(), Refusal> {
        let asker = self.other(asked, name)?;
        let pair = Pair { asked, asker };
        self.answer_question(pair)?;
        self.record_closed(pair);
        let by = self.accounts.get(asked).name;
        let notice = Notice {
            subject: Subject::OwnQuestion(by),
            push: Push::AddressDenied { by },
        };
        self.notify(asker, notice);
        Ok(())
    }

    fn answer_question(&mut self, pair: Pair) -> Result<Term, Refusal> {
        self.introductions.answer(pair).ok_or(Refusal::NoQuestion)
    }

    /// Both have said yes. Where one of them has no address yet, as after a restart, that waits for it.
    fn agree(&mut self, pair: Pair, term: Term) {
        if self.have_addresses(pair) {
            self.record_closed(pair);
            self.introduce(pair.asker, pair.asked, term);
        } else {
            let expires = self.clock.at + self.config.question_expiry;
            self.introductions
                .open(pair, QuestionState::Agreed, term, expires);
            self.record_question(pair, QuestionState::Agreed, term);
        }
    }

    /// It is known now where a user may be reached: whoever waited for that is introduced.
    pub(super) fn introduce_agreed(&mut self, account: AccountId) {
        for (pair, term) in self.introductions.agreed_with(account) {
            if self.have_addresses(pair) {
                self.introductions.withdraw(pair);
                self.agree(pair, term);
            }
        }
    }

    /// Whether it is known of both where they may be reached, or that the server cannot reach them.
    fn have_addresses(&self, pair: Pair) -> bool {
        [pair.asked, pair.asker].into_iter().all(|account| {
            let session = self.accounts.get(account).session.as_ref();
            session.and_then(Session::reach).is_some()
        })
    }

    fn record_question(&mut self, pair: Pair, state: QuestionState, term: Term) {
        let expiry = u64::try_from(self.config.question_expiry.as_millis()).unwrap_or(u64::MAX);
        let record = Record::Asked {
            asker: self.accounts.get(pair.asker).name,
            asked: self.accounts.get(pair.asked).name,
            state,
            term,
            expires: WallTime(self.clock.wall.0.saturating_add(expiry)),
        };
        self.record(record);
    }

    /// A question is open no more.
    pub(super) fn record_closed(&mut self, pair: Pair) {
        let record = Record::QuestionClosed {
            asker: self.accounts.get(pair.asker).name,
            asked: self.accounts.get(pair.asked).name,
        };
        self.record(record);
    }

    pub(super) fn remove_address(&mut self, user: AccountId, name: Name) -> Result<(), Refusal> {
        let peer = self.other(user, name)?;
        self.claims.withdraw(user, peer);
        if self.end_introduction(user, peer, EndReason::Removed) {
            Ok(())
        } else {
            Err(Refusal::NotIntroduced)
        }
    }

    /// Shows a user again what is still asked of them: for a session that starts.
    pub(super) fn ask_open_questions(&mut self, asked: AccountId) {
        let now = self.clock.at;
        let open: Vec<_> = self.introductions.open_for(asked).collect();
        for (asker, term, expires) in open {
            self.put_question(Pair { asked, asker }, term, expires.since(now));
        }
    }

    /// A question goes to its addressee, if they are online. If not it is asked when they log in before it expires.
    fn put_question(&mut self, pair: Pair, term: Term, expires_in: Duration) {
        let by = self.accounts.get(pair.asker).name;
        let expires_in_ms = u32::try_from(expires_in.as_millis()).unwrap_or(u32::MAX);
        if let Some(session) = &mut self.accounts.get_mut(pair.asked).session {
            session.lane.notify(Notice {
                subject: Subject::Question(by),
                push: Push::AddressAsked {
                    by,
                    expires_in_ms,
                    term,
                },
            });
        }
    }

    pub(super) fn on_question_expired(&mut self, pair: Pair, state: QuestionState) {
        self.record_closed(pair);
        match state {
            QuestionState::Shown => self.tell_question_closed(pair.asked, pair.asker),
            // They had said yes, and now wait for the asker.
            QuestionState::Agreed => self.tell_no_answer(pair.crossing()),
            QuestionState::Hidden => {}
        }
        self.tell_no_answer(pair);
    }

    /// A user is gone: their questions are open no more.
    pub(super) fn withdraw_questions(&mut self, asker: AccountId) {
        for (asked, state) in self.introductions.withdraw_all_of(asker) {
            self.on_question_expired(Pair { asked, asker }, state);
        }
    }

    /// A user's client is another one: what the last one had asked, and had said yes to, is open no more.
    pub(super) fn withdraw_consents(&mut self, user: AccountId) {
        self.withdraw_questions(user);
        for (pair, _) in self.introductions.agreed_with(user) {
            self.introductions.withdraw(pair);
            self.on_question_expired(pair, QuestionState::Agreed);
        }
    }

    fn tell_no_answer(&mut self, pair: Pair) {
        let from = self.accounts.get(pair.asked).name;
        let notice = Notice {
            subject: Subject::OwnQuestion(from),
            push: Push::NoAnswer { from },
        };
        self.notify(pair.asker, notice);
    }

    pub(super) fn tell_question_closed(&mut self, asked: AccountId, asker: AccountId) {
        let by = self.accounts.get(asker).name;
        if let Some(session) = &mut self.accounts.get_mut(asked).session {
            session.lane.notify(Notice {
                subject: Subject::Question(by),
                push: Push::QuestionClosed { by },
            });
            self.pump(asked);
        }
    }

    /// Both have said yes: each gets the other's address and key.
    fn introduce(&mut self, a: AccountId, b: AccountId, term: Term) {
        let id = IntroductionId(self.rng.bytes());
        self.bring_into_force(a, b, id, term);
        self.acquaint(a, b);
        for (user, peer) in [(a, b), (b, a)] {
            let subject = self.accounts.get(peer);
            let name = subject.name;
            // Who has agreed has logged in.
            let Some(key) = subject.latest_login.map(|latest| latest.key) else {
                continue;
            };
            let introduction = Introduction {
                peer: name,
                id,
                key,
                whereabouts: self.whereabouts(peer, user),
                term,
            };
            let notice = Notice {
                subject: Subject::Introduction(name),
                push: Push::Introduced(introduction),
            };
            self.notify(user, notice);
        }
    }

    /// Two users are peers from now on, whose clients have this introduction or will be told of it.
    pub(super) fn bring_into_force(
        &mut self,
        a: AccountId,
        b: AccountId,
        id: IntroductionId,
        term: Term,
    ) {
        self.introductions.introduce(a, b, id, term);
        let (a, b) = self.names_of(a, b);
        self.record(Record::Introduced { a, b, id, term });
    }

    fn check_introductions(&self, user: AccountId) -> Result<(), Refusal> {
        if self.introductions.has_room(user) {
            return Ok(());
        }
        Err(Refusal::TooManyIntroductions {
            max: u32::try_from(INTRODUCTIONS_MAX).unwrap_or(u32::MAX),
        })
    }

    /// Ends what is between two users, and tells the other one. The one who ended it knows.
    pub(super) fn end_introduction(
        &mut self,
        user: AccountId,
        peer: AccountId,
        reason: EndReason,
    ) -> bool {
        if self.introductions.end(user, peer).is_none() {
            return false;
        }
        self.record_parted(user, peer);
        self.tell_introduction_ended(user, peer, reason);
        // They may have been introduced anew since the user wished this.
        self.tell_introduction_ended(peer, user, reason);
        true
    }

    /// Ends what is between a user and others for no longer than a term, and tells the others.
    pub(super) fn end_introductions(&mut self, user: AccountId, up_to: Term, reason: EndReason) {
        for peer in self.introductions.end_up_to(user, up_to) {
            self.record_parted(user, peer);
            self.tell_introduction_ended(user, peer, reason);
        }
    }

    fn record_parted(&mut self, a: AccountId, b: AccountId) {
        let (a, b) = self.names_of(a, b);
        self.record(Record::Parted { a, b });
    }

    /// Tells `peer` that what was between them and `user` is over.
    fn tell_introduction_ended(&mut self, user: AccountId, peer: AccountId, reason: EndReason) {
        let name = self.accounts.get(user).name;
        self.withhold_whereabouts(user, peer);
        let notice = Notice {
            subject: Subject::Introduction(name),
            push: Push::IntroductionEnded {
                peer: name,
                reason,
                // They may not have been told of this one yet, and have the one before.
                introduction: None,
            },
        };
        self.notify(peer, notice);
    }

    fn names_of(&self, a: AccountId, b: AccountId) -> (Name, Name) {
        (self.accounts.get(a).name, self.accounts.get(b).name)
    }

    /// Tells a user's client, once the store has it and so also after a restart of the server; if it is away, when it is
    /// back.
    pub(super) fn notify(&mut self, user: AccountId, notice: Notice) {
        let owner = self.accounts.get(user);
        // Without a client there is nobody who would want to know.
        let Some(client) = owner.latest_login.map(|latest| latest.instance) else {
            return;
        };
        let (to, subject, push) = (owner.name, notice.subject, notice.push.clone());
        self.record(Record::Notice { to, subject, push });
        self.records.wait(Waiting::Notice {
            to: user,
            client,
            notice,
        });
    }
}
