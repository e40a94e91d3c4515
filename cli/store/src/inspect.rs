//! Looking at a store, also while a server works with it: whether it is sound, how much there is of what, and a copy of it.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use simplechat_core::name::Name;

use crate::columns::{name, number};
use crate::error::{StoreError, Trouble};
use crate::schema::SERVER;
use crate::{FILE, copy, load, open};

/// How much is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Bytes of the database.
    pub bytes: u64,
    /// How many of them hold nothing.
    pub free_bytes: u64,
    /// Of each user for whom messages are kept or who has logged in.
    pub users: BTreeMap<Name, UserStats>,
    /// Introductions in force.
    pub introductions: u64,
    /// Open questions for an address.
    pub questions: u64,
    /// Names that were locked out, each with a place that they were locked out from.
    pub lockouts: u64,
}

/// How much is kept for a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UserStats {
    /// Messages in the mailbox.
    pub messages: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Names in the blacklist.
    pub blocked: u64,
    /// What the user's client has not been told.
    pub notices: u64,
}

/// Whether a directory's store is sound: every page of it, and what every row says.
///
/// # Errors
///
/// What is wrong with it first.
pub fn check(directory: &Path) -> Result<(), StoreError> {
    let path = directory.join(FILE);
    let connection = open::to_inspect(&path, &SERVER)?;
    sound(&connection)
        .and_then(|()| load::each(&connection, drop))
        .map_err(|trouble| trouble.at(&path))
}

/// Whether every page of a database is as it should be.
pub(crate) fn sound(connection: &Connection) -> Result<(), Trouble> {
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(Trouble::Damaged(found));
    }
    Ok(())
}

/// Copies a directory's store, as it is at this moment, into a new file.
///
/// # Errors
///
/// When there is no store, there is such a file, or a disk fails.
pub fn back_up(directory: &Path, to: &Path) -> Result<(), StoreError> {
    let path = directory.join(FILE);
    copy::back_up(&open::to_inspect(&path, &SERVER)?, &path, to)
}

/// How much a directory's store holds.
///
/// # Errors
///
/// When there is no store, or it cannot be read.
pub fn stats(directory: &Path) -> Result<Stats, StoreError> {
    let path = directory.join(FILE);
    let connection = open::to_inspect(&path, &SERVER)?;
    count(&connection).map_err(|trouble| trouble.at(&path))
}

fn count(connection: &Connection) -> Result<Stats, Trouble> {
    // All of it as of one moment.
    let connection = connection.unchecked_transaction()?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let page = pragma("page_size")?;
    let pages = |count: i64| u64::try_from(count.saturating_mul(page)).unwrap_or(0);
    let rows = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        connection.query_row(&sql, [], |row| row.get::<_, i64>(0))
    };
    let rows = |table| rows(table).map(|count| u64::try_from(count).unwrap_or(0));
    Ok(Stats {
        bytes: pages(pragma("page_count")?),
        free_bytes: pages(pragma("freelist_count")?),
        users: users(&connection)?,
        introductions: rows("introduction")?,
        questions: rows("question")?,
        lockouts: rows("lockout")?,
    })
}

fn users(connection: &Connection) -> Result<BTreeMap<Name, UserStats>, Trouble> {
    const USERS: &str =
        "SELECT user, sum(messages) AS messages, sum(bytes) AS bytes, sum(blocked) AS blocked, \
         sum(notices) AS notices FROM (
            SELECT user, 0 AS messages, 0 AS bytes, 0 AS blocked, 0 AS notices FROM login
            UNION ALL SELECT owner, 1, length(message), 0, 0 FROM mailbox
            UNION ALL SELECT owner, 0, 0, 1, 0 FROM blacklist
            UNION ALL SELECT owner, 0, 0, 0, 1 FROM notice
         ) GROUP BY user";
    let mut select = connection.prepare(USERS)?;
    let mut rows = select.query([])?;
    let mut users = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let stats = UserStats {
            messages: number(row, "messages")?,
            bytes: number(row, "bytes")?,
            blocked: number(row, "blocked")?,
            notices: number(row, "notices")?,
        };
        users.insert(name(row, "user", "login")?, stats);
    }
    Ok(users)
}
