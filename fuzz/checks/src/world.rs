//! All machines together, in the virtual world of the core's tests, with the fuzzer as their fate.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use simplechat_core::client::command::Command;
use simplechat_core::server;
use simplechat_core::server::config::Config;
use simplechat_sim::world::Secrecy;
use simplechat_sim::{ClientId, World};

use crate::any;
use crate::any::command;

/// Clients of one world, those that have ended included.
const SEATS_MAX: usize = 6;

/// People, a server and a network, and whatever may happen to them: nothing panics or spins, and once there is peace
/// whoever is still there can talk to the others and has had the last word on everything they wished.
///
/// # Panics
///
/// When that does not hold.
pub fn world(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(seed) = u.arbitrary::<u8>() else {
        return;
    };
    let names = any::NAMES[..3]
        .iter()
        .filter_map(|name| Some((name.parse().ok()?, (*name).to_owned())));
    let mut party = Party {
        world: World::with_accounts(seed.into(), Config::default(), names, Secrecy::Quick),
        seats: Vec::new(),
        server_runs: true,
    };
    party.sit_down("alice");
    party.sit_down("bob");
    if seed % 2 == 1 {
        party.introduce_both();
    }
    while !u.is_empty() && party.act(&mut u).is_ok() {}
    party.make_peace();
    party.check_all_answered();
}

struct Seat {
    id: ClientId,
    /// Operations that the client took and that have no outcome yet.
    waiting: usize,
}

struct Party {
    world: World,
    seats: Vec<Seat>,
    server_runs: bool,
}

impl Party {
    fn sit_down(&mut self, name: &str) {
        let id = self.world.sit_down(name);
        self.seats.push(Seat { id, waiting: 0 });
        let login = Command::Login {
            user: any::named(name),
            password: any::password(name),
        };
        let _ = self.world.command(id, login);
    }

    /// A start that takes a fuzzer long to find.
    fn introduce_both(&mut self) {
        self.world.settle();
        self.world.introduce(self.seats[0].id, self.seats[1].id);
        self.world.look_away();
    }

    fn act(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let who = u.choose_index(self.seats.len())?;
        let seat = self.seats[who].id;
        let other = self.seats[u.choose_index(self.seats.len())?].id;
        let w = &mut self.world;
        match u.int_in_range(0..=19)? {
            0..=9 => self.wish(who, command(u)?),
            10 => w.net.weather.breaks_per_mille = *u.choose(&[0, 50, 300, 1_000])?,
            11 => w.cut_from_server(seat),
            12 => w.heal_to_server(seat),
            13 => w.cut_between(seat, other),
            14 => w.heal_between(seat, other),
            15 => w.stick_screen(seat),
            16 => w.loosen_screen(seat),
            17 => w.close_listener(seat),
            18 => match u.int_in_range(0..=4)? {
                0 => {
                    w.crash_server();
                    self.server_runs = false;
                }
                1 if !w.has_ended(seat) => {
                    w.crash(seat);
                    self.seats[who].waiting = 0;
                }
                2 => w.open_listener(seat),
                _ if self.server_runs && u.ratio(1, 4)? => {
                    w.operate(server::Command::Shutdown);
                    self.server_runs = false;
                }
                3 if self.seats.len() < SEATS_MAX => {
                    let name = *u.choose(&any::NAMES[..3])?;
                    self.sit_down(name);
                }
                _ => self.start_server_if_ended(),
            },
            _ => {}
        }
        let millis = *u.choose(&[0, 1, 20, 300, 2_000, 10_000, 100_000])?;
        self.world.run(Duration::from_millis(millis));
        self.note();
        Ok(())
    }

    fn wish(&mut self, who: usize, command: Command) {
        let is_answered = matches!(
            command,
            Command::Message { .. }
                | Command::Broadcast { .. }
                | Command::Block { .. }
                | Command::Unblock { .. }
                | Command::GetAddress { .. }
                | Command::Answer { .. }
                | Command::BareAnswer(_)
        );
        let seat = &mut self.seats[who];
        if self.world.command(seat.id, command).is_ok() && is_answered {
            seat.waiting += 1;
        }
    }

    /// Counts the outcomes that everybody has seen.
    fn note(&mut self) {
        for seat in &mut self.seats {
            let outcomes = self.world.saw(seat.id);
            let outcomes = outcomes.iter().filter(|line| is_outcome(line)).count();
            assert!(outcomes <= seat.waiting, "an outcome of nothing");
            seat.waiting -= outcomes;
        }
    }

    fn start_server_if_ended(&mut self) {
        if !std::mem::replace(&mut self.server_runs, true) {
            // It may be on the way to its end.
            self.world.crash_server();
            self.world.start_server();
        }
    }

    fn make_peace(&mut self) {
        self.start_server_if_ended();
        let w = &mut self.world;
        w.net.weather.breaks_per_mille = 0;
        for seat in &self.seats {
            w.heal_to_server(seat.id);
            for other in &self.seats {
                w.heal_between(seat.id, other.id);
            }
            if !w.has_ended(seat.id) {
                w.loosen_screen(seat.id);
                w.open_listener(seat.id);
            }
        }
        w.run(Duration::from_secs(300));
        self.note();
    }

    fn check_all_answered(&self) {
        for seat in &self.seats {
            assert!(
                self.world.has_ended(seat.id) || seat.waiting == 0,
                "{:?} has no answer to {} wishes:\n{}",
                seat.id,
                seat.waiting,
                self.world.log()
            );
        }
    }
}

/// Events of other kinds start with a name, or with other words.
fn is_outcome(line: &str) -> bool {
    [
        "message",
        "broadcast",
        "block",
        "unblock",
        "getaddress",
        "accept",
        "deny",
    ]
    .iter()
    .any(|word| line.split(' ').next() == Some(word))
}
