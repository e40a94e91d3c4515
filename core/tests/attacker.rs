//! An attacker who hears every byte and plays back what they like, against machines behind a channel that does what
//! encryption will do: nothing that they try has any effect but noise.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use simplechat_core::server::config::Config;
use simplechat_core::server::event::{Arrival, Event};
use simplechat_sim::attacker::talk::Claim;
use simplechat_sim::dice::Dice;
use simplechat_sim::net::{Listening, Weather};
use simplechat_sim::test_channel::Weakness;
use simplechat_sim::world::{ATTACKER, Knowledge, SERVER};
use simplechat_sim::{ClientId, World, script};

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];
const CLAIMS: [Claim; 5] = [
    Claim::Password,
    Claim::Ticket,
    Claim::Nonsense,
    Claim::AnotherHandshake,
    Claim::Nothing,
];

/// People who chat, and somebody who attacks them.
struct Siege {
    world: World,
    dice: Dice,
    seats: Vec<ClientId>,
    /// What each has seen.
    diaries: Vec<Vec<String>>,
    /// What was typed: the text, its author, and the beginning of the line that its readers see.
    typed: BTreeMap<String, String>,
}

impl Siege {
    fn new(seed: u64) -> Self {
        Self::of(World::with_attacker(seed, Config::default()), seed)
    }

    fn of(mut world: World, seed: u64) -> Self {
        let seats = NAMES.map(|name| world.join(name)).to_vec();
        for (a, b) in [(0, 1), (1, 2), (2, 3), (3, 0)] {
            world.introduce(seats[a], seats[b]);
        }
        world.look_away();
        world.operator_saw();
        Self {
            world,
            dice: Dice::new(seed ^ 0x5eed),
            diaries: seats.iter().map(|_| Vec::new()).collect(),
            seats,
            typed: BTreeMap::new(),
        }
    }

    /// Somebody says something, unless they sleep.
    fn chat(&mut self) {
        let who = self.dice.below(NAMES.len());
        let seat = self.seats[who];
        if self.world.is_asleep(seat.host()) {
            return;
        }
        let (me, whom) = (NAMES[who], NAMES[(who + 1) % NAMES.len()]);
        let text = format!("t{:04}", self.typed.len());
        let (line, seen_as) = match self.dice.below(4) {
            0 => (format!("broadcast {text}"), format!("{me} to all: ")),
            1 => (
                format!("private {whom} {text}"),
                format!("{me} privately: "),
            ),
            _ => (format!("message {whom} {text}"), format!("{me}: ")),
        };
        if self.world.command(seat, script::parse(&line)).is_ok() {
            self.typed.insert(text, seen_as);
        }
    }

    fn pass(&mut self, duration: Duration) {
        self.world.run(duration);
        for (seat, diary) in self.seats.iter().zip(&mut self.diaries) {
            diary.extend(self.world.saw(*seat));
        }
    }

    fn attack_for_a_while(&mut self, attacks: usize) {
        for _ in 0..attacks {
            self.world.attack();
            let pause = self.dice.fraction_of(Duration::from_millis(200));
            self.pass(pause);
        }
    }

    /// Every text was shown at most once to each, under the name of who typed it, as what it was, and in order.
    fn check_texts(&self, what: &str) {
        for (me, diary) in NAMES.iter().zip(&self.diaries) {
            let mut latest: BTreeMap<(&str, bool), &str> = BTreeMap::new();
            for line in diary {
                let Some((seen_as, text)) = line.split_at_checked(line.len().saturating_sub(5))
                else {
                    continue;
                };
                if !seen_as.ends_with(": ") || !text.starts_with('t') {
                    continue;
                }
                let typed_as = self.typed.get(text).map(String::as_str);
                assert_eq!(typed_as, Some(seen_as), "{what}: {me} saw {line}");
                let author = seen_as.split([' ', ':']).next().unwrap();
                let row = (author, seen_as.contains("privately"));
                let before = latest.insert(row, text);
                assert!(
                    before.is_none_or(|before| before < text),
                    "{what}: {me} saw {line} after {before:?}"
                );
            }
        }
    }

    /// Nobody's client ended, and nobody took anything over, left or was refused for what somebody else did.
    fn check_nobody_is_moved(&mut self, what: &str) {
        for (seat, me) in self.seats.iter().zip(NAMES) {
            assert!(!self.world.has_ended(*seat), "{what}: {me} goes on");
        }
        for diary in &self.diaries {
            for line in diary {
                let is_harmful = line.starts_with("ended")
                    || line.contains("gone (")
                    || line.contains("elsewhere")
                    || line.contains("refused, ");
                assert!(!is_harmful, "{what}: {line}");
            }
        }
        for event in self.world.operator_saw() {
            let is_takeover = matches!(
                event,
                Event::LoggedIn {
                    arrival: Arrival::TookOver,
                    ..
                }
            );
            assert!(!is_takeover, "{what}: {event:?}");
        }
    }

