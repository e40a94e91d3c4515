//! What each record changes in the tables: what `Server::restore` makes of it, for accounts whose names need not be known.

use std::collections::BTreeSet;
use std::net::IpAddr;

use rusqlite::{OptionalExtension as _, Transaction, params};
use simplechat_core::id::{InstanceId, Seq};
use simplechat_core::key::PublicKey;
use simplechat_core::limits::{
    EXPIRED_RECIPIENTS_MAX, INSTANCES_PER_ACCOUNT, KNOWN_KEYS_MAX, KNOWN_SOURCES_MAX,
    LOCKOUT_ENTRIES_MAX, NOTICES_MAX,
};
use simplechat_core::name::Name;
use simplechat_core::server::record::{Record, Subject};
use simplechat_core::time::WallTime;
use simplechat_core::wire::item::{decode, encode, payload_of};
use simplechat_core::wire::mail::Mail;
use simplechat_core::wire::push::{Delivery, Expired, Push};
use simplechat_core::wire::request::{Answer, Outcome};

use crate::columns::{HIDDEN, bound, source, state_number, subject_columns, term_number};

/// Names of accounts that are no more. Each matters as long as the tickets that the account was given, a day, and as long as
/// its messages are kept for others.
const REMOVED_MAX: i64 = 16_384;

type Applied = rusqlite::Result<()>;

/// The tables, within a transaction.
pub(crate) struct Tables<'a>(pub(crate) &'a Transaction<'a>);

