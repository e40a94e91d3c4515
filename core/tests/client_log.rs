//! The log of a client's life: each beginning of it makes a client that can go on, and so does what a store makes of it.
#![allow(
    clippy::unwrap_used,
    clippy::missing_assert_message,
    reason = "tests fail by panicking, and the line says why"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;
use simplechat_core::client::Client;
use simplechat_core::client::command::Command;
use simplechat_core::client::config::{Config, StoreKind};
use simplechat_core::client::record::{Record, Route};
use simplechat_core::id::{InstanceId, IntroductionId, Seq};
use simplechat_core::key::{KEY_LEN, PublicKey};
use simplechat_core::limits;
use simplechat_core::machine::{Input, Machine, Output};
use simplechat_core::name::Name;
use simplechat_core::rng::SeededSecrets;
use simplechat_core::text::Password;
use simplechat_core::time::{Moment, Timestamp, WallTime};
use simplechat_core::wire::Term;
use simplechat_core::wire::request::{Operation, Outcome};
use simplechat_sim::{ClientId, World, script};

const NOW: Moment = Moment {
    at: Timestamp::from_secs(9_000),
    wall: WallTime(1_800_000_100_000),
};

fn restored(records: &[Record]) -> Client {
    let server = SocketAddr::from(([10, 0, 0, 1], 5150));
    let listener = SocketAddr::from(([0, 0, 0, 0], 40_000));
    let config = Config {
        store: StoreKind::Lasting,
        ..Config::new(vec![server], listener)
    };
    let secrets = Box::new(SeededSecrets::new(1));
    Client::new(config, [1; 32], secrets, NOW).restore(records.iter().cloned())
}

/// What a store keeps that has a table for each thing, and gives a client that starts.
#[derive(Default)]
struct Tables {
    instance: Option<InstanceId>,
    next_wish: u64,
    next_private: u64,
    wishes: BTreeMap<Seq, Record>,
    fulfilled: BTreeMap<Seq, Record>,
    privates: BTreeMap<(Name, Seq), Record>,
    shown: BTreeMap<(Route, Name, InstanceId), Seq>,
    peers: BTreeMap<Name, (IntroductionId, Record)>,
    elsewhere: BTreeMap<Name, Record>,
    keys: BTreeMap<Name, Record>,
    consents: BTreeMap<Name, Record>,
    mails: BTreeMap<(Name, Seq), Record>,
}

impl Tables {
    #[allow(clippy::too_many_lines, reason = "a row for each record")]
    fn apply(&mut self, record: &Record) {
        let copy = record.clone();
        match record {
            Record::Began {
                instance,
                next_wish,
                next_private,
            } => {
                self.instance = Some(*instance);
                (self.next_wish, self.next_private) = (next_wish.0, next_private.0);
            }
            Record::Wished { seq, .. } => {
                self.wishes.insert(*seq, copy);
                self.next_wish = seq.0 + 1;
            }
            Record::Answered { seq, outcome } => {
                self.wishes.remove(seq);
                self.fulfilled.remove(seq);
                if let Outcome::Refused(_) = outcome {
                    self.mails.retain(|(_, wish), _| wish != seq);
                }
            }
            Record::Posted { to, wish, .. } => {
                self.mails.insert((*to, *wish), copy);
            }
            Record::MailLost { to } => self.lose_mails(*to, Seq(u64::MAX)),
            Record::Fulfilled { seq } => {
                self.fulfilled.insert(*seq, copy);
            }
            Record::Delivered { .. } | Record::Expired { .. } => {}
            Record::Written { to, message } => {
                self.privates.insert((*to, message.seq), copy);
                self.next_private = message.seq.0 + 1;
            }
            Record::Taken { by, through } => {
                self.privates
                    .retain(|(to, seq), _| to != by || seq > through);
                self.lose_mails(*by, *through);
            }
            Record::GivenUp { to } => {
                self.privates.retain(|(whom, _), _| whom != to);
                self.lose_mails(*to, Seq(u64::MAX));
            }
            Record::Shown {
                route,
                from,
                instance,
                seq,
            } => {
                self.shown.insert((*route, *from, *instance), *seq);
            }
            Record::Peer {
                peer, introduction, ..
            } => {
                let before = self.peers.insert(*peer, (*introduction, copy));
                if before.is_none_or(|(before, _)| before != *introduction) {
                    self.elsewhere.remove(peer);
                    self.lose_mails(*peer, Seq(u64::MAX));
                }
            }
            Record::Elsewhere { peer } => {
                self.elsewhere.insert(*peer, copy);
            }
            Record::PeerGone { peer } => {
                self.peers.remove(peer);
                self.elsewhere.remove(peer);
                self.lose_mails(*peer, Seq(u64::MAX));
            }
            Record::Met { peer, .. } | Record::Verified { peer, .. } => {
                self.keys.insert(*peer, copy);
            }
            Record::Consented { to, .. } => {
                self.consents.insert(*to, copy);
            }
        }
    }