    /// Nobody looks for anybody where the attacker is.
    fn check_nobody_calls_the_attacker(&self, what: &str) {
        for (seat, me) in self.seats.iter().zip(NAMES) {
            let calls = self.world.net.dials(seat.host(), ATTACKER);
            assert_eq!(calls, 0, "{what}: {me} looks for nobody at the attacker's");
        }
        self.check_no_login_is_the_attackers(what);
    }

    fn check_no_login_is_the_attackers(&self, what: &str) {
        let probes = self.probes();
        assert_eq!(probes, 0, "{what}: no login came from the attacker");
    }

    /// When it is over, each hears the next.
    fn check_everybody_is_reached(&mut self, what: &str) {
        // A held link on which something got lost is noticed by the heartbeat that is not answered.
        self.pass(Duration::from_secs(60));
        assert_eq!(self.world.server().online(), NAMES.len(), "{what}");
        for (who, me) in NAMES.iter().enumerate() {
            let whom = (who + 1) % NAMES.len();
            let seat = self.seats[who];
            for route in ["message", "private"] {
                let text = format!("{route} {} t9{who:03}", NAMES[whom]);
                self.world.types(seat, &text);
            }
            self.pass(Duration::from_secs(10));
            for heard in [
                format!("{me}: t9{who:03}"),
                format!("{me} privately: t9{who:03}"),
            ] {
                assert!(self.diaries[whom].contains(&heard), "{what}: {heard}");
            }
        }
    }

    /// How often the server has looked for a client where the attacker is.
    fn probes(&self) -> usize {
        self.world.net.dials(SERVER, ATTACKER)
    }
}

/// How much a machine remembers: the entries of all its tables, as it lists them itself.
fn footprint(machine: &impl Debug) -> usize {
    format!("{machine:#?}").lines().count()
}

#[test]
fn in_kind_weather_an_attacker_is_not_even_noticed() {
    for seed in 0..20 {
        let what = format!("seed {seed}");
        let mut siege = Siege::new(seed);
        for _ in 0..60 {
            siege.chat();
            siege.attack_for_a_while(3);
        }
        siege.pass(Duration::from_secs(30));
        siege.check_texts(&what);
        siege.check_nobody_is_moved(&what);
        assert_eq!(siege.world.server().online(), NAMES.len(), "{what}");
        siege.check_nobody_calls_the_attacker(&what);
        let lines = siege.diaries.concat();
        for line in &lines {
            let is_chat = line.contains(": ") || line.starts_with("delivered later");
            let is_noise = line == "refused a stranger at 10.66.6.6";
            assert!(is_chat || is_noise, "{what}: {line}");
        }
        for (text, seen_as) in &siege.typed {
            let seen = format!("{seen_as}{text}");
            let readers = if seen.contains("to all") { 3 } else { 1 };
            let times = lines.iter().filter(|line| **line == seen).count();
            assert_eq!(times, readers, "{what}: {seen}");
        }
    }
}

/// Here the attacker brings frames that never arrived, too. A request is the one that was lost; a login is nothing, because it
/// answers what the server said to somebody else.
#[test]
fn in_a_storm_an_attacker_may_deliver_requests_that_were_lost_and_no_more() {
    for seed in 0..20 {
        let what = format!("seed {seed}");
        let mut siege = Siege::new(seed);
        siege.world.net.weather = Weather::stormy();
        for round in 0..60 {
            siege.chat();
            let sleeper = siege.seats[siege.dice.below(NAMES.len())];
            match siege.dice.below(12) {
                0 => siege.world.put_to_sleep(sleeper.host()),
                1 | 2 => siege.world.wake(sleeper.host()),
                3 if round % 5 == 0 => {
                    siege.world.crash_server();
                    siege.attack_for_a_while(3);
                    siege.world.start_server();
                }
                _ => {}
            }
            siege.attack_for_a_while(4);
        }
        for seat in siege.seats.clone() {
            siege.world.wake(seat.host());
        }
        siege.world.net.calm();
        siege.attack_for_a_while(50);
        siege.pass(Duration::from_secs(100));
        siege.check_texts(&what);
        siege.check_nobody_is_moved(&what);
        siege.check_everybody_is_reached(&what);
        // What was lost may come from the attacker's for the first time. Its sender is looked for there, and not believed to be there.
        siege.check_no_login_is_the_attackers(&what);
    }
}

#[test]
fn no_table_grows_with_the_number_of_attacks() {
    let mut siege = Siege::new(1);
    for _ in 0..40 {
        siege.chat();
        siege.attack_for_a_while(20);
    }
    let rest = Duration::from_secs(30);
    siege.pass(rest);
    let remembered = |siege: &Siege| {
        let clients = siege.seats.iter().map(|seat| siege.world.client(*seat));
        (
            footprint(siege.world.server()),
            clients.map(footprint).collect::<Vec<_>>(),
        )
    };
    let before = remembered(&siege);
    let mut held = false;
    for _ in 0..100 {
        siege.attack_for_a_while(10);
        held |= footprint(siege.world.server()) > before.0;
    }
    assert!(held, "some attacks hold a connection");
    siege.pass(rest);
    assert_eq!(remembered(&siege), before);
    assert_eq!(siege.world.net.open_connections(), 0);
}

