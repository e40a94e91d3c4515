//! A store on a device that fails, as far as whole processes cannot show it: see `cli/tests/disks.rs`. `.ci/disks` runs these.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::missing_assert_message, reason = "a test")]

mod common;
#[path = "../../tests/common/device.rs"]
mod device;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use simplechat_core::server::record::Record;
use simplechat_store::{FILE, Store, check};

use common::{Folder, folder, kept};
use device::Device;

/// A directory on the device, and a store in it.
fn store_on(device: &Device) -> (PathBuf, Store) {
    let home = device.disk.join("store");
    let _ = fs::remove_dir_all(&home);
    fs::create_dir(&home).unwrap();
    let store = Store::open(&home).unwrap();
    (home, store)
}

/// Messages that take up a page each, and more.
fn pages(to: &str, count: u64) -> Vec<Record> {
    let text = "x".repeat(3_500);
    (0..count)
        .map(|place| kept(to, place, "alice", &text))
        .collect()
}

/// The store as it was when the power failed.
fn after_power_failed(device: &Device, home: &Path) -> Folder {
    device.forgets(home);
    let found = folder();
    for name in ["store.sqlite", "store.sqlite-wal"] {
        if home.join(name).exists() {
            fs::copy(home.join(name), found.path().join(name)).unwrap();
        }
    }
    found
}

#[test]
fn what_could_not_be_moved_to_its_place_is_moved_there_later() {
    let Some(device) = Device::find() else {
        return;
    };
    let (home, mut store) = store_on(&device);
    let messages = pages("bob", 300);
    store.apply(&messages).unwrap();
    device.fails();
    store.tidy().unwrap_err();
    device.is_mended();
    store.tidy().unwrap();
    let found = after_power_failed(&device, &home);
    check(found.path()).unwrap();
    assert_eq!(Store::open(found.path()).unwrap().load().unwrap(), messages);
}

#[test]
fn the_same_when_that_was_not_asked_for() {
    let Some(device) = Device::find() else {
        return;
    };
    let (home, mut store) = store_on(&device);
    // The log is long enough to be moved, and its room used again.
    let (first, second) = (pages("bob", 1_100), pages("carol", 1_050));
    store.apply(&first).unwrap();
    device.fails();
    store.apply(&second).unwrap();
    device.is_mended();
    store.tidy().unwrap();
    let found = after_power_failed(&device, &home);
    check(found.path()).unwrap();
    let loaded = Store::open(found.path()).unwrap().load().unwrap();
    assert_eq!(loaded, [first, second].concat());
}

#[test]
fn what_a_killed_process_wrote_in_vain_does_not_take_along_what_is_written_behind_it() {
    let Some(device) = Device::find() else {
        return;
    };
    let (home, mut store) = store_on(&device);
    let first = kept("bob", 0, "alice", "one");
    store.apply(std::slice::from_ref(&first)).unwrap();
    store.close().unwrap();
    // A process that is killed before it waits for the disk.
    let killed = Connection::open(home.join(FILE)).unwrap();
    killed
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .unwrap();
    killed.pragma_update(None, "synchronous", "OFF").unwrap();
    device.fails();
    killed.execute("DELETE FROM mailbox", []).unwrap();
    drop(killed);
    let log = File::open(home.join("store.sqlite-wal")).unwrap();
    log.sync_all().unwrap_err();
    device.is_mended();
    let mut store = Store::open(&home).unwrap();
    let second = kept("bob", 1, "alice", "two");
    store.apply(std::slice::from_ref(&second)).unwrap();
    let found = after_power_failed(&device, &home);
    check(found.path()).unwrap();
    let loaded = Store::open(found.path()).unwrap().load().unwrap();
    assert_eq!(loaded, [first, second]);
}
