//! The rate limit: who writes too much at once is slowed down, loses nothing, and troubles nobody else.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests are tests"
)]

use std::time::Duration;

use simplechat_core::channel::Channel;
use simplechat_core::id::{InstanceId, Seq};
use simplechat_core::rate::Rate;
use simplechat_core::server::allowance::AllowanceConfig;
use simplechat_core::server::config::Config;
use simplechat_core::text::Password;
use simplechat_core::wire::deframer::Deframer;
use simplechat_core::wire::frame::Frame;
use simplechat_core::wire::item::{Bounded, Items, decode, payload_of};
use simplechat_core::wire::login::{
    LinkChoice, Login, LoginAnswer, LoginCause, LoginRequest, Proof,
};
use simplechat_core::wire::request::{Answer, Operation, Outcome, Refusal, Request};
use simplechat_sim::{ClientId, World};

/// One token, and another one each second.
const SLOW: Rate = Rate {
    burst: 1,
    interval: Duration::from_secs(1),
};

fn with_allowance(seed: u64, operations: Rate, deliveries: Rate) -> World {
    let config = Config {
        allowance: AllowanceConfig {
            operations,
            deliveries,
        },
        ..Config::default()
    };
    World::with_config(seed, config)
}

fn numbers(numbers: std::ops::RangeInclusive<u32>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

fn flood(w: &mut World, from: ClientId, count: u32) {
    for number in 1..=count {
        w.types(from, &format!("message bob {number}"));
    }
}

/// The texts of alice's in what somebody saw.
fn texts(seen: &[String]) -> Vec<&str> {
    seen.iter()
        .filter_map(|line| line.strip_prefix("alice: "))
        .collect()
}

#[test]
fn a_flood_is_slowed_down_and_arrives_whole_and_in_order() {
    for seed in 0..10 {
        let mut w = World::new(seed);
        w.net.weather.jitter = Duration::from_millis(80);
        let (alice, bob) = (w.join("alice"), w.join("bob"));
        w.look_away();
        flood(&mut w, alice, 200);
        w.run(Duration::from_secs(5));
        let first = w.saw(bob);
        let early = u32::try_from(first.len()).unwrap();
        assert!((80..=90).contains(&early), "{early} after 5 s");
        w.run(Duration::from_secs(12));
        assert_eq!(texts(&first), numbers(1..=early), "seed {seed}");
        assert_eq!(texts(&w.saw(bob)), numbers(early + 1..=200), "seed {seed}");
        let words = w.saw(alice);
        let arrived = |line: &&String| line.ends_with(": delivered") || line.ends_with(": stored");
        assert_eq!(words.iter().filter(arrived).count(), 200, "{words:?}");
        let others: Vec<_> = words
            .iter()
            .filter(|line| !line.starts_with("message") && !line.starts_with("delivered later"))
            .collect();
        assert_eq!(others, ["slowed"], "seed {seed}: told once");
    }
}

#[test]
fn others_do_not_notice() {
    let mut w = World::new(2);
    let (alice, _bob) = (w.join("alice"), w.join("bob"));
    let (carol, dave) = (w.join("carol"), w.join("dave"));
    w.look_away();
    flood(&mut w, alice, 500);
    w.run(Duration::from_secs(1));
    w.types(carol, "message dave all well?");
    w.run(Duration::from_millis(100));
    assert_eq!(w.saw(dave), ["carol: all well?"]);
    assert_eq!(w.saw(carol), ["message dave all well?: delivered"]);
}

#[test]
fn what_is_slowed_once_is_told_again_the_next_time() {
    let mut w = with_allowance(3, SLOW, SLOW);
    let (alice, _bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    for _ in 0..2 {
        flood(&mut w, alice, 3);
        w.run(Duration::from_secs(10));
        assert_eq!(
            w.saw(alice),
            [
                "slowed",
                "message bob 1: delivered",
                "message bob 2: delivered",
                "message bob 3: delivered",
            ]
        );
    }
}

#[test]
fn logging_in_again_does_not_fill_the_bucket() {
    let minute = Rate {
        burst: 2,
        interval: Duration::from_secs(60),
    };
    let mut w = with_allowance(4, minute, minute);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    flood(&mut w, alice, 2);
    w.settle();
    w.crash(alice);
    let alice = w.join("alice");
    w.look_away();
    w.types(alice, "message bob again");
    w.run(Duration::from_secs(20));
    assert_eq!(w.saw(bob), [""; 0]);
    assert_eq!(w.saw(alice), ["slowed"]);
    w.run(Duration::from_secs(60));
    assert_eq!(w.saw(alice), ["message bob again: delivered"]);
}

#[test]
fn a_broadcast_reaches_everybody_and_the_next_one_waits_until_that_is_paid_back() {
    let deliveries = Rate {
        burst: 1,
        interval: Duration::from_secs(10),
    };
    let mut w = with_allowance(5, AllowanceConfig::default().operations, deliveries);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    let (_carol, dave) = (w.join("carol"), w.join("dave"));
    w.look_away();
    for line in ["broadcast one", "broadcast two", "message bob three"] {
        w.types(alice, line);
    }
    w.run(Duration::from_millis(100));
    w.types(dave, "broadcast of dave's");
    w.run(Duration::from_secs(29));
    assert_eq!(w.saw(bob), ["alice to all: one", "dave to all: of dave's"]);
    w.run(Duration::from_secs(2));
    assert_eq!(w.saw(bob), ["alice to all: two", "alice: three"]);
    assert_eq!(
        w.saw(alice),
        [
            "slowed",
            "broadcast one: 3 delivered, 0 stored, 0 refused",
            "dave to all: of dave's",
            "broadcast two: 3 delivered, 0 stored, 0 refused",
            "message bob three: delivered",
        ]
    );
}

#[test]
fn the_list_of_who_is_online_comes_later_too() {
    let mut w = with_allowance(6, SLOW, SLOW);
    let alice = w.join("alice");
    w.look_away();
    w.types(alice, "message bob hi");
    w.run(Duration::from_millis(500));
    w.types(alice, "online");
    w.run(Duration::from_millis(300));
    assert_eq!(w.saw(alice), ["message bob hi: stored"]);
    w.run(Duration::from_secs(1));
    assert_eq!(w.saw(alice), ["online: "]);
}

#[test]
fn who_leaves_at_the_end_of_the_input_waits_for_what_was_put_off() {
    let mut w = World::new(7);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    flood(&mut w, alice, 100);
    w.types(alice, "end-of-input");
    w.run(Duration::from_secs(30));
    assert!(w.has_ended(alice));
    assert_eq!(texts(&w.saw(bob)), numbers(1..=100));
    assert_eq!(
        w.saw(alice).last().map(String::as_str),
        Some("ended (left), 0 unsent")
    );
}

/// A client of its own making, which keeps to nothing.
struct Rude {
    channel: Channel,
}

impl Rude {
    fn log_in(w: &mut World) -> Self {
        let login = LoginRequest::Login(Login {
            name: "alice".parse().unwrap(),
            proof: Proof::Password(Password::new("alice".into()).unwrap()),
            port: 40_000,
            instance: InstanceId([9; 16]),
            lowest_unanswered: Seq::FIRST,
            cause: LoginCause::Person,
            candidates: Bounded::first_of([]),
            link: LinkChoice::Auto,
        });
        let (answer, channel) = w.stranger_logs_in(&login, 1_000);
        assert!(matches!(answer, LoginAnswer::Welcome(_)), "{answer:?}");
        Self { channel }
    }

    /// Submits operations under these numbers that have their word at once. Gives what is said of each: `None` is the
    /// final word, a number the milliseconds until it is to be tried again.
    fn submit(&mut self, w: &mut World, seqs: &[u64]) -> Vec<(u64, Option<u32>)> {
        let submit = |seq: &u64| {
            let user = "nobody".parse().unwrap();
            let operation = Operation::Block { user };
            let seq = Seq(*seq);
            payload_of(&Request::Submit { seq, operation })
        };
        let payload: Vec<u8> = seqs.iter().flat_map(submit).collect();
        let call = self.channel.seal_call(&payload);
        let (bytes, _) = w.stranger_sends(None, &[&call]);
        let mut deframer = Deframer::default();
        deframer.push(&bytes);
        let frame = deframer.next_frame().unwrap().unwrap();
        let Ok(Frame::Session(sealed)) = Frame::parse(&frame) else {
            panic!("{frame:?}");
        };
        let opened = self.channel.open_answer(&sealed).unwrap();
        let items = Items::new(&opened.payload).map(|item| decode(item.unwrap()).unwrap());
        items
            .filter_map(|answer| match answer {
                Answer::Outcome { seq, outcome } => match outcome {
                    Outcome::Refused(Refusal::Later { milliseconds }) => {
                        Some((seq.0, Some(milliseconds)))
                    }
                    Outcome::Refused(Refusal::NoSuchUser) => Some((seq.0, None)),
                    other => panic!("{other:?}"),
                },
                // There is no listener.
                Answer::Unreached => None,
                other => panic!("{other:?}"),
            })
            .collect()
    }
}

#[test]
fn who_ignores_a_later_gets_no_further() {
    let half_a_minute = Rate {
        burst: 3,
        interval: Duration::from_secs(30),
    };
    let mut w = with_allowance(8, half_a_minute, half_a_minute);
    let mut rude = Rude::log_in(&mut w);
    let answers = rude.submit(&mut w, &[1, 2, 3, 4, 5, 6]);
    let done: Vec<_> = answers
        .iter()
        .filter(|(_, later)| later.is_none())
        .collect();
    assert_eq!(done, [&(1, None), &(2, None), &(3, None)]);
    let put_off: Vec<_> = answers
        .iter()
        .filter_map(|(seq, later)| later.map(|ms| (*seq, ms)))
        .collect();
    assert_eq!(put_off, [(4, 30_000), (5, 60_000), (6, 90_000)]);
    for _ in 0..3 {
        let [(4, Some(1..=30_000))] = rude.submit(&mut w, &[4])[..] else {
            panic!("it is not done sooner");
        };
    }
    assert_eq!(
        rude.submit(&mut w, &[1, 2, 3]),
        [(1, None), (2, None), (3, None)],
        "what was done before costs nothing"
    );
    w.run(Duration::from_secs(30));
    let answers = rude.submit(&mut w, &[5, 4]);
    assert!(answers.contains(&(4, None)), "{answers:?}");
    let five = answers.iter().find(|(seq, _)| *seq == 5);
    assert!(matches!(five, Some((5, Some(_)))), "{answers:?}");
}
