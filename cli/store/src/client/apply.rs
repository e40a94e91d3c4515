//! What each record changes in the tables, and what goes into the history with it.

use rusqlite::{OptionalExtension as _, Transaction, params};
use simplechat_core::client::event::{Event, MessageEvent};
use simplechat_core::client::record::{self, Record};
use simplechat_core::id::{InstanceId, Seq};
use simplechat_core::key::PublicKey;
use simplechat_core::limits::{CONSENTS_MAX, MET_MAX, SHOWN_MAX};
use simplechat_core::name::Name;
use simplechat_core::time::WallTime;
use simplechat_core::wire::item::encode;
use simplechat_core::wire::peer::{PeerPush, PrivateMessage};
use simplechat_core::wire::push::Audience;
use simplechat_core::wire::request::{Operation, Outcome, Request};

use super::message::{
    self, Conversation, DELIVERED, EXPIRED, GIVEN_UP, NOBODY, PRIVATE, Route, STORED, WAITING,
};
use super::{Kept, load};
use crate::columns::{bound, term_number};

type Applied = rusqlite::Result<()>;

/// The tables, within a transaction.
pub(super) struct Tables<'a>(pub(super) &'a Transaction<'a>);

/// A message on its way into the history.
struct Entry<'a> {
    conversation: Conversation,
    author: &'a str,
    route: Route,
    at: WallTime,
    text: &'a str,
    /// Of the user's own, its number.
    seq: Option<Seq>,
}

