//! Restoring: what each record means to a server that starts where another one ended.

use core::net::IpAddr;
use core::time::Duration;

use super::account::LatestLogin;
use super::intake::Intake;
use super::introduction::Pair;
use super::lane::{Notice, push_notice};
use super::lockout::Provenance;
use super::mailbox::{Entry, Keeping, Mailing, Origin, Place};
use super::record::Record;
use super::{AccountId, Server};
use crate::id::{InstanceId, Seq};
use crate::key::PublicKey;
use crate::name::Name;
use crate::source::Source;
use crate::time::{Timestamp, WallTime};
use crate::wire::item::encode;
use crate::wire::mail::Mail;
use crate::wire::push::{Audience, Delivery, Push};

impl Server {
    /// The server as the records of earlier ones make it, with nobody online. To be called before anything else, with the
    /// records in their order. What they say of names that are no accounts any more is ignored, but for messages that these
    /// wrote and that others have blocked them; so are records that no server has written.
    #[must_use]
    pub fn restore(mut self, records: impl IntoIterator<Item = Record>) -> Self {
        for record in records {
            self.restore_next(record);
        }
        self
    }

    /// The same with one record after the other.
    pub fn restore_next(&mut self, record: Record) {
        self.tap.restored(&record);
        // `None`: it is about an account that is no more.
        let _: Option<()> = self.apply(record);
    }

    #[allow(clippy::too_many_lines, reason = "a row for each record")]
    pub(super) fn apply(&mut self, record: Record) -> Option<()> {
        if record.is_damaged() {
            return None;
        }
        match record {
            Record::Kept { to, place, message } => self.apply_kept(to, Place(place), message)?,
            Record::KeptMail {
                to,
                key,
                place,
                mail,
            } => self.apply_kept_mail(to, key, Place(place), mail)?,
            Record::Taken { to, key, through } => {
                let owner = self.accounts.find_mut(to)?;
                let _ = owner.mailbox.take_up_to(Place(through), key);
            }
            Record::Expired {
                to,
                through,
                untold,
            } => {
                if let (Some(owner), Some(through)) = (self.accounts.find_mut(to), through) {
                    let _ = owner.mailbox.take_all_up_to(Place(through));
                }
                for (author, word) in &untold {
                    if let Some(author) = self.accounts.find_mut(*author) {
                        author.untold.add(word);
                    }
                }
            }
            Record::ToldExpired { user, told } => {
                self.accounts.find_mut(user)?.untold.told(&told);
            }
            Record::Outcomes {
                user,
                instance,
                lowest_unanswered,
                outcomes,
            } => {
                let intakes = &mut self.accounts.find_mut(user)?.intakes;
                let intake = intakes.entry(instance, || Intake::new(lowest_unanswered));
                *intake = Intake::restored(lowest_unanswered, outcomes);
            }
            Record::LoggedIn {
                user,
                instance,
                key,
                number,
                from,
                at,
            } => {
                self.apply_login(
                    user,
                    LatestLogin {
                        number,
                        instance,
                        key,
                    },
                )?;
                let owner = self.accounts.find_mut(user)?;
                owner.tickets_from = owner.tickets_from.min(at);
                self.note_known(user, from, key, at);
            }
            Record::LockedOut { name, from, until } => self.apply_lock(name, from, until),
            Record::Blocked { by, user } => self.apply_block(by, user)?,
            Record::Unblocked { by, user } => {
                let user = self.accounts.find_even_removed(user)?;
                self.accounts.find_mut(by)?.blacklist.remove(user);
            }
            Record::Asked {
                asker,
                asked,
                state,
                term,
                expires,
            } => {
                let pair = self.pair(asker, asked)?;
                // Clocks may have been set: it is never open for longer than a new one.
                let rest = self.until(expires).min(self.config.question_expiry);
                let expires = self.clock.at + rest;
                self.introductions.open(pair, state, term, expires);
            }
            Record::QuestionClosed { asker, asked } => {
                self.introductions.withdraw(self.pair(asker, asked)?);
            }
            Record::Introduced { a, b, id, term } => {
                let (a, b) = self.both(a, b)?;
                self.introductions.restore(a, b, id, term);
            }
            Record::Parted { a, b } => {
                let (a, b) = self.both(a, b)?;
                self.introductions.end(a, b);
            }
            Record::Notice { to, subject, push } => {
                let missed = &mut self.accounts.find_mut(to)?.missed;
                push_notice(missed, Notice { subject, push });
            }
            Record::Removed { user } => self.apply_removed(user)?,
            Record::Told { to, subject } => {
                let missed = &mut self.accounts.find_mut(to)?.missed;
                missed.retain(|notice| notice.subject != subject);
            }
        }
        Some(())
    }