impl Tables<'_> {
    pub(crate) fn apply(&self, record: &Record) -> Applied {
        match record {
            Record::Kept { to, place, message } => self.kept(*to, *place, message),
            Record::KeptMail {
                to,
                key,
                place,
                mail,
            } => self.kept_mail(*to, *key, *place, mail),
            Record::Taken { to, key, through } => self.taken(*to, *key, *through),
            Record::Expired {
                to,
                through,
                untold,
            } => self.expired(*to, *through, untold),
            Record::ToldExpired { user, told } => self.told_expired(*user, told),
            Record::Outcomes {
                user,
                instance,
                lowest_unanswered,
                outcomes,
            } => self.outcomes(*user, *instance, *lowest_unanswered, outcomes),
            Record::LoggedIn { .. } => self.logged_in(record),
            Record::LockedOut { name, from, until } => self.locked_out(*name, *from, *until),
            Record::Blocked { by, user } => self.blocked(*by, *user),
            Record::Unblocked { by, user } => self.run(
                "DELETE FROM blacklist WHERE owner = ?1 AND blocked = ?2",
                params![by.as_str(), user.as_str()],
            ),
            Record::Asked {
                asker,
                asked,
                state,
                term,
                expires,
            } => self.run(
                "INSERT OR REPLACE INTO question (asker, asked, state, term, expires) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    asker.as_str(),
                    asked.as_str(),
                    state_number(*state),
                    term_number(*term),
                    expires.0.cast_signed()
                ],
            ),
            Record::QuestionClosed { asker, asked } => self.run(
                "DELETE FROM question WHERE asker = ?1 AND asked = ?2",
                params![asker.as_str(), asked.as_str()],
            ),
            Record::Introduced { a, b, id, term } => self.run(
                "INSERT OR REPLACE INTO introduction (a, b, id, term) VALUES (?1, ?2, ?3, ?4)",
                params![a.min(b).as_str(), a.max(b).as_str(), id.0, term_number(*term)],
            ),
            Record::Parted { a, b } => self.run(
                "DELETE FROM introduction WHERE a = ?1 AND b = ?2",
                params![a.min(b).as_str(), a.max(b).as_str()],
            ),
            Record::Notice { to, subject, push } => self.notice(*to, subject, push),
            Record::Told { to, subject } => self.told(*to, subject),
            Record::Removed { user } => self.removed(*user),
        }
    }

    fn run(&self, sql: &str, values: impl rusqlite::Params) -> Applied {
        self.0.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    fn kept(&self, to: Name, place: u64, message: &Delivery) -> Applied {
        // No server counts that far.
        let Ok(place) = i64::try_from(place) else {
            return Ok(());
        };
        let item = encode(&Push::Message(message.clone()));
        self.run(
            "INSERT OR REPLACE INTO mailbox (owner, place, sender, message) VALUES (?1, ?2, ?3, ?4)",
            params![to.as_str(), place, message.from.as_str(), item],
        )
    }

    fn kept_mail(&self, to: Name, key: PublicKey, place: u64, mail: &Mail) -> Applied {
        let Ok(place) = i64::try_from(place) else {
            return Ok(());
        };
        let item = encode(&Push::Mail(mail.clone()));
        self.run(
            "INSERT OR REPLACE INTO mailbox (owner, place, sender, message, key) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![to.as_str(), place, mail.from.as_str(), item, key.0],
        )
    }

    fn taken(&self, to: Name, key: PublicKey, through: u64) -> Applied {
        let Ok(through) = i64::try_from(through) else {
            return Ok(());
        };
        self.run(
            "DELETE FROM mailbox WHERE owner = ?1 AND place <= ?2 AND (key IS NULL OR key = ?3)",
            params![to.as_str(), through, key.0],
        )
    }

    fn expired(&self, to: Name, through: Option<u64>, untold: &[(Name, Expired)]) -> Applied {
        if let Some(through) = through.and_then(|through| i64::try_from(through).ok()) {
            self.run(
                "DELETE FROM mailbox WHERE owner = ?1 AND place <= ?2",
                params![to.as_str(), through],
            )?;
        }
        for (author, more) in untold {
            match self.word(*author, more.to)? {
                Some(mut word) => {
                    word.add(more);
                    self.set_word(*author, &word)?;
                }
                None => self.run(
                    "INSERT INTO expired (author, recipient, word) SELECT ?1, ?2, ?3
                     WHERE (SELECT count(*) FROM expired WHERE author = ?1) < ?4",
                    params![
                        author.as_str(),
                        more.to.as_str(),
                        encode(&Push::Expired(more.clone())),
                        bound(EXPIRED_RECIPIENTS_MAX)
                    ],
                )?,
            }
        }
        Ok(())
    }

    fn told_expired(&self, user: Name, told: &Expired) -> Applied {
        let Some(mut word) = self.word(user, told.to)? else {
            return Ok(());
        };
        word.subtract(told);
        if word.count() > 0 {
            return self.set_word(user, &word);
        }
        self.run(
            "DELETE FROM expired WHERE author = ?1 AND recipient = ?2",
            params![user.as_str(), told.to.as_str()],
        )
    }

    /// What an author has to be told of what they sent to a recipient. One that makes no sense is taken for none.
    fn word(&self, author: Name, to: Name) -> rusqlite::Result<Option<Expired>> {
        let mut select = self
            .0
            .prepare_cached("SELECT word FROM expired WHERE author = ?1 AND recipient = ?2")?;
        let names = params![author.as_str(), to.as_str()];
        let item: Option<Vec<u8>> = select.query_row(names, |row| row.get(0)).optional()?;
        Ok(item.and_then(|item| match decode(&item) {
            Ok(Push::Expired(word)) => Some(word),
            Ok(_) | Err(_) => None,
        }))
    }

    fn set_word(&self, author: Name, word: &Expired) -> Applied {
        self.run(
            "UPDATE expired SET word = ?3 WHERE author = ?1 AND recipient = ?2",
            params![
                author.as_str(),
                word.to.as_str(),
                encode(&Push::Expired(word.clone()))
            ],
        )
    }

    /// An author has another client now.
    fn forget_numbers(&self, author: Name) -> Applied {
        let mut select = self
            .0
            .prepare_cached("SELECT recipient FROM expired WHERE author = ?1")?;
        let recipients = select.query_map([author.as_str()], |row| row.get::<_, String>(0))?;
        let recipients: Vec<_> = recipients.collect::<Result<_, _>>()?;
        for recipient in recipients {
            if let Ok(to) = recipient.parse()
                && let Some(mut word) = self.word(author, to)?
            {
                word.forget_numbers();
                self.set_word(author, &word)?;
            }
        }
        Ok(())
    }

    fn outcomes(
        &self,
        user: Name,
        instance: InstanceId,
        lowest: Seq,
        outcomes: &[(Seq, Outcome)],
    ) -> Applied {
        let item = |&(seq, outcome): &(Seq, Outcome)| payload_of(&Answer::Outcome { seq, outcome });
        let items: Vec<u8> = outcomes.iter().flat_map(item).collect();
        let values = params![user.as_str(), instance.0, lowest.0.cast_signed(), items];
        let updated = self
            .0
            .prepare_cached(
                "UPDATE intake SET nr = (SELECT max(nr) FROM intake) + 1, lowest_unanswered = ?3, outcomes = ?4
                 WHERE user = ?1 AND instance = ?2",
            )?
            .execute(values)?;
        if updated > 0 {
            return Ok(());
        }
        self.run(
            "INSERT INTO intake (user, instance, lowest_unanswered, outcomes) VALUES (?1, ?2, ?3, ?4)",
            values,
        )?;
        self.run(
            "DELETE FROM intake WHERE user = ?1 AND nr NOT IN
             (SELECT nr FROM intake WHERE user = ?1 ORDER BY nr DESC LIMIT ?2)",
            params![user.as_str(), bound(INSTANCES_PER_ACCOUNT)],
        )
    }

    fn logged_in(&self, record: &Record) -> Applied {
        let Record::LoggedIn {
            user,
            instance,
            key,
            number,
            from,
            at,
        } = record
        else {
            return Ok(());
        };
        let previous: Option<[u8; 16]> = self
            .0
            .prepare_cached("SELECT instance FROM login WHERE user = ?1 ORDER BY nr DESC LIMIT 1")?
            .query_row([user.as_str()], |row| row.get(0))
            .optional()?;
        if previous != Some(instance.0) {
            self.run(
                "DELETE FROM notice WHERE owner = ?1",
                params![user.as_str()],
            )?;
            self.forget_numbers(*user)?;
        }
        let at = at.0.cast_signed();
        self.run(
            "INSERT INTO login (user, instance, key, number, source, address, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                user.as_str(),
                instance.0,
                key.0,
                number.0.cast_signed(),
                source(*from),
                from.to_string(),
                at,
            ],
        )?;
        self.run(
            "UPDATE removed SET first_login = min(coalesce(first_login, ?2), ?2) WHERE user = ?1",
            params![user.as_str(), at],
        )?;
        self.forget_logins(*user)
    }

    /// Forgets the logins that were followed by others from their source and with their key, and those before the last
    /// few of both.
    fn forget_logins(&self, user: Name) -> Applied {
        let (mut sources, mut keys) = (BTreeSet::new(), BTreeSet::new());
        let mut stale = Vec::new();
        let mut select = self
            .0
            .prepare_cached("SELECT nr, source, key FROM login WHERE user = ?1 ORDER BY nr DESC")?;
        let mut rows = select.query([user.as_str()])?;
        while let Some(row) = rows.next()? {
            let (nr, source, key): (i64, String, [u8; 32]) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let is_last_from = sources.insert(source) && sources.len() <= KNOWN_SOURCES_MAX;
            let is_last_with = keys.insert(key) && keys.len() <= KNOWN_KEYS_MAX;
            if !is_last_from && !is_last_with {
                stale.push(nr);
            }
        }
        for nr in stale {
            self.run("DELETE FROM login WHERE nr = ?1", [nr])?;
        }
        Ok(())
    }

    fn locked_out(&self, name: Name, from: Option<IpAddr>, until: WallTime) -> Applied {
        self.run(
            "INSERT OR REPLACE INTO lockout (name, source, address, until) VALUES (?1, ?2, ?3, ?4)",
            params![
                name.as_str(),
                from.map(source).unwrap_or_default(),
                from.map(|from| from.to_string()).unwrap_or_default(),
                until.0.cast_signed(),
            ],
        )?;
        let first = self.0.last_insert_rowid() - bound(LOCKOUT_ENTRIES_MAX);
        self.run("DELETE FROM lockout WHERE nr <= ?1", [first])
    }

    fn blocked(&self, by: Name, user: Name) -> Applied {
        let both = params![by.as_str(), user.as_str()];
        self.run(
            "INSERT OR IGNORE INTO blacklist (owner, blocked) VALUES (?1, ?2)",
            both,
        )?;
        self.run("DELETE FROM mailbox WHERE owner = ?1 AND sender = ?2", both)?;
        self.run(
            "UPDATE question SET state = ?3 WHERE asked = ?1 AND asker = ?2",
            params![by.as_str(), user.as_str(), HIDDEN],
        )
    }

    fn notice(&self, to: Name, subject: &Subject, push: &Push) -> Applied {
        if *subject != Subject::Server {
            self.told(to, subject)?;
        }
        let (number, about) = subject_columns(subject);
        self.run(
            "INSERT INTO notice (owner, subject, about, push) VALUES (?1, ?2, ?3, ?4)",
            params![to.as_str(), number, about, encode(push)],
        )?;
        self.run(
            "DELETE FROM notice WHERE nr IN
             (SELECT nr FROM notice WHERE owner = ?1 ORDER BY nr DESC LIMIT -1 OFFSET ?2)",
            params![to.as_str(), bound(NOTICES_MAX)],
        )
    }

    fn told(&self, to: Name, subject: &Subject) -> Applied {
        let (number, about) = subject_columns(subject);
        self.run(
            "DELETE FROM notice WHERE owner = ?1 AND subject = ?2 AND about = ?3",
            params![to.as_str(), number, about],
        )
    }

    /// Of the account that was. What is between it and others ends by records of its own.
    fn removed(&self, user: Name) -> Applied {
        for sql in [
            "DELETE FROM mailbox WHERE owner = ?1",
            "DELETE FROM expired WHERE author = ?1",
            "DELETE FROM login WHERE user = ?1",
            "DELETE FROM intake WHERE user = ?1",
            "DELETE FROM blacklist WHERE owner = ?1",
            "DELETE FROM notice WHERE owner = ?1",
            "INSERT OR REPLACE INTO removed (user) VALUES (?1)",
        ] {
            self.run(sql, params![user.as_str()])?;
        }
        let first = self.0.last_insert_rowid() - REMOVED_MAX;
        self.run("DELETE FROM removed WHERE nr <= ?1", [first])
    }
}
