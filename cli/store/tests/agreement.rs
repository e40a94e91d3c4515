//! The store and the machine agree: a server that is restored from what the store came to remembers what one does that is
//! restored from all records, after whatever records, in whatever batches, and whoever still has an account.
#![allow(clippy::unwrap_used, clippy::missing_assert_message, reason = "a test")]

mod common;

use proptest::prelude::*;
use simplechat_core::name::Name;
use simplechat_core::rng::SeededSecrets;
use simplechat_core::server::config::Config;
use simplechat_core::server::record::Record;
use simplechat_core::server::{AccountEntry, CredentialsDigest, Server};
use simplechat_core::time::{Moment, Timestamp, WallTime};
use simplechat_store::Store;

use common::{NOW, any_record, folder, name};

/// What a server of these accounts remembers of the records.
fn remembered(accounts: &[Name], records: Vec<Record>) -> Vec<String> {
    let entries = accounts.iter().map(|name| AccountEntry {
        name: *name,
        credentials: CredentialsDigest([0; 32]),
    });
    let now = Moment {
        // Logins of long ago are not before the beginning of time.
        at: Timestamp::from_millis(NOW.0),
        wall: NOW,
    };
    let secrets = Box::new(SeededSecrets::new(1));
    Server::new(Config::default(), entries, [1; 32], secrets, now)
        .restore(records)
        .remembered()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_store_comes_to_what_the_records_do(
        records in prop::collection::vec(any_record(), 0..120),
        cuts in prop::collection::vec(0usize..120, 0..6),
        present in prop::collection::vec(any::<bool>(), 4),
    ) {
        let folder = folder();
        let mut store = Store::open(folder.path()).unwrap();
        let mut written = 0;
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(records.len())).collect();
        cuts.sort_unstable();
        cuts.push(records.len());
        let accounts: Vec<_> = present.iter().zip(["alice", "bob", "carol", "dave"])
            .filter(|(present, _)| **present).map(|(_, text)| name(text)).collect();
        for (round, cut) in cuts.into_iter().enumerate() {
            store.apply(&records[written..cut]).unwrap();
            written = cut;
            if round % 2 == 1 {
                store.close().unwrap();
                store = Store::open(folder.path()).unwrap();
            }
            let expected = remembered(&accounts, records[..written].to_vec());
            prop_assert_eq!(remembered(&accounts, store.load().unwrap()), expected);
        }
        // What it gives comes to the same in another store, and is shorter than what grows without end.
        let log = store.load().unwrap();
        let other = common::folder();
        let mut copy = Store::open(other.path()).unwrap();
        copy.apply(&log).unwrap();
        prop_assert_eq!(copy.load().unwrap(), log);
        drop((store, copy));
        simplechat_store::check(folder.path()).unwrap();
    }
}

#[test]
fn many_logins_leave_what_a_server_knows_and_no_more() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    let records: Vec<_> = (0..300u64)
        .map(|turn| {
            common::login(
                "alice",
                turn % 90,
                (turn * 7) % 50,
                WallTime(NOW.0 - 1_000_000 + turn),
            )
        })
        .collect();
    store.apply(&records).unwrap();
    let kept = store.load().unwrap();
    assert!(kept.len() <= 64, "{}", kept.len());
    let accounts = [name("alice")];
    assert_eq!(remembered(&accounts, kept), remembered(&accounts, records));
}
