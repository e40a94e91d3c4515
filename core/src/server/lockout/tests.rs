//! Tests of the login lockout.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::key::KEY_LEN;

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn source(last: u8) -> Source {
    Source::of(IpAddr::from([192, 0, 2, last]))
}

/// A place, with a device of its own.
fn provenance(last: u8) -> Provenance {
    Provenance {
        source: source(last),
        key: PublicKey([last; KEY_LEN]),
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn lockout() -> Lockout {
    Lockout::new(LockoutConfig::default())
}

fn fail(lockout: &mut Lockout, now: Timestamp, who: &str, from: Provenance) -> Result<u32, Denied> {
    let attempt = lockout.admit(now, name(who), from)?;
    Ok(lockout.fail(now, attempt))
}

#[test]
fn three_failures_lock_for_a_minute_the_right_password_too() {
    let mut lockout = lockout();
    assert_eq!(fail(&mut lockout, at(0), "alice", provenance(1)), Ok(2));
    assert_eq!(fail(&mut lockout, at(1), "alice", provenance(1)), Ok(1));
    assert_eq!(fail(&mut lockout, at(2), "alice", provenance(1)), Ok(0));
    let denied =
        |lockout: &mut Lockout, now| lockout.admit(now, name("alice"), provenance(1)).err();
    assert_eq!(
        denied(&mut lockout, at(3)),
        Some(Denied::Locked(Duration::from_secs(59)))
    );
    let last_moment = at(62) - Duration::from_micros(1);
    assert_eq!(
        denied(&mut lockout, last_moment),
        Some(Denied::Locked(Duration::from_micros(1)))
    );
    assert_eq!(denied(&mut lockout, at(62)), None);
}

#[test]
fn a_lock_is_told_until_the_moment_in_which_it_ends() {
    let mut lockout = lockout();
    for _ in 0..3 {
        let _ = fail(&mut lockout, at(0), "alice", provenance(1));
    }
    let told = |now| lockout.locked(now, name("alice"), source(1));
    let last_moment = at(60) - Duration::from_micros(1);
    assert_eq!(told(last_moment), Some((at(60), Some(source(1)))));
    assert_eq!(told(at(60)), None);
}

#[test]
fn after_the_lock_there_are_three_attempts_again() {
    let mut lockout = lockout();
    for _ in 0..3 {
        let _ = fail(&mut lockout, at(0), "alice", provenance(1));
    }
    assert_eq!(fail(&mut lockout, at(60), "alice", provenance(1)), Ok(2));
}

#[test]
fn success_starts_the_count_anew() {
    let mut lockout = lockout();
    let _ = fail(&mut lockout, at(0), "alice", provenance(1));
    let _ = fail(&mut lockout, at(0), "alice", provenance(1));
    let attempt = lockout.admit(at(1), name("alice"), provenance(1)).unwrap();
    lockout.succeed(at(1), attempt);
    assert_eq!(fail(&mut lockout, at(2), "alice", provenance(1)), Ok(2));
}

#[test]
fn attempts_at_once_get_no_more_tries() {
    let mut lockout = lockout();
    let attempts: Vec<_> = (0..3)
        .map(|_| lockout.admit(at(0), name("alice"), provenance(1)).unwrap())
        .collect();
    assert_eq!(
        lockout.admit(at(0), name("alice"), provenance(1)),
        Err(Denied::Busy)
    );
    for attempt in attempts {
        let _ = lockout.fail(at(1), attempt);
    }
    assert_eq!(
        lockout.admit(at(1), name("alice"), provenance(1)),
        Err(Denied::Locked(Duration::from_secs(60)))
    );
}

#[test]
fn a_stranger_elsewhere_does_not_lock_out_the_owner() {
    let mut lockout = lockout();
    for _ in 0..3 {
        let _ = fail(&mut lockout, at(0), "alice", provenance(66));
    }
    assert!(lockout.admit(at(1), name("alice"), provenance(1)).is_ok());
}

#[test]
fn the_plain_rule_locks_the_account_everywhere() {
    let mut lockout = Lockout::new(LockoutConfig {
        rule: LockoutRule::Account,
        ..LockoutConfig::default()
    });
    for last in 1..=3 {
        let _ = fail(&mut lockout, at(0), "alice", provenance(last));
    }
    assert_eq!(
        lockout.admit(at(0), name("alice"), provenance(4)),
        Err(Denied::Locked(Duration::from_secs(60)))
    );
}

#[test]
fn guessing_from_many_sources_uses_up_the_budget_but_not_for_known_ones() {
    let mut lockout = lockout();
    let home = provenance(200);
    let attempt = lockout.admit(at(0), name("alice"), home).unwrap();
    lockout.succeed(at(0), attempt);
    for last in 0..30 {
        assert!(fail(&mut lockout, at(10), "alice", provenance(last)).is_ok());
    }
    assert_eq!(
        lockout.admit(at(11), name("alice"), provenance(99)),
        Err(Denied::Locked(Duration::from_secs(599)))
    );
    assert!(lockout.admit(at(11), name("alice"), home).is_ok());
    assert!(
        lockout
            .admit(at(610), name("alice"), provenance(99))
            .is_ok()
    );
}

#[test]
fn who_comes_from_a_new_place_with_a_key_of_before_is_known() {
    let mut lockout = lockout();
    let home = provenance(200);
    let attempt = lockout.admit(at(0), name("alice"), home).unwrap();
    lockout.succeed(at(0), attempt);
    for last in 0..30 {
        assert!(fail(&mut lockout, at(10), "alice", provenance(last)).is_ok());
    }
    let travelling = Provenance {
        source: source(99),
        ..home
    };
    assert!(lockout.admit(at(11), name("bob"), travelling).is_ok());
    assert!(lockout.admit(at(11), name("alice"), travelling).is_ok());
    assert!(
        lockout
            .admit(at(11), name("alice"), provenance(99))
            .is_err()
    );
}

#[test]
fn places_and_keys_that_are_known_are_bounded() {
    let mut lockout = lockout();
    for last in 0..=u8::MAX {
        lockout.note_known(at(0), name("alice"), provenance(last));
    }
    let known = &lockout.known[&name("alice")];
    let lens = (known.sources.seen.len(), known.keys.seen.len());
    assert_eq!(lens, (KNOWN_SOURCES_MAX, KNOWN_KEYS_MAX));
}

#[test]
fn attempts_at_once_from_many_sources_get_no_more_than_the_budget() {
    let mut lockout = lockout();
    let admitted = (0..40)
        .filter(|last| {
            lockout
                .admit(at(0), name("alice"), provenance(*last))
                .is_ok()
        })
        .count();
    assert_eq!(admitted, 30);
}

#[test]
fn a_source_is_known_for_thirty_days() {
    let mut lockout = lockout();
    let attempt = lockout.admit(at(0), name("alice"), provenance(1)).unwrap();
    lockout.succeed(at(0), attempt);
    let days = |days: u64| at(days * 86_400);
    for (day, known) in [(29, true), (30, false)] {
        for last in 2..32 {
            let _ = fail(&mut lockout, days(day), "alice", provenance(last));
        }
        assert_eq!(
            lockout
                .admit(days(day), name("alice"), provenance(1))
                .is_ok(),
            known,
            "day {day}"
        );
    }
}

#[test]
fn a_flood_of_names_does_not_grow_the_tables() {
    let mut lockout = lockout();
    for number in 0..LOCKOUT_ENTRIES_MAX + 10 {
        let name = alloc::format!("n{number}").parse().unwrap();
        let attempt = lockout.admit(at(0), name, provenance(1)).unwrap();
        let _ = lockout.fail(at(0), attempt);
    }
    assert_eq!(lockout.len(), LOCKOUT_ENTRIES_MAX);
    assert_eq!(lockout.budgets.len(), LOCKOUT_ENTRIES_MAX);
}

proptest! {
    /// However attempts interleave: since the last success or the end of the last lock, no source has had more attempts
    /// that failed or may still fail than are allowed; and nothing but those and the budget is ever refused.
    #[test]
    fn no_order_of_attempts_gets_more_tries(
        steps in prop::collection::vec((0u8..3, 0u8..2, 0u64..30, any::<prop::sample::Index>()), 1..150),
    ) {
        let config = LockoutConfig { account_failures_max: u32::MAX, ..LockoutConfig::default() };
        let (attempts_max, block_time) = (config.attempts_max, config.block_time);
        let mut lockout = Lockout::new(config);
        let mut open: Vec<(u8, Attempt)> = Vec::new();
        let mut failed: BTreeMap<u8, u32> = BTreeMap::new();
        let mut locked: BTreeMap<u8, Timestamp> = BTreeMap::new();
        let mut now = at(0);
        for (action, from, passes, pick) in steps {
            now = now + Duration::from_secs(passes);
            if action == 0 || open.is_empty() {
                let unresolved = open.iter().filter(|(other, _)| *other == from).count();
                if locked.get(&from).is_some_and(|until| now >= *until) {
                    locked.remove(&from);
                    failed.remove(&from);
                }
                let tries = failed.get(&from).copied().unwrap_or(0) + u32::try_from(unresolved).unwrap();
                match lockout.admit(now, name("alice"), provenance(from)) {
                    Ok(attempt) => {
                        prop_assert!(!locked.contains_key(&from) && tries < attempts_max);
                        open.push((from, attempt));
                    }
                    Err(Denied::Locked(rest)) => prop_assert_eq!(locked.get(&from), Some(&(now + rest))),
                    Err(Denied::Busy) => prop_assert_eq!(tries, attempts_max),
                }
                continue;
            }
            let (from, attempt) = open.swap_remove(pick.index(open.len()));
            if action == 1 {
                lockout.succeed(now, attempt);
                failed.remove(&from);
            } else {
                let failures = failed.entry(from).or_insert(0);
                *failures += 1;
                prop_assert_eq!(lockout.fail(now, attempt), attempts_max - *failures);
                if *failures == attempts_max {
                    locked.insert(from, now + block_time);
                }
            }
        }
    }
}