    /// The mails for a peer that hold nothing above a number.
    fn lose_mails(&mut self, peer: Name, end: Seq) {
        self.mails.retain(|(to, _), mail| {
            *to != peer || matches!(mail, Record::Posted { through, .. } if *through > end)
        });
    }

    fn records(&self) -> Vec<Record> {
        let lowest = self.wishes.keys().next();
        let began = self.instance.map(|instance| Record::Began {
            instance,
            next_wish: lowest.copied().unwrap_or(Seq(self.next_wish)),
            next_private: Seq(self.next_private),
        });
        let shown = self.shown.iter();
        let shown = shown.map(|((route, from, instance), seq)| Record::Shown {
            route: *route,
            from: *from,
            instance: *instance,
            seq: *seq,
        });
        let mut records: Vec<_> = began.into_iter().chain(shown).collect();
        records.extend(self.wishes.values().cloned());
        records.extend(self.fulfilled.values().cloned());
        records.extend(self.peers.values().map(|(_, peer)| peer.clone()));
        records.extend(self.elsewhere.values().cloned());
        records.extend(self.privates.values().cloned());
        records.extend(self.mails.values().cloned());
        records.extend(self.keys.values().cloned());
        records.extend(self.consents.values().cloned());
        records
    }
}

/// Logs in, lets time pass, and sees to it that nothing is beyond its bounds.
fn goes_on(mut client: Client) {
    let login = Command::Login {
        user: "alice".parse().expect("a name"),
        password: Password::new("alice".to_owned()).expect("a password"),
    };
    client
        .handle_command(NOW, login)
        .expect("nobody is logged in");
    let mut ended = false;
    for second in 1..100 {
        while let Some(output) = client.poll_output() {
            if let Output::Connect { conn, .. } = output {
                let failure = simplechat_core::machine::ConnectFailure::Refused;
                client.handle_input(NOW, Input::ConnectFailed { conn, failure });
            } else if output == Output::Stop {
                ended = true;
            }
        }
        let at = NOW.at + Duration::from_secs(second);
        client.handle_input(Moment { at, ..NOW }, Input::Timeout);
    }
    let sizes = client.sizes();
    assert!(ended, "the server is not there");
    let is_bounded = sizes.outbox <= limits::OUTBOX_MAX
        && sizes.peers <= limits::ADDRESS_BOOK_MAX
        && sizes.waiting <= limits::OUTBOX_MAX
        && sizes.ledger <= limits::LEDGER_MAX;
    assert!(is_bounded, "{sizes:?}");
}

