//! Forgetting parts of the history: it is gone from the file, with its words.
//!
//! What still waits to be sent stays until it is sent or given up.

use rusqlite::{OptionalExtension as _, ToSql, Transaction, params};
use simplechat_core::name::Name;
use simplechat_core::time::WallTime;

use super::Store;
use super::message::WAITING;
use crate::StoreError;

/// When the history is too large, so much of it is erased at a time: a tenth.
const OLDEST_PART: i64 = 10;

/// What is to be forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forgotten {
    /// What was written to and by somebody.
    User(Name),
    /// What is older.
    Before(WallTime),
    /// All of it.
    All,
}

impl Store {
    /// Erases a part of the history, and gives how many messages that were.
    ///
    /// # Errors
    ///
    /// When the disk fails. Then it may still be in the file.
    pub fn forget(&mut self, what: Forgotten) -> Result<usize, StoreError> {
        let count = self
            .database
            .write(|transaction| forget(transaction, what))?;
        // What was written before is in the log of it until that is put in its place.
        self.database.tidy_all()?;
        Ok(count)
    }

    /// Erases the oldest messages as long as there are more bytes than that.
    pub(super) fn shrink(&mut self, bytes_max: u64) -> Result<(), StoreError> {
        while self.bytes()? > bytes_max {
            if self.database.write(erase_oldest)? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Bytes of the database that hold something.
    fn bytes(&self) -> Result<u64, StoreError> {
        let pragma = |name| {
            self.database
                .connection
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
        };
        let bytes = || -> rusqlite::Result<i64> {
            let pages = pragma("page_count")? - pragma("freelist_count")?;
            Ok(pages.saturating_mul(pragma("page_size")?))
        };
        let bytes = bytes().map_err(|error| self.database.trouble(error))?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }
}

fn forget(transaction: &Transaction<'_>, what: Forgotten) -> rusqlite::Result<usize> {
    let all: &dyn ToSql = &None::<i64>;
    match what {
        Forgotten::User(user) => {
            let user = user.as_str();
            erase(transaction, "conversation = ?1 OR author = ?1", &user)
        }
        Forgotten::Before(time) => erase(transaction, "at < ?1", &time.0.cast_signed()),
        Forgotten::All => erase(transaction, "?1 IS NULL", all),
    }
}

fn erase_oldest(transaction: &Transaction<'_>) -> rusqlite::Result<usize> {
    let sql = "SELECT nr FROM message WHERE state IS NOT ?1 ORDER BY nr LIMIT 1 OFFSET
        (SELECT count(*) / ?2 FROM message)";
    let values = params![WAITING, OLDEST_PART];
    let last: Option<i64> = transaction
        .query_row(sql, values, |row| row.get(0))
        .optional()?;
    // When so few are left that all but these wait.
    let last = last.unwrap_or(i64::MAX);
    erase(transaction, "nr <= ?1", &last)
}

/// Erases the messages of which something is true, unless they wait.
fn erase(transaction: &Transaction<'_>, what: &str, value: &dyn ToSql) -> rusqlite::Result<usize> {
    let what = format!("state IS NOT {WAITING} AND ({what})");
    let count = format!("SELECT count(*) FROM message WHERE {what}");
    let count: i64 = transaction.query_row(&count, [value], |row| row.get(0))?;
    if count == 0 {
        return Ok(0);
    }
    rewrite(transaction, "message", &format!("NOT ({what})"), &[value])?;
    // What the user wrote has been here before it was sent.
    rewrite(transaction, "outbox", "true", &[])?;
    rewrite(transaction, "waiting", "true", &[])?;
    transaction.execute_batch(
        "INSERT INTO word (word) VALUES ('rebuild');
         DELETE FROM seen WHERE conversation NOT IN (SELECT conversation FROM message);
         UPDATE seen SET through = min(through, (SELECT coalesce(max(nr), 0) FROM message));",
    )?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Makes a table anew of some of its rows. Rows that are only deleted may have left copies in what their pages do not use; the
/// pages of a table that is dropped are overwritten as a whole.
fn rewrite(
    transaction: &Transaction<'_>,
    table: &str,
    kept: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<()> {
    let made = |kind: &str| -> rusqlite::Result<Vec<String>> {
        transaction
            .prepare(
                "SELECT sql FROM sqlite_schema WHERE tbl_name = ?1 AND type = ?2 AND sql IS NOT NULL",
            )?
            .query_map([table, kind], |row| row.get(0))?
            .collect()
    };
    let (tables, indexes) = (made("table")?, made("index")?);
    transaction.execute_batch(&format!("ALTER TABLE {table} RENAME TO forgotten"))?;
    transaction.execute_batch(&tables.join(";"))?;
    transaction.execute(
        &format!("INSERT INTO {table} SELECT * FROM forgotten WHERE {kept} ORDER BY 1"),
        values,
    )?;
    transaction.execute_batch("DROP TABLE forgotten")?;
    transaction.execute_batch(&indexes.join(";"))
}
