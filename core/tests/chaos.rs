//! Many people, a bad network, an attacker, and whatever may happen to them: what was promised holds in each of a hundred
//! worlds.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests are tests"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use simplechat_core::server::config::Config;
use simplechat_sim::dice::Dice;
use simplechat_sim::net::{HostId, Weather};
use simplechat_sim::world::SERVER;
use simplechat_sim::{ClientId, World};

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// What one person has seen in all, through their clients.
#[derive(Default)]
struct Diary {
    lines: Vec<String>,
}

struct Party {
    world: World,
    dice: Dice,
    seats: Vec<ClientId>,
    diaries: Vec<Diary>,
    /// What was given to the server, and by whom.
    typed: Vec<(usize, String)>,
    sent: u32,
}

impl Party {
    fn new(seed: u64) -> Self {
        let mut world = World::with_attacker(seed, Config::default());
        let seats = NAMES.map(|name| world.join(name)).to_vec();
        for (a, b) in [(0, 1), (1, 2), (2, 3), (3, 0)] {
            world.introduce(seats[a], seats[b]);
        }
        world.look_away();
        Self {
            world,
            dice: Dice::new(seed ^ 0xabcd),
            diaries: seats.iter().map(|_| Diary::default()).collect(),
            seats,
            typed: Vec::new(),
            sent: 0,
        }
    }

    fn act(&mut self) {
        let who = self.dice.below(NAMES.len());
        if self.dice.below(4) == 0 {
            let hosts = [SERVER, self.seats[who].host()];
            self.disturb(hosts);
        } else if !self.world.is_asleep(self.seats[who].host()) {
            self.speak(who);
        }
        for _ in 0..self.dice.below(4) {
            self.world.attack();
            let pause = self.dice.fraction_of(Duration::from_secs(2));
            self.world.run(pause);
        }
        self.note();
    }

    /// Something happens to a client, to the server, or on the way between them.
    fn disturb(&mut self, hosts: [HostId; 2]) {
        let [one, other] = if self.dice.below(2) == 0 {
            hosts
        } else {
            [hosts[1], hosts[0]]
        };
        let w = &mut self.world;
        match self.dice.below(10) {
            0 => w.net.cut(one, other),
            1 => w.net.cut_one_way(one, other),
            2 => w.net.heal(one, other),
            3 => w.put_to_sleep(one),
            4 | 5 => {
                w.wake(one);
                w.wake(other);
            }
            6 => {
                let by_ms = [-86_400_000, -1_000, 3_600_000][self.dice.below(3)];
                w.jump_wall_clock(one, by_ms);
            }
            7 => {
                w.crash_server();
                w.run(Duration::from_millis(700));
                w.start_server();
            }
            8 => w.store.takes = Duration::from_millis([0, 5, 400][self.dice.below(3)]),
            _ => w.net.weather = [Weather::default(), Weather::stormy()][self.dice.below(2)],
        }
    }

    /// Somebody writes, or the way between two of them is cut or mended.
    fn speak(&mut self, who: usize) {
        let w = &mut self.world;
        let whom = (who + 1 + self.dice.below(NAMES.len() - 1)) % NAMES.len();
        let (seat, other) = (self.seats[who], NAMES[whom]);
        self.sent += 1;
        let text = format!("t{:04}", self.sent);
        match self.dice.below(17) {
            0..=11 => {
                let line = match self.dice.below(6) {
                    0 => format!("broadcast {text}"),
                    _ => format!("message {other} {text}"),
                };
                w.types(seat, &line);
                self.typed.push((who, line));
            }
            12..=15 => {
                let _ = w.command(
                    seat,
                    simplechat_sim::script::parse(&format!("private {other} {text}")),
                );
            }
            _ => {
                let pair = (seat, self.seats[whom]);
                if self.dice.below(2) == 0 {
                    w.cut_between(pair.0, pair.1);
                } else {
                    w.heal_between(pair.0, pair.1);
                }
            }
        }
    }

    fn make_peace(&mut self) {
        let w = &mut self.world;
        w.net.calm();
        w.wake(SERVER);
        for seat in &self.seats {
            w.wake(seat.host());
        }
        w.run(Duration::from_secs(200));
        self.note();
    }

