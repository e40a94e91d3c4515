//! Records and folders for the tests of the store.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use simplechat_core::id::{InstanceId, IntroductionId, LoginNumber, Seq};
use simplechat_core::key::PublicKey;
use simplechat_core::name::Name;
use simplechat_core::server::record::{QuestionState, Record, Subject};
use simplechat_core::text::Text;
use simplechat_core::time::WallTime;
use simplechat_core::wire::item::Bounded;
use simplechat_core::wire::mail::{Mail, Sealed};
use simplechat_core::wire::push::{Audience, Delivery, Expired, Push};
use simplechat_core::wire::request::{Outcome, Refusal};
use simplechat_core::wire::{EndReason, Term};

/// The time of day in these tests.
pub(crate) const NOW: WallTime = WallTime(1_800_000_000_000);

/// A folder that is gone when it is dropped.
pub(crate) struct Folder(PathBuf);

pub(crate) fn folder() -> Folder {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("store-{}-{number}", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    Folder(path)
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn kept(to: &str, place: u64, from: &str, text: &str) -> Record {
    Record::Kept {
        to: name(to),
        place,
        message: Delivery {
            from: name(from),
            instance: InstanceId([7; 16]),
            seq: Seq(place + 1),
            sent: NOW,
            audience: Audience::You,
            text: Text::new(text.into()).unwrap(),
        },
    }
}

pub(crate) fn login(user: &str, place: u64, key: u64, at: WallTime) -> Record {
    let [_, _, _, _, _, _, high, low] = place.to_be_bytes();
    Record::LoggedIn {
        user: name(user),
        instance: InstanceId([low; 16]),
        key: PublicKey([key.to_be_bytes()[7]; 32]),
        number: LoginNumber(at.0),
        from: IpAddr::V4(Ipv4Addr::new(192, 0, high, low)),
        at,
    }
}

fn any_name() -> impl Strategy<Value = Name> {
    prop::sample::select(vec!["alice", "bob", "carol", "dave"]).prop_map(name)
}

fn any_instance() -> impl Strategy<Value = InstanceId> {
    (0u8..12).prop_map(|byte| InstanceId([byte; 16]))
}

fn any_time() -> impl Strategy<Value = WallTime> {
    (0u64..200_000).prop_map(|millis| WallTime(NOW.0 - 100_000 + millis))
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    let addresses = [
        "192.0.2.1",
        "192.0.2.2",
        "::ffff:192.0.2.1",
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8:1::1",
    ];
    prop::sample::select(addresses.to_vec()).prop_map(|text| text.parse().unwrap())
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Delivered),
        Just(Outcome::Stored),
        Just(Outcome::Done),
        (0u32..5).prop_map(|max| Outcome::Refused(Refusal::TextTooLong { max })),
        (0u32..5, 0u32..5).prop_map(|(delivered, stored)| Outcome::Broadcast {
            delivered,
            stored,
            refused: 1
        }),
    ]
}

fn any_word() -> impl Strategy<Value = Expired> {
    // Now and then more than there is room for.
    let numbers = prop_oneof![9 => 0usize..4, 1 => 90usize..100];
    (any_name(), numbers, 0u64..120, 0u32..3).prop_map(|(to, count, first, others)| Expired {
        to,
        numbers: Bounded::first_of((first..).take(count).map(Seq)),
        others,
    })
}

fn any_expired() -> impl Strategy<Value = Record> {
    let untold = prop::collection::vec((any_name(), any_word()), 0..3);
    (any_name(), prop::option::of(0u64..12), untold).prop_map(|(to, through, untold)| {
        Record::Expired {
            to,
            through,
            untold,
        }
    })
}

fn any_state() -> impl Strategy<Value = QuestionState> {
    prop::sample::select(vec![
        QuestionState::Shown,
        QuestionState::Hidden,
        QuestionState::Agreed,
    ])
}

fn any_term() -> impl Strategy<Value = Term> {
    prop::sample::select(vec![Term::UntilLogout, Term::Lasting])
}

fn any_subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        any_name().prop_map(Subject::OwnQuestion),
        any_name().prop_map(Subject::Question),
        any_name().prop_map(Subject::Introduction),
        any_name().prop_map(Subject::Addresses),
        any_name().prop_map(Subject::Mail),
        Just(Subject::Server),
    ]
}

