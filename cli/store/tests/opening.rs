//! Who may work with a store, what is done about one that cannot be used, and what a crash leaves.
#![allow(clippy::unwrap_used, clippy::missing_assert_message, reason = "a test")]

mod common;

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use proptest::prelude::*;
use simplechat_core::id::IntroductionId;
use simplechat_core::key::PublicKey;
use simplechat_core::server::record::Record;
use simplechat_core::wire::Term;
use simplechat_core::wire::item::encode;
use simplechat_core::wire::push::Push;
use simplechat_store::{FILE, Store, back_up, check, stats};

use common::{Folder, any_record, folder, kept, login, name};

fn wrong(result: Result<impl Sized, impl ToString>) -> String {
    result.map(drop).unwrap_err().to_string()
}

fn filled() -> Folder {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    let messages = (0..200).map(|place| kept("bob", place, "alice", &"x".repeat(300)));
    store.apply(&messages.collect::<Vec<_>>()).unwrap();
    store.close().unwrap();
    folder
}

#[test]
fn two_servers_never_share_a_store() {
    let folder = folder();
    let first = Store::open(folder.path()).unwrap();
    let why = wrong(Store::open(folder.path()));
    let process = format!("another server (process {})", std::process::id());
    assert!(why.contains(&process), "{why}");
    drop(first);
    Store::open(folder.path()).unwrap();
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    store.apply(&[kept("bob", 0, "alice", "hi")]).unwrap();
    let copy = folder.path().join("copy");
    back_up(folder.path(), &copy).unwrap();
    let mut files = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{entry:?}");
        files += 1;
    }
    // The database with its two companions, the lock and the copy.
    assert_eq!(files, 5);
}

#[test]
fn a_damaged_one_is_named_and_not_written_to() {
    for (place, bytes) in [(0, 16), (4_100, 100), (20_000, 9_000)] {
        let folder = filled();
        let path = folder.path().join(FILE);
        let mut file = OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(place)).unwrap();
        file.write_all(&vec![0x5a; bytes]).unwrap();
        drop(file);
        let before = fs::read(&path).unwrap();
        let why = wrong(Store::open(folder.path()));
        assert!(why.contains(FILE) && why.contains("damaged"), "{why}");
        assert!(wrong(check(folder.path())).contains("damaged"));
        assert!(fs::read(&path).unwrap() == before, "it was written to");
    }
}

#[test]
fn another_programs_database_is_left_alone() {
    let folder = folder();
    let path = folder.path().join(FILE);
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE theirs (it)").unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    assert!(wrong(Store::open(folder.path())).contains("another program's"));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn one_of_a_newer_program_is_left_alone() {
    let folder = filled();
    let path = folder.path().join(FILE);
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    newer.close().unwrap();
    let before = fs::read(&path).unwrap();
    let why = wrong(Store::open(folder.path()));
    assert!(why.contains("version 99"), "{why}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// A store as the program before had it.
#[test]
fn one_of_an_older_program_is_taken_over_with_all_that_is_in_it() {
    let folder = folder();
    let path = folder.path().join(FILE);
    let older = rusqlite::Connection::open(&path).unwrap();
    older.execute_batch(include_str!("../src/v1.sql")).unwrap();
    older
        .pragma_update(None, "application_id", 0x5343_6854)
        .unwrap();
    older.pragma_update(None, "user_version", 1).unwrap();
    let Record::Kept { message, .. } = kept("bob", 3, "alice", "hi") else {
        unreachable!("that is what it makes");
    };
    let item = encode(&Push::Message(message));
    let insert =
        "INSERT INTO mailbox (owner, place, sender, message) VALUES ('bob', 3, 'alice', ?1)";
    older.execute(insert, [item]).unwrap();
    older
        .execute_batch("INSERT INTO removed (user) VALUES ('zoe'), ('carol')")
        .unwrap();
    older.close().unwrap();
    let expected = [
        Record::Removed {
            user: name("carol"),
        },
        Record::Removed { user: name("zoe") },
        kept("bob", 3, "alice", "hi"),
    ];
    for _ in 0..2 {
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.load().unwrap(), expected);
        store.close().unwrap();
    }
    check(folder.path()).unwrap();
    let before = rusqlite::Connection::open(format!("{}.version-1", path.display())).unwrap();
    let version = before.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    assert_eq!(version.unwrap(), 1, "the copy is as it was");
}

#[test]
fn of_very_many_removed_accounts_the_first_are_forgotten() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    let removed = |number: usize| Record::Removed {
        user: name(&format!("user{number}")),
    };
    store
        .apply(&(0..20_000).map(removed).collect::<Vec<_>>())
        .unwrap();
    let known = store.load().unwrap();
    assert_eq!(known.len(), 16_384);
    assert_eq!(known.last(), Some(&removed(19_999)));
}

