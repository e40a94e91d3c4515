//! Reading the history: its end, all of it, and what was searched for.

use rusqlite::{Connection, Params, params};
use simplechat_core::name::Name;
use simplechat_core::time::WallTime;

use super::Store;
use super::message::{Author, Message, message};
use crate::StoreError;
use crate::columns::bound;
use crate::error::Trouble;

/// The end of a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recent {
    /// The last messages, in order; there is one at least.
    pub messages: Vec<Message>,
    /// With so many at the end of these begins what the user has not seen.
    pub unseen: usize,
}

/// What to look for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    /// Words, or how they begin, all of which have to be in a message.
    pub words: String,
    /// Only in what was written to or by this user.
    pub user: Option<Name>,
    /// Only in what is not older.
    pub since: Option<WallTime>,
}

/// A message that was found, with what stands around it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The one before it in its conversation.
    pub before: Option<Message>,
    /// The message.
    pub message: Message,
    /// The one after it.
    pub after: Option<Message>,
}

const OF_USER: &str = "(?1 IS NULL OR conversation = ?1 OR author = ?1)";

impl Store {
    /// The ends of the conversations with the last messages, the one with the last of all at the end.
    ///
    /// # Errors
    ///
    /// When something in it makes no sense, or the disk fails.
    pub fn recent(&self, conversations: usize, messages: usize) -> Result<Vec<Recent>, StoreError> {
        let recent = recent(&self.database.connection, conversations, messages);
        recent.map_err(|trouble| self.database.trouble(trouble))
    }

    /// The last messages, in order: all, or those to and by a user.
    ///
    /// # Errors
    ///
    /// As [`Self::recent`].
    pub fn history(&self, user: Option<Name>, messages: usize) -> Result<Vec<Message>, StoreError> {
        let last = || -> Result<Vec<Message>, Trouble> {
            let sql = format!("SELECT * FROM message WHERE {OF_USER} ORDER BY nr DESC LIMIT ?2");
            let values = params![user.as_ref().map(Name::as_str), bound(messages)];
            let mut last = select(&self.database.connection, &sql, values)?;
            last.reverse();
            Ok(last)
        };
        last().map_err(|trouble| self.database.trouble(trouble))
    }

    /// Hands out all messages in order, or those to and by a user, until `take` fails. Gives how many there were.
    ///
    /// # Errors
    ///
    /// As [`Self::recent`]; what `take` fails with is in the inner result.
    pub fn export<E>(
        &self,
        user: Option<Name>,
        mut take: impl FnMut(&Message) -> Result<(), E>,
    ) -> Result<Result<u64, E>, StoreError> {
        let connection = &self.database.connection;
        let mut export = || -> Result<Result<u64, E>, Trouble> {
            let sql = format!("SELECT * FROM message WHERE {OF_USER} ORDER BY nr");
            let mut all = connection.prepare(&sql)?;
            let mut rows = all.query([user.as_ref().map(Name::as_str)])?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                if let Err(error) = take(&message(row)?) {
                    return Ok(Err(error));
                }
                count += 1;
            }
            Ok(Ok(count))
        };
        export().map_err(|trouble| self.database.trouble(trouble))
    }

    /// The last messages that hold what is looked for, the newest first.
    ///
    /// # Errors
    ///
    /// As [`Self::recent`].
    pub fn search(&self, search: &Search, messages: usize) -> Result<Vec<Found>, StoreError> {
        let found = find(&self.database.connection, search, messages);
        found.map_err(|trouble| self.database.trouble(trouble))
    }
}

/// Reads every message, to see whether it makes sense.
pub(super) fn read_all(connection: &Connection) -> Result<(), Trouble> {
    let mut all = connection.prepare("SELECT * FROM message")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        message(row)?;
    }
    Ok(())
}

/// The number of the last message.
pub(super) fn last_number(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT max(nr) FROM message")?
        .query_row([], |row| row.get(0))
}

fn select(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<Vec<Message>, Trouble> {
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(values)?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        messages.push(message(row)?);
    }
    Ok(messages)
}

fn recent(
    connection: &Connection,
    conversations: usize,
    messages: usize,
) -> Result<Vec<Recent>, Trouble> {
    // From one conversation to the next in the index, not through all messages.
    const LATEST: &str = "WITH RECURSIVE each (name) AS (
            SELECT min(conversation) FROM message
            UNION ALL
            SELECT (SELECT min(conversation) FROM message WHERE conversation > name) FROM each
            WHERE name IS NOT NULL
        )
        SELECT name, coalesce(through, 0) FROM each LEFT JOIN seen ON conversation = name
        WHERE name IS NOT NULL
        ORDER BY (SELECT max(nr) FROM message WHERE conversation = name) DESC LIMIT ?1";
    let mut latest = connection.prepare(LATEST)?;
    let mut rows = latest.query([bound(conversations)])?;
    let mut recent = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, seen): (String, i64) = (row.get(0)?, row.get(1)?);
        let mut messages = select(
            connection,
            "SELECT * FROM message WHERE conversation = ?1 ORDER BY nr DESC LIMIT ?2",
            params![name, bound(messages)],
        )?;
        messages.reverse();
        let is_unseen =
            |message: &Message| message.nr > seen && matches!(message.author, Author::Other(_));
        recent.push(Recent {
            unseen: messages
                .iter()
                .position(is_unseen)
                .map_or(0, |first| messages.len() - first),
            messages,
        });
    }
    recent.reverse();
    Ok(recent)
}

fn find(connection: &Connection, search: &Search, messages: usize) -> Result<Vec<Found>, Trouble> {
    let words = all_of(&search.words);
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT message.* FROM word JOIN message ON nr = word.rowid
         WHERE word MATCH ?3 AND {OF_USER} AND (?4 IS NULL OR at >= ?4)
         ORDER BY word.rowid DESC LIMIT ?2"
    );
    let values = params![
        search.user.as_ref().map(Name::as_str),
        bound(messages),
        words,
        search.since.map(|since| since.0.cast_signed()),
    ];
    let found = select(connection, &sql, values)?;
    let around = |message: Message| -> Result<Found, Trouble> {
        let neighbour = |sql| {
            let values = params![message.conversation.column(), message.nr];
            Ok::<_, Trouble>(select(connection, sql, values)?.pop())
        };
        Ok(Found {
            before: neighbour(
                "SELECT * FROM message WHERE conversation = ?1 AND nr < ?2 ORDER BY nr DESC LIMIT 1",
            )?,
            after: neighbour(
                "SELECT * FROM message WHERE conversation = ?1 AND nr > ?2 ORDER BY nr LIMIT 1",
            )?,
            message,
        })
    };
    found.into_iter().map(around).collect()
}

/// What the index is asked for: all these words, or how they begin. Nothing in them is taken for more.
fn all_of(words: &str) -> String {
    let quoted = words
        .split(|c: char| c.is_whitespace() || c == '\0')
        .filter(|word| !word.is_empty())
        .map(|word| format!("\"{}\"*", word.replace('"', "\"\"")));
    quoted.collect::<Vec<_>>().join(" ")
}