/// Something that happens to alice, whose client has a store.
#[derive(Clone, Debug)]
enum Event {
    Types(&'static str),
    BobTypes(&'static str),
    Killed,
    BobIsKilled,
    Away(bool),
    Alone(bool),
    Passes(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let own = prop::sample::select(vec![
        "message bob hi",
        "message nobody hi",
        "broadcast hi",
        "private bob hi",
        "block bob",
        "unblock bob",
        "getaddress bob",
        "accept bob",
        "removeaddress bob",
        "verify bob",
        "verify bob ok",
        "logout",
    ]);
    let bobs = prop::sample::select(vec![
        "message alice hi",
        "private alice hi",
        "getaddress alice",
        "accept alice",
        "removeaddress alice",
        "logout",
    ]);
    prop_oneof![
        8 => own.prop_map(Event::Types),
        6 => bobs.prop_map(Event::BobTypes),
        1 => Just(Event::Killed),
        1 => Just(Event::BobIsKilled),
        1 => any::<bool>().prop_map(Event::Away),
        1 => any::<bool>().prop_map(Event::Alone),
        4 => (0..4_000_u64).prop_map(Event::Passes),
    ]
}

struct Life {
    w: World,
    alice: ClientId,
    bob: ClientId,
}

impl Life {
    fn types(&mut self, id: ClientId, line: &str) {
        if !self.w.has_ended(id) {
            // It may be refused.
            let _ = self.w.command(id, script::parse(line));
        }
    }

    fn happens(&mut self, event: &Event) {
        let (alice, bob) = (self.alice, self.bob);
        match *event {
            Event::Types(line) => self.types(alice, line),
            Event::BobTypes(line) => self.types(bob, line),
            Event::Killed => self.w.crash(alice),
            Event::BobIsKilled => self.w.crash(bob),
            Event::Away(true) => self.w.cut_from_server(alice),
            Event::Away(false) => self.w.heal_to_server(alice),
            Event::Alone(true) => self.w.cut_between(alice, bob),
            Event::Alone(false) => self.w.heal_between(alice, bob),
            Event::Passes(millis) => self.w.run(Duration::from_millis(millis)),
        }
        if self.w.has_ended(alice) {
            self.w.start_again(alice);
            self.w.log_in(alice, "alice", "alice");
        }
        if self.w.has_ended(bob) {
            self.bob = self.w.sit_down("bob");
            self.w.log_in(self.bob, "bob", "bob");
        }
    }
}

/// What alice's store has kept after all this.
fn log_of(seed: u64, events: &[Event]) -> Vec<Record> {
    let mut w = World::new(seed);
    let (alice, bob) = (w.join_keeping("alice"), w.join("bob"));
    w.introduce(alice, bob);
    let mut life = Life { w, alice, bob };
    for event in events {
        life.happens(event);
    }
    life.w.settle();
    let disk = life.w.disk(alice).expect("it has a store");
    disk.store.records()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_beginning_of_a_log_makes_a_client_that_goes_on(
        seed in 0..1_000_u64,
        events in prop::collection::vec(event(), 0..40),
    ) {
        let log = log_of(seed, &events);
        let mut tables = Tables::default();
        for end in 0..=log.len() {
            let client = restored(&log[..end]);
            prop_assert_eq!(client.remembered(), restored(&tables.records()).remembered());
            if end % 8 == 0 {
                goes_on(client);
            }
            if let Some(next) = log.get(end) {
                tables.apply(next);
            }
        }
    }

    #[test]
    fn whatever_is_in_a_file_makes_a_client_that_goes_on(
        records in prop::collection::vec(any_record(), 0..60),
    ) {
        goes_on(restored(&records));
    }
}

fn name() -> impl Strategy<Value = Name> {
    prop::sample::select(vec!["alice", "bob", "carol"])
        .prop_map(|name| name.parse().expect("a name"))
}

fn seq() -> impl Strategy<Value = Seq> {
    prop_oneof![0..6_u64, u64::MAX - 2..=u64::MAX].prop_map(Seq)
}

/// A record with any numbers, as no client has written it.
fn any_record() -> impl Strategy<Value = Record> {
    let key = PublicKey([1; KEY_LEN]);
    let instance = InstanceId([2; 16]);
    let introduction = (0..3_u8).prop_map(|number| IntroductionId([number; 16]));
    prop_oneof![
        (seq(), seq()).prop_map(move |(next_wish, next_private)| Record::Began {
            instance,
            next_wish,
            next_private,
        }),
        (seq(), name()).prop_map(|(seq, user)| Record::Wished {
            seq,
            operation: Operation::Block { user },
            at: NOW.wall,
        }),
        seq().prop_map(|seq| Record::Answered {
            seq,
            outcome: Outcome::Done,
        }),
        seq().prop_map(|seq| Record::Fulfilled { seq }),
        (seq(), name()).prop_map(move |(seq, to)| Record::Written {
            to,
            message: simplechat_core::wire::peer::PrivateMessage {
                instance,
                seq,
                sent: NOW.wall,
                text: "hi".parse().expect("a text"),
            },
        }),
        (seq(), name()).prop_map(|(through, by)| Record::Taken { by, through }),
        name().prop_map(|to| Record::GivenUp { to }),
        name().prop_map(|to| Record::MailLost { to }),
        (seq(), seq(), name()).prop_map(|(through, wish, to)| Record::Posted { to, through, wish }),
        (seq(), name()).prop_map(move |(seq, from)| Record::Shown {
            route: Route::Server,
            from,
            instance,
            seq,
        }),
        (introduction, name()).prop_map(move |(introduction, peer)| Record::Peer {
            peer,
            introduction,
            key,
            candidates: Vec::new(),
            term: Term::Lasting,
        }),
        name().prop_map(|peer| Record::Elsewhere { peer }),
        name().prop_map(|peer| Record::PeerGone { peer }),
        name().prop_map(move |peer| Record::Met { peer, key }),
        name().prop_map(move |peer| Record::Verified { peer, key }),
        (name(), any::<u32>(), any::<u64>()).prop_map(|(to, introductions, until)| {
            Record::Consented {
                to,
                introductions,
                until: WallTime(until),
            }
        }),
    ]
}
