//! Tests of the admission.

use alloc::vec::Vec;
use core::mem::discriminant;
use core::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

fn source(number: u32) -> Source {
    Source::of(Ipv4Addr::from_bits(number).into())
}

/// Somebody who shows a cookie of some account.
const RETURNING: Budget = Budget::Returning(AccountTag(1));

fn admission() -> Admission {
    Admission::new(AdmissionConfig::default())
}

/// Calls until it is denied, with nothing left under way. Gives how often it was let in, and why not any more.
fn call_until_denied(
    admission: &mut Admission,
    now: Timestamp,
    from: Source,
    budget: Budget,
) -> (usize, Denied) {
    for count in 0.. {
        match admission.admit(now, from, budget) {
            Ok(admitted) => admission.finish(admitted),
            Err(denied) => return (count, denied),
        }
    }
    unreachable!("it is denied some time");
}

#[test]
fn a_stranger_has_240_a_minute_and_who_returns_5000() {
    let mut admission = admission();
    let now = Timestamp::from_secs(9);
    let (count, denied) = call_until_denied(&mut admission, now, source(1), Budget::Strangers);
    assert_eq!(count, 240);
    assert_eq!(denied, Denied::TooOften(Duration::from_millis(250)));
    let (count, denied) = call_until_denied(&mut admission, now, source(1), RETURNING);
    assert_eq!(count, 5_000);
    assert_eq!(denied, Denied::TooOften(Duration::from_millis(12)));
    let next = now + Duration::from_millis(250);
    let (count, _) = call_until_denied(&mut admission, next, source(1), Budget::Strangers);
    assert_eq!(count, 1);
    let (count, _) = call_until_denied(&mut admission, now, source(2), Budget::Strangers);
    assert_eq!(count, 240, "another one has a budget of their own");
}

#[test]
fn one_source_cannot_take_all_places() {
    let mut admission = admission();
    let now = Timestamp::ZERO;
    let mut under_way: Vec<_> = (0..HANDSHAKES_PER_SOURCE_MAX)
        .map(|_| admission.admit(now, source(1), Budget::Strangers).unwrap())
        .collect();
    assert_eq!(
        admission.admit(now, source(1), Budget::Strangers),
        Err(Denied::TooManyOfSource)
    );
    let other = admission.admit(now, source(2), Budget::Strangers);
    admission.finish(other.unwrap());
    admission.finish(under_way.pop().unwrap());
    assert!(admission.admit(now, source(1), Budget::Strangers).is_ok());
}

#[test]
fn strangers_cannot_take_the_places_of_those_who_return() {
    let mut admission = admission();
    let now = Timestamp::ZERO;
    let under_way: Vec<_> = (0..)
        .map_while(|number| admission.admit(now, source(number), Budget::Strangers).ok())
        .take(HANDSHAKES_MAX)
        .collect();
    assert_eq!(
        admission.admit(now, source(1 << 20), Budget::Strangers),
        Err(Denied::TooMany)
    );
    let returning = admission.admit(now, source(1), RETURNING).unwrap();
    assert_eq!(admission.under_way(), HANDSHAKES_MAX + 1);
    admission.finish(returning);
    for admitted in under_way {
        admission.finish(admitted);
    }
    assert_eq!(admission.under_way(), 0);
    assert!(admission.strangers.of_source.is_empty());
}

#[test]
fn the_cookies_of_one_account_take_few_places_from_wherever_they_are_used() {
    let mut admission = admission();
    let now = Timestamp::ZERO;
    let mut under_way: Vec<_> = (0..)
        .map_while(|number| admission.admit(now, source(number), RETURNING).ok())
        .collect();
    assert_eq!(under_way.len(), HANDSHAKES_PER_ACCOUNT_MAX);
    assert_eq!(
        admission.admit(now, source(1 << 20), RETURNING),
        Err(Denied::TooManyOfAccount)
    );
    let [bob, alice] = ["bob", "alice"].map(|name| AccountTag::of(name.parse().unwrap()));
    assert_ne!(alice, bob);
    let other = admission.admit(now, source(1), Budget::Returning(bob));
    admission.finish(other.unwrap());
    admission.finish(under_way.pop().unwrap());
    under_way.extend(admission.admit(now, source(1), RETURNING));
    for admitted in under_way {
        admission.finish(admitted);
    }
    assert!(admission.of_account.is_empty());
}