#[test]
fn who_sits_at_the_address_that_a_client_has_left_gets_nothing_done() {
    for seed in 0..20 {
        let what = format!("seed {seed}");
        let mut siege = Siege::new(seed);
        let (alice, bob) = (siege.seats[0], siege.seats[1]);
        for _ in 0..10 {
            siege.chat();
            siege.pass(Duration::from_secs(1));
        }
        siege.world.attacker_takes_address_of(bob, Listening::There);
        siege.world.types(alice, "message bob t9998");
        siege.world.types(alice, "private bob t9999");
        siege.pass(Duration::from_secs(300));
        assert!(siege.probes() > 0, "{what}: they are called");
        let told = &siege.diaries[0];
        let since = told.iter().rposition(|line| line.ends_with("waiting"));
        let late = &told[since.unwrap_or(0)..];
        let delivered = "message bob t9998: delivered".to_owned();
        assert!(!late.contains(&delivered), "{what}: {late:?}");
        // Bob is found where he is now, by the server and by his peer, and gets what waited for him.
        let told = &siege.diaries[1];
        for line in ["alice: t9998", "alice privately: t9999"] {
            let heard = told.iter().filter(|told| *told == line).count();
            assert_eq!(heard, 1, "{what}: {line} {told:?}");
        }
    }
}

/// Calls that came before their keys wait for a moment. An attacker who keeps all places for that taken would have the
/// server's check of a listener refused.
#[test]
fn a_flood_of_strange_calls_keeps_nobody_out_who_is_awaited() {
    for seed in 0..40 {
        let mut world = World::with_attacker(seed, Config::default());
        let seats = NAMES.map(|name| world.join(name));
        world.crash_server();
        world.start_server();
        world.look_away();
        world.net.weather.jitter = Duration::from_millis(60);
        for _ in 0..600 {
            world.attack();
            world.run(Duration::from_millis(60));
        }
        for (seat, me) in seats.into_iter().zip(NAMES) {
            let seen = world.saw(seat);
            let back = format!("logged in again as {me}, 0 kept");
            assert!(seen.contains(&back), "seed {seed}: {seen:?}");
            let unreachable = "listener at 40000 unreachable".to_owned();
            assert!(!seen.contains(&unreachable), "seed {seed}: {me}: {seen:?}");
        }
    }
}

/// With a key of their own, and the keys of all clients, which are no secret, they get nowhere; nor does it get anybody to say
/// anything to them that they stand in everybody's place for a while.
#[test]
fn an_attacker_who_shakes_hands_is_nobody() {
    for seed in 0..10 {
        let what = format!("seed {seed}");
        let mut siege = Siege::new(seed);
        siege.world.overhear(Vec::new());
        for round in 0..60 {
            let claim = CLAIMS[round % CLAIMS.len()];
            let name = NAMES[siege.dice.below(NAMES.len())].parse().unwrap();
            siege.world.attacker_calls_server(claim, name);
            let greeted = siege.seats[siege.dice.below(NAMES.len())];
            siege.world.attacker_greets(greeted, Knowledge::Key);
            siege.world.attacker_greets(greeted, Knowledge::Nothing);
            if round % 20 == 10 {
                siege.world.intercept(None);
                siege.world.intercept(Some(greeted));
            }
            if round % 20 == 15 {
                siege.world.net.intercept_nobody();
            }
            siege.chat();
            siege.attack_for_a_while(2);
        }
        siege.world.net.calm();
        siege.pass(Duration::from_secs(200));
        siege.check_texts(&what);
        siege.check_nobody_is_moved(&what);
        assert!(!siege.world.log().contains("attacker wins"), "{what}");
        assert_eq!(siege.world.net.breaches(), [""; 0], "{what}");
        assert_eq!(siege.world.server().online(), NAMES.len(), "{what}");
    }
}

/// What the tests above would see if the channel did not hold.
#[test]
fn over_a_bad_channel_the_attacker_is_believed() {
    let believed = (0..10).filter(|seed| {
        let world = World::with_test_channel(*seed, Config::default());
        world.weaken_channel(Weakness::Replays);
        let mut siege = Siege::of(world, *seed);
        siege.attack_for_a_while(300);
        siege.probes() > 0
    });
    assert!(believed.count() > 0, "a login that is repeated is one");
}

#[test]
fn the_same_seed_is_the_same_siege() {
    let log = || {
        let mut siege = Siege::new(3);
        siege.world.net.weather = Weather::stormy();
        for _ in 0..30 {
            siege.chat();
            siege.attack_for_a_while(3);
        }
        siege.world.log().to_owned()
    };
    assert_eq!(log(), log());
}
