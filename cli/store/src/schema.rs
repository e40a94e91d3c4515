//! The tables, and how a database of an earlier version becomes one of this version.
//!
//! The version is SQLite's `user_version`, counted from 1; the application id tells our databases from others.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::copy;
use crate::error::{StoreError, Trouble};

/// The databases of one kind: what they say that they are, and what leads from each version to the next; the first one to
/// version 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema {
    pub(crate) application_id: i64,
    pub(crate) migrations: &'static [&'static str],
}

/// "SChT".
pub(crate) const SERVER: Schema = Schema {
    application_id: 0x5343_6854,
    migrations: &[
        include_str!("v1.sql"),
        include_str!("v2.sql"),
        include_str!("v3.sql"),
        include_str!("v4.sql"),
    ],
};

/// What a database says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// There is nothing in it.
    Empty,
    /// It is ours, of this version.
    Version(usize),
}

impl Schema {
    /// Looks at a database without changing it.
    pub(crate) fn stage(&self, connection: &Connection) -> Result<Stage, Trouble> {
        let number =
            |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let (id, version) = (number("application_id")?, number("user_version")?);
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let known = self.migrations.len();
        match usize::try_from(version) {
            Ok(0) if id == 0 && tables == 0 => Ok(Stage::Empty),
            Ok(version) if id == self.application_id && (1..=known).contains(&version) => {
                Ok(Stage::Version(version))
            }
            _ if id == self.application_id => Err(Trouble::Version {
                found: version,
                known,
            }),
            _ => Err(Trouble::Foreign),
        }
    }

    /// Writes down that this is the last version.
    pub(crate) fn mark(&self, connection: &Connection) -> rusqlite::Result<()> {
        let version = i64::try_from(self.migrations.len()).unwrap_or(i64::MAX);
        connection.pragma_update(None, "user_version", version)
    }
}

/// Makes a database one of the last version. One that holds something is copied first.
pub(crate) fn migrate(
    connection: &mut Connection,
    path: &Path,
    schema: &Schema,
) -> Result<(), StoreError> {
    let trouble = |trouble: Trouble| trouble.at(path);
    let from = match schema.stage(connection).map_err(trouble)? {
        Stage::Empty => 0,
        Stage::Version(version) => version,
    };
    if from == schema.migrations.len() {
        return Ok(());
    }
    if from > 0 {
        let name = format!("{}.version-{from}", path.display());
        copy::back_up(connection, path, Path::new(&name))?;
    }
    run(connection, from, schema).map_err(|error| trouble(error.into()))
}

fn run(connection: &mut Connection, from: usize, schema: &Schema) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in schema.migrations.iter().skip(from) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", schema.application_id)?;
    schema.mark(&transaction)?;
    transaction.commit()
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

    fn schema(migrations: &'static [&'static str]) -> Schema {
        Schema {
            application_id: 7,
            migrations,
        }
    }

    const SECOND: &str = "UPDATE t SET it = 2;";
    const WRONG: &str = "UPDATE t SET it = 2; UPDATE nowhere SET it = 2;";
    const FIRST: &str = "CREATE TABLE t (it); INSERT INTO t VALUES (1);";

    #[test]
    fn each_version_leads_to_the_next_and_leaves_a_copy() {
        let path = file("migrated");
        let mut connection = Connection::open(&path).unwrap();
        let (old, new) = (schema(&[FIRST]), schema(&[FIRST, SECOND]));
        migrate(&mut connection, &path, &old).unwrap();
        assert_eq!(old.stage(&connection).unwrap(), Stage::Version(1));
        migrate(&mut connection, &path, &new).unwrap();
        assert_eq!(new.stage(&connection).unwrap(), Stage::Version(2));
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
        migrate(&mut connection, &path, &schema(&[FIRST])).unwrap();
        let new = schema(&[FIRST, WRONG]);
        migrate(&mut connection, &path, &new).unwrap_err();
        assert_eq!(new.stage(&connection).unwrap(), Stage::Version(1));
        assert_eq!(column(&connection).unwrap(), 1);
        for end in ["", ".version-1"] {
            fs::remove_file(format!("{}{end}", path.display())).unwrap();
        }
    }
}