#[test]
fn a_flood_of_sources_does_not_grow_the_table_and_frees_no_place() {
    let mut admission = admission();
    let now = Timestamp::ZERO;
    let held = admission.admit(now, source(u32::MAX), Budget::Strangers);
    for number in 0..u32::try_from(HANDSHAKE_SOURCES_MAX).unwrap() + 10 {
        let admitted = admission.admit(now, source(number), Budget::Strangers);
        admission.finish(admitted.unwrap());
    }
    assert_eq!(admission.sources(), HANDSHAKE_SOURCES_MAX);
    assert_eq!(admission.under_way(), 1);
    admission.finish(held.unwrap());
    assert_eq!(admission.under_way(), 0);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u64),
    Begin(u32, Budget),
    Finish(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let budget = prop_oneof![
        Just(Budget::Strangers),
        any::<u32>().prop_map(|tag| Budget::Returning(AccountTag(tag)))
    ];
    prop_oneof![
        1 => (0u64..40).prop_map(Step::Pass),
        6 => (0u32..3, budget).prop_map(|(from, budget)| Step::Begin(from, budget)),
        2 => (0usize..100).prop_map(Step::Finish),
    ]
}

const BURST: u32 = 40;
const INTERVAL: Duration = Duration::from_secs(10);

/// How many tokens are left after some were taken at these times.
fn tokens(taken: impl Iterator<Item = Timestamp>, now: Timestamp) -> f64 {
    let mut last = Timestamp::ZERO;
    let mut tokens = f64::from(BURST);
    let mut fill = |tokens: f64, at: Timestamp| {
        let back = at.since(last).as_secs_f64() / INTERVAL.as_secs_f64();
        last = at;
        (tokens + back).min(f64::from(BURST))
    };
    for at in taken {
        tokens = fill(tokens, at) - 1.0;
    }
    // Seconds are tenths of a token, which no float holds exactly.
    fill(tokens, now) + 1e-6
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against lists of all that ever happened: who may begin is who has begun fewer than a full bucket and what came
    /// back since, and has places left.
    #[test]
    fn it_agrees_with_lists(steps in prop::collection::vec(step(), 0..600)) {
        let rate = Rate { burst: BURST, interval: INTERVAL };
        let mut admission = Admission::new(AdmissionConfig { strangers: rate, returning: rate });
        let mut now = Timestamp::from_secs(1);
        let mut begun: Vec<(u32, Budget, Timestamp)> = Vec::new();
        let mut under_way: Vec<(u32, Budget, Admitted)> = Vec::new();
        for step in steps {
            match step {
                Step::Pass(secs) => now = now + Duration::from_secs(secs),
                Step::Begin(from, budget) => {
                    let is_own = |f: u32, b: Budget| f == from && discriminant(&b) == discriminant(&budget);
                    let own = begun.iter().filter(|(f, b, _)| is_own(*f, *b));
                    let has_tokens = tokens(own.map(|(_, _, at)| *at), now) >= 1.0;
                    let open = under_way.iter().filter(|(f, b, _)| is_own(*f, *b)).count();
                    let may = has_tokens && open < HANDSHAKES_PER_SOURCE_MAX;
                    match admission.admit(now, source(from), budget) {
                        Ok(admitted) => {
                            prop_assert!(may, "{from} may not begin");
                            begun.push((from, budget, now));
                            under_way.push((from, budget, admitted));
                        }
                        Err(denied) => prop_assert!(!may, "{from} may begin: {denied:?}"),
                    }
                }
                Step::Finish(place) if !under_way.is_empty() => {
                    let (_, _, admitted) = under_way.swap_remove(place % under_way.len());
                    admission.finish(admitted);
                }
                Step::Finish(_) => {}
            }
            prop_assert_eq!(admission.under_way(), under_way.len());
        }
    }
}
