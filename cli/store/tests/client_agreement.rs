//! The store and the machine agree: a client that is restored from what the store came to remembers what one does that is
//! restored from all records, after whatever life, in whatever batches.
#![allow(clippy::unwrap_used, clippy::missing_assert_message, reason = "a test")]

mod common;

use std::net::SocketAddr;

use proptest::prelude::*;
use simplechat_core::client::Client;
use simplechat_core::client::config::{Config, StoreKind};
use simplechat_core::client::record::{Record, Route};
use simplechat_core::id::{InstanceId, IntroductionId, Seq};
use simplechat_core::key::PublicKey;
use simplechat_core::name::Name;
use simplechat_core::rng::SeededSecrets;
use simplechat_core::text::Text;
use simplechat_core::time::{Moment, Timestamp, WallTime};
use simplechat_core::wire::Term;
use simplechat_core::wire::peer::PrivateMessage;
use simplechat_core::wire::request::{Operation, Outcome};
use simplechat_store::client::{Kept, Store};

use common::{NOW, folder, name};

const ME: InstanceId = InstanceId([7; 16]);

fn remembered(records: Vec<Record>) -> Vec<String> {
    let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let config = Config {
        store: StoreKind::Lasting,
        ..Config::new(vec![address], address)
    };
    let now = Moment {
        at: Timestamp::from_millis(NOW.0),
        wall: NOW,
    };
    Client::new(config, [1; 32], Box::new(SeededSecrets::new(1)), now)
        .restore(records)
        .remembered()
}

/// Something in the life of a client.
#[derive(Clone, Debug)]
enum Step {
    Wish(Operation),
    Answer(Outcome),
    Fulfil,
    Write(Name, Text),
    Take(Name, u64),
    Mail(Name),
    /// It does not depend on what was before.
    Any(Record),
}

/// The records of a life: numbers rise, and words come in the order of the wishes.
fn log(steps: Vec<Step>) -> Vec<Record> {
    let began = Record::Began {
        instance: ME,
        next_wish: Seq::FIRST,
        next_private: Seq::FIRST,
    };
    let (mut next, mut answered, mut written) = (1, 1, 1);
    let mut records = vec![began];
    for step in steps {
        let record = match step {
            Step::Wish(operation) => {
                next += 1;
                let (seq, at) = (Seq(next - 1), NOW);
                Record::Wished { seq, operation, at }
            }
            Step::Answer(_) | Step::Fulfil if answered == next => continue,
            Step::Answer(outcome) => {
                answered += 1;
                let seq = Seq(answered - 1);
                Record::Answered { seq, outcome }
            }
            Step::Fulfil => Record::Fulfilled { seq: Seq(next - 1) },
            Step::Write(to, text) => {
                written += 1;
                let message = PrivateMessage {
                    instance: ME,
                    seq: Seq(written - 1),
                    sent: NOW,
                    text,
                };
                Record::Written { to, message }
            }
            Step::Take(by, back) => {
                let through = Seq(u64::saturating_sub(written, back));
                Record::Taken { by, through }
            }
            Step::Mail(to) => {
                next += 1;
                let (wish, through) = (Seq(next - 1), Seq(written - 1));
                let operation = Operation::Skip;
                records.push(Record::Wished {
                    seq: wish,
                    operation,
                    at: NOW,
                });
                Record::Posted { to, through, wish }
            }
            Step::Any(record) => record,
        };
        records.push(record);
    }
    records
}

fn any_name() -> impl Strategy<Value = Name> {
    prop::sample::select(vec!["bob", "carol", "dave"]).prop_map(name)
}

fn any_text() -> impl Strategy<Value = Text> {
    "[a-zé ]{1,20}".prop_map(|text| Text::new(text).unwrap())
}

fn any_key() -> impl Strategy<Value = PublicKey> {
    (0u8..3).prop_map(|byte| PublicKey([byte; 32]))
}

fn any_term() -> impl Strategy<Value = Term> {
    prop::sample::select(vec![Term::UntilLogout, Term::Lasting])
}

fn any_operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        (any_name(), any_text()).prop_map(|(to, text)| Operation::Message { to, text }),
        any_text().prop_map(|text| Operation::Broadcast { text }),
        any_name().prop_map(|user| Operation::Block { user }),
        (any_name(), any_term()).prop_map(|(user, term)| Operation::GetAddress { user, term }),
        (any_name(), any_term()).prop_map(|(user, term)| Operation::Accept { user, term }),
        Just(Operation::Skip),
    ]
}