#[test]
fn what_is_not_there_can_neither_be_checked_nor_copied() {
    let folder = folder();
    assert!(wrong(check(folder.path())).contains("there is none"));
    assert!(wrong(stats(folder.path())).contains("there is none"));
    assert!(wrong(back_up(folder.path(), &folder.path().join("copy"))).contains("there is none"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_copy_is_made_while_it_is_written_and_takes_the_place_of_the_original() {
    let folder = filled();
    let mut store = Store::open(folder.path()).unwrap();
    store.apply(&[login("bob", 1, 1, common::NOW)]).unwrap();
    let expected = store.load().unwrap();
    let other = common::folder();
    let copy = other.path().join(FILE);
    back_up(folder.path(), &copy).unwrap();
    assert!(wrong(back_up(folder.path(), &copy)).contains("exists"));
    store
        .apply(&[Record::Removed { user: name("bob") }])
        .unwrap();
    check(other.path()).unwrap();
    assert_eq!(Store::open(other.path()).unwrap().load().unwrap(), expected);
}

#[test]
fn it_says_how_much_is_kept_for_whom() {
    let folder = filled();
    let mut store = Store::open(folder.path()).unwrap();
    let records = [
        login("alice", 1, 1, common::NOW),
        Record::Blocked {
            by: name("alice"),
            user: name("carol"),
        },
        Record::Introduced {
            a: name("bob"),
            b: name("alice"),
            id: IntroductionId([1; 16]),
            term: Term::Lasting,
        },
    ];
    store.apply(&records).unwrap();
    let stats = stats(folder.path()).unwrap();
    assert_eq!(stats.users.len(), 2);
    let of = |user| stats.users.get(&name(user)).unwrap();
    assert_eq!((of("bob").messages, of("alice").messages), (200, 0));
    assert!(of("bob").bytes > 200 * 300 && stats.bytes > of("bob").bytes);
    assert_eq!((of("alice").blocked, stats.introductions), (1, 1));
    assert_eq!(
        store.accounts().unwrap(),
        [name("alice"), name("bob")].into()
    );
}

/// By this a server finds out whether a disk that failed is back.
#[test]
fn an_empty_batch_is_written_too() {
    let folder = filled();
    let mut store = Store::open(folder.path()).unwrap();
    let log = folder.path().join(format!("{FILE}-wal"));
    let before = fs::metadata(&log).unwrap().len();
    store.apply(&[]).unwrap();
    assert!(fs::metadata(&log).unwrap().len() > before);
}

/// Whether a text is in any file of a folder.
fn is_written(folder: &Path, text: &str) -> bool {
    let entries = fs::read_dir(folder).unwrap();
    let mut files = entries.map(|entry| fs::read(entry.unwrap().path()).unwrap());
    files.any(|bytes| {
        let mut parts = bytes.windows(text.len());
        parts.any(|part| part == text.as_bytes())
    })
}

/// Rows are moved about when others come and go beside them.
#[test]
fn nothing_that_was_delivered_is_left_between_other_rows() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    for place in 0..300 {
        for owner in ["bob", "carol", "dave"] {
            let text = format!("{}{owner} should forget this", "x".repeat(place * 37 % 900));
            let place = u64::try_from(place).unwrap();
            store.apply(&[kept(owner, place, "alice", &text)]).unwrap();
        }
        for (owner, after) in [("bob", 7), ("dave", 40)] {
            let through = u64::try_from(place / after * after).unwrap();
            let to = name(owner);
            let key = PublicKey([0; 32]);
            store.apply(&[Record::Taken { to, key, through }]).unwrap();
        }
    }
    let everything = ["bob", "dave"].map(|owner| Record::Taken {
        to: name(owner),
        key: PublicKey([0; 32]),
        through: 300,
    });
    store.apply(&everything).unwrap();
    store.tidy().unwrap();
    assert!(is_written(folder.path(), "carol should forget this"));
    for owner in ["bob", "dave"] {
        let text = format!("{owner} should forget this");
        assert!(!is_written(folder.path(), &text), "{text}");
    }
}

#[test]
fn what_was_delivered_is_in_no_file_any_more() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    let secret = "nobody should find this";
    store.apply(&[kept("bob", 0, "alice", secret)]).unwrap();
    store.tidy().unwrap();
    assert!(is_written(folder.path(), secret));
    store
        .apply(&[Record::Taken {
            to: name("bob"),
            key: PublicKey([0; 32]),
            through: 0,
        }])
        .unwrap();
    store.tidy().unwrap();
    assert!(!is_written(folder.path(), secret));
}

#[test]
fn a_file_that_was_large_becomes_small_again() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    let messages = (0..1_000).map(|place| kept("bob", place, "alice", &"x".repeat(2_000)));
    store.apply(&messages.collect::<Vec<_>>()).unwrap();
    store.tidy().unwrap();
    let size = || fs::metadata(folder.path().join(FILE)).unwrap().len();
    let before = size();
    store
        .apply(&[Record::Taken {
            to: name("bob"),
            key: PublicKey([0; 32]),
            through: 999,
        }])
        .unwrap();
    store.tidy().unwrap();
    assert!(
        before > 2_000_000 && size() < 200_000,
        "{before}, {}",
        size()
    );
}