impl Tables<'_> {
    pub(super) fn keep(&self, kept: &Kept<'_>) -> Applied {
        kept.records
            .iter()
            .try_for_each(|record| self.apply(record))?;
        kept.shown
            .iter()
            .try_for_each(|event| self.shown_event(event))
    }

    fn apply(&self, record: &Record) -> Applied {
        match record {
            Record::Began {
                instance,
                next_wish,
                next_private,
            } => self.began(*instance, *next_wish, *next_private),
            Record::Wished { seq, operation, at } => self.wished(*seq, operation, *at),
            Record::Answered { seq, outcome } => self.answered(*seq, *outcome),
            Record::Fulfilled { seq } => self.run(
                "UPDATE outbox SET is_fulfilled = 1 WHERE seq = ?1",
                [seq.0.cast_signed()],
            ),
            Record::Delivered { seq } => self.settle_own(*seq, STORED, DELIVERED),
            Record::Expired { seq } => self.settle_own(*seq, STORED, EXPIRED),
            Record::Written { to, message } => self.written(*to, message),
            Record::Taken { by, through } => self.taken(*by, *through),
            Record::Posted { to, through, wish } => self.posted(*to, *through, *wish),
            Record::MailLost { to } => self.lose_mail(*to),
            Record::GivenUp { to } => self.given_up(*to),
            Record::Shown {
                route,
                from,
                instance,
                seq,
            } => self.shown(*route, *from, *instance, *seq),
            Record::Peer { .. } => self.peer(record),
            Record::Elsewhere { peer } => self.run(
                "UPDATE peer SET is_elsewhere = 1 WHERE name = ?1",
                [peer.as_str()],
            ),
            Record::PeerGone { peer } => {
                self.run("DELETE FROM peer WHERE name = ?1", [peer.as_str()])?;
                self.lose_mail(*peer)
            }
            Record::Met { peer, key } => self.met(*peer, *key),
            Record::Verified { peer, key } => self.verified(*peer, *key),
            Record::Consented {
                to,
                introductions,
                until,
            } => self.consented(*to, *introductions, *until),
        }
    }

    fn run(&self, sql: &str, values: impl rusqlite::Params) -> Applied {
        self.changes(sql, values).map(drop)
    }

    fn changes(&self, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.0.prepare_cached(sql)?.execute(values)
    }

    fn began(&self, instance: InstanceId, next_wish: Seq, next_private: Seq) -> Applied {
        self.run(
            "INSERT OR REPLACE INTO client (id, instance, next_wish, next_private) VALUES (1, ?1, ?2, ?3)",
            params![
                instance.0,
                next_wish.0.cast_signed(),
                next_private.0.cast_signed()
            ],
        )
    }

    fn wished(&self, seq: Seq, operation: &Operation, at: WallTime) -> Applied {
        // No client counts that far.
        let Ok(number) = i64::try_from(seq.0) else {
            return Ok(());
        };
        let operation_of = |operation| Request::Submit { seq, operation };
        self.run(
            "INSERT OR REPLACE INTO outbox (seq, at, wish) VALUES (?1, ?2, ?3)",
            params![
                number,
                at.0.cast_signed(),
                encode(&operation_of(operation.clone()))
            ],
        )?;
        self.run(
            "UPDATE client SET next_wish = max(next_wish, ?1 + 1)",
            [number],
        )?;
        let (conversation, route, text) = match operation {
            Operation::Message { to, text } => (Conversation::With(*to), Route::Server, text),
            Operation::Broadcast { text } => (Conversation::Everyone, Route::Broadcast, text),
            Operation::Block { .. }
            | Operation::Unblock { .. }
            | Operation::GetAddress { .. }
            | Operation::Accept { .. }
            | Operation::Deny { .. }
            | Operation::RemoveAddress { .. }
            | Operation::Mail { .. }
            | Operation::Skip => return Ok(()),
        };
        self.enter(&Entry {
            conversation,
            author: NOBODY,
            route,
            at,
            text: text.as_str(),
            seq: Some(seq),
        })
    }

    fn answered(&self, seq: Seq, outcome: Outcome) -> Applied {
        self.run("DELETE FROM outbox WHERE seq = ?1", [seq.0.cast_signed()])?;
        self.mail_answered(seq, outcome)?;
        let (state, outcome) = message::answered(seq, outcome);
        self.run(
            "UPDATE message SET state = ?2, outcome = ?3 WHERE seq = ?1 AND route <> ?4 AND state = ?5",
            params![seq.0.cast_signed(), state, outcome, PRIVATE, WAITING],
        )
    }

    /// If it was a mail, the server keeps what is in it, or nothing from there on.
    fn mail_answered(&self, wish: Seq, outcome: Outcome) -> Applied {
        let wish = wish.0.cast_signed();
        if let Outcome::Refused(_) = outcome {
            return self.run(
                "DELETE FROM mail WHERE wish >= ?1 AND peer = (SELECT peer FROM mail WHERE wish = ?1)",
                [wish],
            );
        }
        self.run(
            "UPDATE message SET state = ?2 WHERE route = ?3 AND state = ?4 AND seq IN
             (SELECT waiting.seq FROM mail JOIN waiting USING (peer) WHERE wish = ?1 AND seq <= through)",
            params![wish, STORED, PRIVATE, WAITING],
        )
    }

    fn posted(&self, to: Name, through: Seq, wish: Seq) -> Applied {
        let (Ok(wish), Ok(through)) = (i64::try_from(wish.0), i64::try_from(through.0)) else {
            return Ok(());
        };
        self.run(
            "INSERT OR REPLACE INTO mail (wish, peer, through) SELECT ?1, ?2, ?3
             WHERE ?2 IN (SELECT name FROM peer)",
            params![wish, to.as_str(), through],
        )
    }

    /// What was in mails for a peer is only here.
    fn lose_mail(&self, to: Name) -> Applied {
        self.run("DELETE FROM mail WHERE peer = ?1", [to.as_str()])?;
        self.run(
            "UPDATE message SET state = ?2 WHERE route = ?3 AND state = ?4 AND seq IN
             (SELECT seq FROM waiting WHERE peer = ?1)",
            params![to.as_str(), WAITING, PRIVATE, STORED],
        )
    }

    /// What went through the server and stands so, stands so from now on.
    fn settle_own(&self, seq: Seq, from: i64, to: i64) -> Applied {
        self.run(
            "UPDATE message SET state = ?3 WHERE seq = ?1 AND route <> ?4 AND state = ?2",
            params![seq.0.cast_signed(), from, to, PRIVATE],
        )
    }

    fn written(&self, to: Name, message: &PrivateMessage) -> Applied {
        let Ok(number) = i64::try_from(message.seq.0) else {
            return Ok(());
        };
        self.run(
            "INSERT OR REPLACE INTO waiting (seq, peer, message) VALUES (?1, ?2, ?3)",
            params![
                number,
                to.as_str(),
                encode(&PeerPush::Private(message.clone()))
            ],
        )?;
        self.run(
            "UPDATE client SET next_private = max(next_private, ?1 + 1)",
            [number],
        )?;
        self.enter(&Entry {
            conversation: Conversation::With(to),
            author: NOBODY,
            route: Route::Private(load::OWN),
            at: message.sent,
            text: message.text.as_str(),
            seq: Some(message.seq),
        })
    }

    fn taken(&self, by: Name, through: Seq) -> Applied {
        const TAKEN: &str = "peer = ?1 AND seq <= ?2 AND peer IN (SELECT name FROM peer)";
        let through = i64::try_from(through.0).unwrap_or(i64::MAX);
        self.run(
            &format!(
                "UPDATE message SET state = ?3 WHERE route = ?4 AND state IN (?5, ?6) AND seq IN
                 (SELECT seq FROM waiting WHERE {TAKEN})"
            ),
            params![by.as_str(), through, DELIVERED, PRIVATE, WAITING, STORED],
        )?;
        self.run(
            &format!("DELETE FROM waiting WHERE {TAKEN}"),
            params![by.as_str(), through],
        )?;
        self.run(
            "DELETE FROM mail WHERE peer = ?1 AND through <= ?2",
            params![by.as_str(), through],
        )
    }

    fn given_up(&self, to: Name) -> Applied {
        self.run(
            "UPDATE message SET state = ?2 WHERE route = ?3 AND state IN (?4, ?5) AND seq IN
             (SELECT seq FROM waiting WHERE peer = ?1)",
            params![to.as_str(), GIVEN_UP, PRIVATE, WAITING, STORED],
        )?;
        self.lose_mail(to)?;
        self.run("DELETE FROM waiting WHERE peer = ?1", [to.as_str()])
    }

    fn shown(&self, route: record::Route, from: Name, instance: InstanceId, seq: Seq) -> Applied {
        let key = params![load::route_number(route), from.as_str(), instance.0];
        let highest: Option<i64> = self
            .0
            .prepare_cached(
                "SELECT seq FROM shown WHERE route = ?1 AND author = ?2 AND instance = ?3",
            )?
            .query_row(key, |row| row.get(0))
            .optional()?;
        // Numbers are others', and as high as they like.
        let seq = seq.0.max(highest.unwrap_or(0).cast_unsigned());
        self.run(
            "INSERT OR REPLACE INTO shown (nr, route, author, instance, seq)
             VALUES ((SELECT coalesce(max(nr), 0) + 1 FROM shown), ?1, ?2, ?3, ?4)",
            params![
                load::route_number(route),
                from.as_str(),
                instance.0,
                seq.cast_signed()
            ],
        )?;
        match highest {
            Some(_) => Ok(()),
            None => self.prune("shown", SHOWN_MAX),
        }
    }

    /// Forgets all but the last rows of a table.
    fn prune(&self, table: &str, rows_max: usize) -> Applied {
        let sql = format!(
            "DELETE FROM {table} WHERE nr IN (SELECT nr FROM {table} ORDER BY nr DESC LIMIT -1 OFFSET ?1)"
        );
        self.run(&sql, [bound(rows_max)])
    }

    fn peer(&self, record: &Record) -> Applied {
        let Record::Peer {
            peer,
            introduction,
            key,
            candidates,
            term,
        } = record
        else {
            return Ok(());
        };
        let candidates: Vec<_> = candidates.iter().map(ToString::to_string).collect();
        let is_another = "SELECT 1 FROM peer WHERE name = ?1 AND introduction <> ?2";
        let known = params![peer.as_str(), introduction.0];
        if self.0.prepare_cached(is_another)?.exists(known)? {
            self.lose_mail(*peer)?;
        }
        // Of the same introduction only the addresses can be others.
        self.run(
            "INSERT INTO peer (name, introduction, key, candidates, term) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (name) DO UPDATE SET
                 key = iif(introduction = ?2, key, ?3),
                 term = iif(introduction = ?2, term, ?5),
                 is_elsewhere = iif(introduction = ?2, is_elsewhere, 0),
                 introduction = ?2, candidates = ?4",
            params![
                peer.as_str(),
                introduction.0,
                key.0,
                candidates.join(" "),
                term_number(*term)
            ],
        )
    }

    fn met(&self, peer: Name, key: PublicKey) -> Applied {
        self.run("DELETE FROM verified WHERE name = ?1", [peer.as_str()])?;
        self.run(
            "INSERT OR REPLACE INTO met (nr, name, key)
             VALUES ((SELECT coalesce(max(nr), 0) + 1 FROM met), ?1, ?2)",
            params![peer.as_str(), key.0],
        )?;
        self.prune("met", MET_MAX)
    }

    fn verified(&self, peer: Name, key: PublicKey) -> Applied {
        self.run(
            "INSERT OR REPLACE INTO verified (name, key) VALUES (?1, ?2)",
            params![peer.as_str(), key.0],
        )?;
        self.run("DELETE FROM met WHERE name = ?1", [peer.as_str()])
    }

    fn consented(&self, to: Name, introductions: u32, until: WallTime) -> Applied {
        if introductions == 0 {
            return self.run("DELETE FROM consent WHERE name = ?1", [to.as_str()]);
        }
        self.run(
            "INSERT OR REPLACE INTO consent (nr, name, introductions, until)
             VALUES ((SELECT coalesce(max(nr), 0) + 1 FROM consent), ?1, ?2, ?3)",
            params![to.as_str(), introductions, until.0.cast_signed()],
        )?;
        self.prune("consent", CONSENTS_MAX)
    }

    /// What others wrote goes into the history when it is shown.
    fn shown_event(&self, event: &Event) -> Applied {
        let Event::Message(event) = event else {
            return Ok(());
        };
        match event {
            MessageEvent::Message {
                from,
                sent,
                audience,
                text,
            } => {
                let (conversation, route) = match audience {
                    Audience::You => (Conversation::With(*from), Route::Server),
                    Audience::Everyone => (Conversation::Everyone, Route::Broadcast),
                };
                self.enter(&Entry {
                    conversation,
                    author: from.as_str(),
                    route,
                    at: *sent,
                    text: text.as_str(),
                    seq: None,
                })
            }
            MessageEvent::Private {
                from,
                sent,
                verification,
                text,
            } => self.enter(&Entry {
                conversation: Conversation::With(*from),
                author: from.as_str(),
                route: Route::Private(*verification),
                at: *sent,
                text: text.as_str(),
                seq: None,
            }),
            MessageEvent::KeptStart { .. }
            | MessageEvent::KeptEnd
            | MessageEvent::Waiting { .. }
            | MessageEvent::PrivateDelivered { .. }
            | MessageEvent::PrivateWaiting { .. }
            | MessageEvent::PrivateStored { .. }
            | MessageEvent::MailUnreadable { .. }
            | MessageEvent::Delivered { .. }
            | MessageEvent::Expired { .. }
            | MessageEvent::Undelivered { .. } => Ok(()),
        }
    }

    fn enter(&self, entry: &Entry<'_>) -> Applied {
        let number = entry.seq.map(|seq| seq.0.cast_signed());
        self.run(
            "INSERT INTO message (conversation, author, route, at, text, seq, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                entry.conversation.column(),
                entry.author,
                entry.route.column(),
                entry.at.0.cast_signed(),
                entry.text,
                number,
                number.map(|_| WAITING),
            ],
        )?;
        self.run(
            "INSERT INTO word (rowid, text) VALUES (?1, ?2)",
            params![self.0.last_insert_rowid(), entry.text],
        )
    }

    /// The user has seen everything up to a message.
    pub(super) fn seen(&self, through: i64) -> Applied {
        self.run(
            "INSERT OR REPLACE INTO seen (conversation, through)
             SELECT DISTINCT conversation, ?1 FROM message
             WHERE nr > (SELECT coalesce(max(through), 0) FROM seen) AND nr <= ?1",
            [through],
        )
    }
}
