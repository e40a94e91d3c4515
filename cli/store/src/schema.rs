//! The tables, and how a database of an earlier version becomes one of this version.
//!
//! The version is SQLite's `user_version`, counted from 1; the application id tells our databases from others.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::copy;
use crate::error::{StoreError, Trouble};

/// "SChT".
const APPLICATION_ID: i64 = 0x5343_6854;

/// What leads from each version to the next; the first one to version 1.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("v1.sql"),
    include_str!("v2.sql"),
    include_str!("v3.sql"),
];

/// What a database says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// There is nothing in it.
    Empty,
    /// It is ours, of this version.
    Version(usize),
}

/// Looks at a database without changing it.
pub(crate) fn stage(connection: &Connection, known: usize) -> Result<Stage, Trouble> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (id, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (id, usize::try_from(version)) {
        (0, Ok(0)) if tables == 0 => Ok(Stage::Empty),
        (APPLICATION_ID, Ok(version)) if (1..=known).contains(&version) => {
            Ok(Stage::Version(version))
        }
        (APPLICATION_ID, _) => Err(Trouble::Version {
            found: version,
            known,
        }),
        _ => Err(Trouble::Foreign),
    }
}

/// Makes a database one of the last version. One that holds something is copied first.
pub(crate) fn migrate(
    connection: &mut Connection,
    path: &Path,
    migrations: &[&str],
) -> Result<(), StoreError> {
    let trouble = |trouble: Trouble| trouble.at(path);
    let from = match stage(connection, migrations.len()).map_err(trouble)? {
        Stage::Empty => 0,
        Stage::Version(version) => version,
    };
    if from == migrations.len() {
        return Ok(());
    }
    if from > 0 {
        let name = format!("{}.version-{from}", path.display());
        copy::back_up(connection, path, Path::new(&name))?;
    }
    run(connection, from, migrations).map_err(|error| trouble(error.into()))
}

fn run(connection: &mut Connection, from: usize, migrations: &[&str]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in migrations.iter().skip(from) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    mark(&transaction, migrations.len())?;
    transaction.commit()
}

/// Writes down which version this is.
pub(crate) fn mark(connection: &Connection, version: usize) -> rusqlite::Result<()> {
    let version = i64::try_from(version).unwrap_or(i64::MAX);
    connection.pragma_update(None, "user_version", version)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    fn file(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("simplechat-{name}-{}", std::process::id()));
        for end in ["", ".version-1"] {
            let _ = fs::remove_file(format!("{}{end}", path.display()));
        }
        path
    }

    fn column(connection: &Connection) -> rusqlite::Result<i64> {
        connection.query_row("SELECT it FROM t", [], |row| row.get(0))
    }

    const FIRST: &str = "CREATE TABLE t (it); INSERT INTO t VALUES (1);";

    #[test]
    fn each_version_leads_to_the_next_and_leaves_a_copy() {
        let path = file("migrated");
        let mut connection = Connection::open(&path).unwrap();
        migrate(&mut connection, &path, &[FIRST]).unwrap();
        assert_eq!(stage(&connection, 1).unwrap(), Stage::Version(1));
        let second = "UPDATE t SET it = 2;";
        migrate(&mut connection, &path, &[FIRST, second]).unwrap();
        assert_eq!(stage(&connection, 2).unwrap(), Stage::Version(2));
        assert_eq!(column(&connection).unwrap(), 2);
        let copy = format!("{}.version-1", path.display());
        assert_eq!(column(&Connection::open(&copy).unwrap()).unwrap(), 1);
        for file in [path, copy.into()] {
            fs::remove_file(file).unwrap();
        }
    }

    #[test]
    fn one_that_fails_changes_nothing() {
        let path = file("not-migrated");
        let mut connection = Connection::open(&path).unwrap();
        migrate(&mut connection, &path, &[FIRST]).unwrap();
        let wrong = "UPDATE t SET it = 2; UPDATE nowhere SET it = 2;";
        migrate(&mut connection, &path, &[FIRST, wrong]).unwrap_err();
        assert_eq!(stage(&connection, 2).unwrap(), Stage::Version(1));
        assert_eq!(column(&connection).unwrap(), 1);
        for end in ["", ".version-1"] {
            fs::remove_file(format!("{}{end}", path.display())).unwrap();
        }
    }
}