fn any_peer() -> impl Strategy<Value = Record> {
    let candidates = prop::collection::vec(
        prop::sample::select(vec!["192.0.2.1:1", "[2001:db8::1]:2", "[fe80::1%3]:4"])
            .prop_map(|text| text.parse::<SocketAddr>().unwrap()),
        0..3,
    );
    (any_name(), 0u8..3, candidates, any_term()).prop_map(|(peer, number, mut candidates, term)| {
        // An introduction is of one pair, and has one key.
        let [first, ..] = peer.as_str().as_bytes() else {
            unreachable!("no name is empty")
        };
        let mut introduction = [*first; 16];
        introduction[0] = number;
        candidates.dedup();
        Record::Peer {
            peer,
            introduction: IntroductionId(introduction),
            key: PublicKey([number; 32]),
            candidates,
            term,
        }
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    // No client has written higher ones.
    let numbers = prop_oneof![9 => 0u64..40, 1 => (u64::MAX / 2 - 3)..=(u64::MAX / 2)];
    let routes = prop::sample::select(vec![Route::Server, Route::Direct]);
    let instance = (0u8..4).prop_map(|byte| InstanceId([byte; 16]));
    let any = prop_oneof![
        3 => (routes, any_name(), instance, numbers).prop_map(|(route, from, instance, seq)| {
            Record::Shown { route, from, instance, seq: Seq(seq) }
        }),
        3 => any_peer(),
        1 => any_name().prop_map(|peer| Record::Elsewhere { peer }),
        1 => any_name().prop_map(|peer| Record::PeerGone { peer }),
        1 => any_name().prop_map(|to| Record::GivenUp { to }),
        2 => (any_name(), any_key()).prop_map(|(peer, key)| Record::Met { peer, key }),
        1 => (any_name(), any_key()).prop_map(|(peer, key)| Record::Verified { peer, key }),
        2 => (any_name(), 0u32..3, 1u64..9_000).prop_map(|(to, introductions, rest)| Record::Consented {
            to,
            introductions,
            until: WallTime(NOW.0 + rest),
        }),
        1 => (1u64..20).prop_map(|seq| Record::Delivered { seq: Seq(seq) }),
        1 => (1u64..20).prop_map(|seq| Record::Expired { seq: Seq(seq) }),
    ];
    prop_oneof![
        4 => any_operation().prop_map(Step::Wish),
        4 => Just(Step::Answer(Outcome::Stored)),
        1 => Just(Step::Fulfil),
        3 => (any_name(), any_text()).prop_map(|(to, text)| Step::Write(to, text)),
        2 => (any_name(), 0u64..5).prop_map(|(by, back)| Step::Take(by, back)),
        2 => any_name().prop_map(Step::Mail),
        1 => any_name().prop_map(|to| Step::Any(Record::MailLost { to })),
        9 => any.prop_map(Step::Any),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_store_comes_to_what_the_records_do(
        steps in prop::collection::vec(any_step(), 0..120),
        cuts in prop::collection::vec(0usize..120, 0..6),
    ) {
        let records = log(steps);
        let folder = folder();
        let mut store = Store::open(folder.path()).unwrap();
        prop_assert_eq!(store.load().unwrap(), []);
        let mut written = 0;
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(records.len())).collect();
        cuts.sort_unstable();
        cuts.push(records.len());
        for (round, cut) in cuts.into_iter().enumerate() {
            store.apply(&[Kept { records: &records[written..cut], shown: &[] }]).unwrap();
            written = cut;
            if round % 2 == 1 {
                store.close().unwrap();
                store = Store::open(folder.path()).unwrap();
            }
            if written > 0 {
                let expected = remembered(records[..written].to_vec());
                prop_assert_eq!(remembered(store.load().unwrap()), expected);
            }
        }
        // What it gives comes to the same in another store.
        let log = store.load().unwrap();
        let other = common::folder();
        let mut copy = Store::open(other.path()).unwrap();
        copy.apply(&[Kept { records: &log, shown: &[] }]).unwrap();
        prop_assert_eq!(copy.load().unwrap(), log);
    }
}