fn any_push() -> impl Strategy<Value = Push> {
    prop_oneof![
        Just(Push::Stopping),
        any_name().prop_map(|by| Push::AddressDenied { by }),
        any_name().prop_map(|peer| Push::IntroductionEnded {
            peer,
            reason: EndReason::LoggedOut,
            introduction: Some(IntroductionId([1; 16])),
        }),
    ]
}

fn any_delivery() -> impl Strategy<Value = Delivery> {
    (
        any_name(),
        any_instance(),
        1u64..40,
        any_time(),
        any::<bool>(),
        "[a-zé ]{1,20}",
    )
        .prop_map(|(from, instance, seq, sent, everyone, text)| Delivery {
            from,
            instance,
            seq: Seq(seq),
            sent,
            audience: if everyone {
                Audience::Everyone
            } else {
                Audience::You
            },
            text: Text::new(text).unwrap(),
        })
}

fn any_mail() -> impl Strategy<Value = Mail> {
    (any_delivery(), prop::collection::vec(any::<u8>(), 0..9)).prop_map(|(message, sealed)| Mail {
        from: message.from,
        instance: message.instance,
        seq: message.seq,
        sent: message.sent,
        messages: 1,
        sealed: Sealed::new(sealed).unwrap(),
    })
}

/// Of all kinds, about few people, so that they have to do with each other.
pub(crate) fn any_record() -> impl Strategy<Value = Record> {
    let pair = || (any_name(), any_name());
    let place = prop_oneof![9 => 0u64..12, 1 => Just(u64::MAX - 3)];
    prop_oneof![
        8 => (any_name(), place, any_delivery()).prop_map(|(to, place, message)| Record::Kept { to, place, message }),
        4 => (any_name(), 0u8..3, 0u64..12, any_mail()).prop_map(|(to, key, place, mail)| Record::KeptMail {
            to,
            key: PublicKey([key; 32]),
            place,
            mail,
        }),
        3 => (any_name(), 0u8..3, 0u64..12).prop_map(|(to, key, through)| Record::Taken {
            to,
            key: PublicKey([key; 32]),
            through,
        }),
        4 => (any_name(), any_instance(), 0u64..40, prop::collection::btree_map(1u64..60, any_outcome(), 0..5)).prop_map(
            |(user, instance, lowest, outcomes)| Record::Outcomes {
                user,
                instance,
                lowest_unanswered: Seq(lowest),
                outcomes: outcomes.into_iter().map(|(seq, outcome)| (Seq(seq), outcome)).collect(),
            }
        ),
        4 => (any_name(), any_instance(), 0u8..4, 0u64..9, any_address(), any_time()).prop_map(
            |(user, instance, key, number, from, at)| Record::LoggedIn {
                user,
                instance,
                key: PublicKey([key; 32]),
                number: LoginNumber(number),
                from,
                at,
            }
        ),
        2 => (any_name(), prop::option::of(any_address()), any_time())
            .prop_map(|(name, from, until)| Record::LockedOut { name, from, until }),
        2 => pair().prop_map(|(by, user)| Record::Blocked { by, user }),
        1 => pair().prop_map(|(by, user)| Record::Unblocked { by, user }),
        3 => (pair(), any_state(), any_term(), any_time()).prop_map(|((asker, asked), state, term, expires)| Record::Asked {
            asker,
            asked,
            state,
            term,
            expires,
        }),
        1 => pair().prop_map(|(asker, asked)| Record::QuestionClosed { asker, asked }),
        2 => (pair(), 0u8..3, any_term()).prop_map(|((a, b), id, term)| Record::Introduced {
            a,
            b,
            id: IntroductionId([id; 16]),
            term,
        }),
        1 => pair().prop_map(|(a, b)| Record::Parted { a, b }),
        4 => (any_name(), any_subject(), any_push()).prop_map(|(to, subject, push)| Record::Notice { to, subject, push }),
        1 => (any_name(), any_subject()).prop_map(|(to, subject)| Record::Told { to, subject }),
        3 => any_expired(),
        3 => (any_name(), any_word()).prop_map(|(user, told)| Record::ToldExpired { user, told }),
        1 => any_name().prop_map(|user| Record::Removed { user }),
    ]
}