/// Copies what a process that is killed would leave of a store, with so much of what it wrote last.
fn crashed(from: &Path, written: usize) -> Folder {
    let folder = folder();
    let log = format!("{FILE}-wal");
    fs::copy(from.join(FILE), folder.path().join(FILE)).unwrap();
    let mut bytes = Vec::new();
    fs::File::open(from.join(&log))
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    bytes.truncate(written);
    fs::write(folder.path().join(&log), bytes).unwrap();
    folder
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However much of a write a crash has let through: there are the batches up to one, and none in part.
    #[test]
    fn a_crash_leaves_the_batches_up_to_one(
        batches in prop::collection::vec(prop::collection::vec(any_record(), 1..20), 1..6),
        cuts in prop::collection::vec(0.0f64..1.0, 6),
    ) {
        let folder = folder();
        let mut store = Store::open(folder.path()).unwrap();
        store.tidy().unwrap();
        let mut lives = vec![store.load().unwrap()];
        for batch in &batches {
            store.apply(batch).unwrap();
            lives.push(store.load().unwrap());
        }
        let log = folder.path().join(format!("{FILE}-wal"));
        let length = fs::metadata(log).unwrap().len();
        for cut in cuts {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "any place will do")]
            let left = crashed(folder.path(), (cut * length as f64) as usize);
            let found = Store::open(left.path()).unwrap().load().unwrap();
            prop_assert!(lives.contains(&found));
        }
        let whole = crashed(folder.path(), usize::MAX);
        prop_assert_eq!(Store::open(whole.path()).unwrap().load().unwrap(), lives.pop().unwrap());
    }
}