    fn apply_kept(&mut self, to: Name, place: Place, message: Delivery) -> Option<()> {
        let to = self.accounts.find(to)?;
        let origin = self.origin(message.from, message.instance, message.seq);
        let (sent, audience) = (message.sent, message.audience);
        let item = encode(&Push::Message(message)).into();
        let entry = self.entry(origin, audience, None, item);
        self.put_back(to, place, sent, entry);
        Some(())
    }

    fn apply_kept_mail(
        &mut self,
        to: Name,
        key: PublicKey,
        place: Place,
        mail: Mail,
    ) -> Option<()> {
        let to = self.accounts.find(to)?;
        let origin = self.origin(mail.from, mail.instance, mail.seq);
        let (sent, messages) = (mail.sent, mail.messages);
        let item = encode(&Push::Mail(mail)).into();
        let mailing = Mailing { key, messages };
        let entry = self.entry(origin, Audience::You, Some(mailing), item);
        self.put_back(to, place, sent, entry);
        Some(())
    }

    fn origin(&mut self, from: Name, instance: InstanceId, seq: Seq) -> Origin {
        Origin {
            account: self.accounts.find_or_former(from),
            instance,
            seq,
        }
    }

    fn put_back(&mut self, to: AccountId, place: Place, sent: WallTime, entry: Entry) {
        let entry = Entry {
            expires: self.expiry_of(sent),
            keeping: Keeping::Stored,
            ..entry
        };
        self.accounts.get_mut(to).mailbox.restore(place, entry);
        self.watch_mailbox(to);
    }

    /// When that expires which was taken at a time of day.
    fn expiry_of(&self, sent: WallTime) -> Timestamp {
        let age = self.config.mailbox.age;
        self.clock.at + age.saturating_sub(self.since(sent))
    }

    fn apply_login(&mut self, user: Name, login: LatestLogin) -> Option<()> {
        let owner = self.accounts.find_mut(user)?;
        let previous = owner.latest_login.replace(login);
        if previous.is_none_or(|previous| previous.instance != login.instance) {
            owner.missed.clear();
            owner.untold.forget_numbers();
        }
        Some(())
    }

    fn note_known(&mut self, user: Name, from: IpAddr, key: PublicKey, at: WallTime) {
        let at = self.clock.at - self.since(at);
        let source = Source::of(from);
        self.lockout
            .note_known(at, user, Provenance { source, key });
    }

    fn apply_lock(&mut self, name: Name, from: Option<IpAddr>, until: WallTime) {
        let (source, rest) = (from.map(Source::of), self.until(until));
        self.lockout.restore_lock(self.clock.at, name, source, rest);
    }

    fn apply_removed(&mut self, user: Name) -> Option<()> {
        self.lockout.forget(user);
        // If there is an account of that name it is a later one.
        let account = self.accounts.find(user)?;
        let _ = self.accounts.erase(account);
        // Until it is known when the later one logged in first.
        self.accounts.get_mut(account).tickets_from = self.ticket_time();
        Some(())
    }

    fn apply_block(&mut self, by: Name, user: Name) -> Option<()> {
        let pair = Pair {
            asked: self.accounts.find(by)?,
            asker: self.accounts.find_or_former(user),
        };
        let owner = self.accounts.get_mut(pair.asked);
        // It was not full when this was recorded, so it is not full now.
        let _ = owner.blacklist.add(pair.asker);
        let _ = owner.mailbox.discard_from(pair.asker);
        self.introductions.hide(pair);
        Some(())
    }

    fn both(&self, a: Name, b: Name) -> Option<(AccountId, AccountId)> {
        Some((self.accounts.find(a)?, self.accounts.find(b)?))
    }

    fn pair(&self, asker: Name, asked: Name) -> Option<Pair> {
        let (asker, asked) = self.both(asker, asked)?;
        Some(Pair { asked, asker })
    }

    /// How long until a time of day, which may have passed.
    fn until(&self, time: WallTime) -> Duration {
        Duration::from_millis(time.0.saturating_sub(self.clock.wall.0))
    }

    /// How long since a time of day.
    fn since(&self, time: WallTime) -> Duration {
        Duration::from_millis(self.clock.wall.0.saturating_sub(time.0))
    }
}
