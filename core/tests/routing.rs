//! Routing against the obvious truth: whoever does what, texts go to whom they should, and nobody sees too much.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use simplechat_sim::{ClientId, World};

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// What somebody does; numbers are places in [`NAMES`].
#[derive(Clone, Copy, Debug)]
enum Action {
    LogIn(usize),
    LogOut(usize),
    Message(usize, usize),
    Broadcast(usize),
    Block(usize, usize),
    Unblock(usize, usize),
    Online(usize),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let who = 0..NAMES.len();
    let action = prop_oneof![
        3 => who.clone().prop_map(Action::LogIn),
        1 => who.clone().prop_map(Action::LogOut),
        6 => (who.clone(), who.clone()).prop_map(|(from, to)| Action::Message(from, to)),
        2 => who.clone().prop_map(Action::Broadcast),
        2 => (who.clone(), who.clone()).prop_map(|(user, other)| Action::Block(user, other)),
        1 => (who.clone(), who.clone()).prop_map(|(user, other)| Action::Unblock(user, other)),
        2 => who.prop_map(Action::Online),
    ];
    prop::collection::vec(action, 1..40)
}

/// The obvious truth.
#[derive(Default)]
struct Model {
    blocked: BTreeSet<(usize, usize)>,
    kept: BTreeMap<usize, Vec<(usize, String)>>,
}

/// The people, those who are online with their clients, and what each is to see next.
struct Party {
    world: World,
    model: Model,
    seats: BTreeMap<usize, ClientId>,
    expected: BTreeMap<usize, Vec<String>>,
    texts: u32,
}

impl Party {
    fn expect(&mut self, who: usize, line: String) {
        self.expected.entry(who).or_default().push(line);
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::LogIn(who) if !self.seats.contains_key(&who) => self.log_in(who),
            Action::LogOut(who) => {
                if let Some(seat) = self.seats.remove(&who) {
                    self.world.types(seat, "logout");
                    self.tell_presence(who, "offline");
                }
            }
            Action::Message(from, to) if from != to => self.message(from, to),
            Action::Broadcast(from) => self.broadcast(from),
            Action::Block(user, other) if user != other => self.block(user, other),
            Action::Unblock(user, other) if user != other => self.unblock(user, other),
            Action::Online(who) => {
                if let Some(&seat) = self.seats.get(&who) {
                    self.world.types(seat, "online");
                    let visible: Vec<_> = self.others_visible_to(who).map(|i| NAMES[i]).collect();
                    self.expect(who, format!("online: {}", visible.join(" ")));
                }
            }
            Action::LogIn(_) | Action::Message(..) | Action::Block(..) | Action::Unblock(..) => {}
        }
    }

    fn log_in(&mut self, who: usize) {
        let kept = self.model.kept.remove(&who).unwrap_or_default();
        let seat = self.world.sit_down(NAMES[who]);
        self.world.log_in(seat, NAMES[who], NAMES[who]);
        self.tell_presence(who, "online");
        self.seats.insert(who, seat);
        self.expect(
            who,
            format!("logged in as {}, {} kept", NAMES[who], kept.len()),
        );
        if kept.is_empty() {
            return;
        }
        self.expect(who, format!("{} kept:", kept.len()));
        for (from, text) in kept {
            self.expect(who, format!("{}: {text}", NAMES[from]));
            if self.seats.contains_key(&from) && self.is_same_client(from, &text) {
                self.expect(from, format!("delivered later to {}", NAMES[who]));
            }
        }
        self.expect(who, "that was kept".into());
    }

    /// A receipt goes only to the client that sent the text: its number says which login that was.
    fn is_same_client(&self, who: usize, text: &str) -> bool {
        text.ends_with(&format!("from {:?}", self.seats[&who]))
    }

    fn tell_presence(&mut self, who: usize, presence: &str) {
        let others: Vec<_> = self
            .seats
            .keys()
            .copied()
            .filter(|other| *other != who)
            .collect();
        for other in others {
            if !self.model.blocked.contains(&(who, other)) {
                self.expect(other, format!("{} {presence}", NAMES[who]));
            }
        }
    }

    fn others_visible_to(&self, who: usize) -> impl Iterator<Item = usize> {
        self.seats
            .keys()
            .copied()
            .filter(move |other| *other != who)
            .filter(move |other| !self.model.blocked.contains(&(*other, who)))
    }

    fn text(&mut self, seat: ClientId) -> String {
        self.texts += 1;
        format!("{} from {seat:?}", self.texts)
    }

    fn message(&mut self, from: usize, to: usize) {
        let Some(&seat) = self.seats.get(&from) else {
            return;
        };
        let text = self.text(seat);
        let line = format!("message {} {text}", NAMES[to]);
        self.world.types(seat, &line);
        let outcome = if self.model.blocked.contains(&(to, from)) {
            "refused, you are blocked"
        } else if self.seats.contains_key(&to) {
            self.expect(to, format!("{}: {text}", NAMES[from]));
            "delivered"
        } else {
            self.model.kept.entry(to).or_default().push((from, text));
            "stored"
        };
        self.expect(from, format!("{line}: {outcome}"));
    }

    fn broadcast(&mut self, from: usize) {
        let Some(&seat) = self.seats.get(&from) else {
            return;
        };
        let text = self.text(seat);
        self.world.types(seat, &format!("broadcast {text}"));
        let recipients: Vec<_> = self.others_visible_to(from).collect();
        for to in &recipients {
            self.expect(*to, format!("{} to all: {text}", NAMES[from]));
        }
        let reached = recipients.len();
        let outcome = format!("broadcast {text}: {reached} delivered, 0 stored, 0 refused");
        self.expect(from, outcome);
    }

    fn block(&mut self, user: usize, other: usize) {
        let Some(&seat) = self.seats.get(&user) else {
            return;
        };
        let line = format!("block {}", NAMES[other]);
        self.world.types(seat, &line);
        let outcome = if self.model.blocked.insert((user, other)) {
            "done"
        } else {
            "refused, already blocked"
        };
        self.expect(user, format!("{line}: {outcome}"));
    }

    fn unblock(&mut self, user: usize, other: usize) {
        let Some(&seat) = self.seats.get(&user) else {
            return;
        };
        let line = format!("unblock {}", NAMES[other]);
        self.world.types(seat, &line);
        let outcome = if self.model.blocked.remove(&(user, other)) {
            "done"
        } else {
            "refused, not blocked"
        };
        self.expect(user, format!("{line}: {outcome}"));
    }

    /// Everybody online has seen what they should, and nothing else.
    fn check(&mut self) -> Result<(), TestCaseError> {
        self.world.settle();
        for (who, seat) in self.seats.clone() {
            let mut expected = self.expected.remove(&who).unwrap_or_default();
            let mut seen = self.world.saw(seat);
            // Connections race: what came of one's own wish, and what others did, have no order between them.
            expected.sort();
            seen.sort();
            prop_assert_eq!(seen, expected, "{}", NAMES[who]);
        }
        self.expected.clear();
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn texts_go_to_whom_they_should(seed in any::<u64>(), actions in actions()) {
        let mut party = Party {
            world: World::new(seed),
            model: Model::default(),
            seats: BTreeMap::new(),
            expected: BTreeMap::new(),
            texts: 0,
        };
        for action in actions {
            party.act(action);
            party.check()?;
        }
    }
}