    fn note(&mut self) {
        for (seat, diary) in self.seats.iter().zip(&mut self.diaries) {
            diary.lines.extend(self.world.saw(*seat));
        }
    }

    /// The texts that one saw of another on one route, in order.
    fn seen(&self, who: usize, prefix: &str) -> Vec<String> {
        self.diaries[who]
            .lines
            .iter()
            .filter_map(|line| line.strip_prefix(prefix))
            .map(str::to_owned)
            .collect()
    }

    /// Each text that somebody saw of another, they saw once, and in the order in which it was written.
    fn check_once_and_in_order(&self, seed: u64) {
        for (who, me) in NAMES.iter().enumerate() {
            for from in NAMES {
                let direct = self.seen(who, &format!("{from} privately: "));
                assert!(
                    direct.is_sorted_by(|a, b| a < b),
                    "seed {seed}: {me} of {from}: {direct:?}"
                );
                let lines = &self.diaries[who].lines;
                let served: Vec<_> = lines
                    .iter()
                    .filter_map(|line| {
                        line.strip_prefix(&format!("{from}: "))
                            .or_else(|| line.strip_prefix(&format!("{from} to all: ")))
                    })
                    .collect();
                assert!(
                    served.is_sorted_by(|a, b| a < b),
                    "seed {seed}: {me} of {from}: {served:?}"
                );
            }
        }
    }

    /// Whatever its sender was told to be accepted was shown to its recipient.
    fn check_accepted_is_shown(&self, seed: u64) {
        let mut words: BTreeMap<String, String> = BTreeMap::new();
        for (who, me) in NAMES.iter().enumerate() {
            for line in &self.diaries[who].lines {
                let Some((text, outcome)) = line
                    .strip_prefix("message ")
                    .and_then(|rest| rest.split_once(": "))
                else {
                    continue;
                };
                let (to, text) = text.split_once(' ').unwrap();
                assert!(
                    words.insert(text.into(), outcome.into()).is_none(),
                    "seed {seed}: two words on {text}"
                );
                let recipient = NAMES.iter().position(|name| *name == to).unwrap();
                assert!(
                    self.seen(recipient, &format!("{me}: "))
                        .contains(&text.to_owned()),
                    "seed {seed}: {text} of {me} to {to} was {outcome}, and is not shown"
                );
            }
        }
    }

    /// Everybody has had the last word on everything they wrote.
    fn check_all_answered(&mut self, seed: u64) {
        for (who, line) in &self.typed {
            let answer = format!("{line}: ");
            let is_answered = |seen: &String| seen.starts_with(&answer);
            assert!(
                self.diaries[*who].lines.iter().any(is_answered),
                "seed {seed}: {} has no word on {line}",
                NAMES[*who]
            );
        }
        for seat in self.seats.clone() {
            self.world.types(seat, "online");
            self.world.types(seat, "addressbook");
        }
        self.world.settle();
        self.note();
        for (who, me) in NAMES.iter().enumerate() {
            let lines = &self.diaries[who].lines;
            let book = lines
                .iter()
                .rfind(|line| line.starts_with("book: "))
                .unwrap();
            assert!(
                !book.contains("1 waiting") && !book.contains("unreachable"),
                "seed {seed}: {me}: {book}"
            );
            let online = lines.iter().rfind(|line| line.starts_with("online: "));
            assert_eq!(
                online.map(|line| line.split(' ').count()),
                Some(NAMES.len()),
                "seed {seed}: {me} sees all others: {lines:?}"
            );
        }
    }
}

#[test]
fn promises_hold_in_a_hundred_worlds() {
    for seed in 0..100 {
        let mut party = Party::new(seed);
        for _ in 0..80 {
            party.act();
        }
        party.make_peace();
        party.check_once_and_in_order(seed);
        party.check_accepted_is_shown(seed);
        party.check_all_answered(seed);
    }
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let log = || {
        let mut party = Party::new(7);
        for _ in 0..80 {
            party.act();
        }
        party.world.log().to_owned()
    };
    assert_eq!(log(), log());
}
