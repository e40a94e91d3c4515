//! A plan from a seed: who there is, how unkind the world is, and what happens.

use simplechat_core::client::config::StoreKind;
use simplechat_core::wire::login::LinkChoice;

use crate::attacker::talk::Claim;
use crate::dice::Dice;
use crate::net::{Kind, Listening};
use crate::world::{Knowledge, Place, Secrecy};

use super::plan::{
    Action, Change, Disk, Guess, Intrusion, Millis, Pace, Person, Plan, Reply, Settings, Sky, Step,
    Way, Whom, Wish,
};

/// What is not left to chance.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// So many people.
    pub people: Option<usize>,
    /// What protects the lines.
    pub secrecy: Option<Secrecy>,
}

/// Makes the plan of a seed.
#[must_use]
pub fn plan(seed: u64) -> Plan {
    plan_with(seed, Wanted::default())
}

/// Makes the plan of a seed in which some things are as they are wanted.
#[must_use]
pub fn plan_with(seed: u64, wanted: Wanted) -> Plan {
    Generator {
        wanted,
        dice: Dice::new(seed ^ 0x0076_6f70_7200),
        people: Vec::new(),
        accounts: 0,
        places: Vec::new(),
        secrecy: Secrecy::Quick,
        unkindness: Unkindness::None,
    }
    .plan(seed)
}

/// What goes wrong in a world: in a kind one, more of what people do is seen to the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unkindness {
    None,
    Network,
    All,
}

struct Generator {
    wanted: Wanted,
    dice: Dice,
    people: Vec<usize>,
    accounts: usize,
    places: Vec<Vec<Place>>,
    secrecy: Secrecy,
    unkindness: Unkindness,
}

impl Generator {
    fn plan(mut self, seed: u64) -> Plan {
        let people = match self.dice.below(20) {
            0..=15 => 2 + self.dice.below(6),
            16..=18 => 8 + self.dice.below(5),
            _ => 12 + self.dice.below(39),
        };
        let people = self.wanted.people.unwrap_or(people).max(1);
        // Some share an account, and take it over from each other.
        for person in 0..people {
            let account = if person >= 2 && self.one_in(5) {
                self.dice.below(self.accounts)
            } else {
                self.accounts
            };
            self.accounts = self.accounts.max(account + 1);
            self.people.push(account);
        }
        self.unkindness = [
            Unkindness::None,
            Unkindness::Network,
            Unkindness::All,
            Unkindness::All,
        ][self.dice.below(4)];
        let secrecy = self.pick(&[
            Secrecy::Quick,
            Secrecy::Sealed,
            Secrecy::Attacked,
            Secrecy::Attacked,
            Secrecy::QuickAttacked,
        ]);
        self.secrecy = self.wanted.secrecy.unwrap_or(secrecy);
        let links = self.links(people);
        let stores = self.stores(people);
        self.places = self.places(people);
        let settings = self.settings();
        let sky = self.sky();
        let mut steps = Vec::new();
        for person in 0..people {
            self.arrival(Person(person), &mut steps);
        }
        let length = 10 + self.dice.below(140);
        while steps.len() < length {
            if self.one_in(12) {
                self.introduction(&mut steps);
            } else if self.unkindness == Unkindness::All && self.one_in(50) {
                self.succession(&mut steps);
            } else if self.unkindness == Unkindness::All && self.one_in(12) {
                self.relapse(&mut steps);
            } else if self.secrecy.is_attacked() && self.one_in(4) {
                self.attacks(&mut steps);
            } else {
                steps.push(self.step());
            }
        }
        Plan {
            seed,
            people: self.people,
            links,
            stores,
            places: self.places,
            settings,
            sky,
            secrecy: self.secrecy,
            steps,
        }
    }

    fn links(&mut self, people: usize) -> Vec<LinkChoice> {
        let choices = match self.dice.below(3) {
            0 => [LinkChoice::PerMessage; 4],
            1 => [LinkChoice::Held; 4],
            _ => [
                LinkChoice::Auto,
                LinkChoice::Auto,
                LinkChoice::Held,
                LinkChoice::PerMessage,
            ],
        };
        (0..people).map(|_| self.pick(&choices)).collect()
    }

    /// In a third of the worlds all clients have a store, in a third some.
    fn stores(&mut self, people: usize) -> Vec<StoreKind> {
        let (none, lasting) = (StoreKind::None, StoreKind::Lasting);
        let choices = self.pick(&[[none, none], [lasting, lasting], [none, lasting]]);
        (0..people).map(|_| self.pick(&choices)).collect()
    }

    /// In a third of the worlds nobody knows that the server has two addresses, in a third everybody does. In a third they have
    /// what they were told: by somebody who knew only one, or by a name that also leads to a host that is no more.
    fn places(&mut self, people: usize) -> Vec<Vec<Place>> {
        let [v4, v6] = Kind::BOTH.map(Place::Server);
        let (closed, silent) = (Place::Closed, Place::Silent);
        let both: [&[_]; 2] = [&[v4, v6], &[v6, v4]];
        let any: [&[_]; 10] = [
            &[v4],
            &[v6],
            &[v4, v6],
            &[v6, v4],
            &[closed, v4],
            &[closed, v6, v4],
            &[silent, v4],
            &[silent, v6, v4],
            &[v6, silent],
            &[v4, closed, silent, v6],
        ];
        let choices: &[&[Place]] = match self.dice.below(3) {
            0 => return Vec::new(),
            1 => &both,
            _ => &any,
        };
        (0..people).map(|_| self.pick(choices).to_vec()).collect()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.dice.below(count) == 0
    }

    fn up_to(&mut self, most: u64) -> u64 {
        let most = usize::try_from(most).unwrap_or(usize::MAX - 1);
        u64::try_from(self.dice.below(most + 1)).unwrap_or(0)
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.dice.below(choices.len())]
    }

    fn settings(&mut self) -> Settings {
        let usual = Settings::default();
        let (heartbeat, timeout) = self.pick(&[
            (30_000, 95_000),
            (30_000, 95_000),
            (10_000, 35_000),
            (2_000, 8_000),
        ]);
        Settings {
            attempts_max: self.pick(&[3, 3, 1, 5]),
            block_time: Millis(self.pick(&[60_000, 5_000])),
            mailbox_messages: self.pick(&[1_000, 1_000, 1_000, 20, 3]),
            mailbox_age: self.pick(&[
                usual.mailbox_age,
                usual.mailbox_age,
                Millis(3_600_000),
                Millis(60_000),
            ]),
            mailbox_bytes: self.pick(&[usual.mailbox_bytes, usual.mailbox_bytes, 2_000]),
            heartbeat_interval: Millis(heartbeat),
            timeout: Millis(timeout),
            question_expiry: Millis(self.pick(&[120_000, 30_000, 3_000])),
            store_after: Millis(self.pick(&[250, 250, 20, 2_000])),
            presence_interval: Millis(self.pick(&[2_000, 2_000, 100, 10_000])),
            presence_alerts_max: self.pick(&[500, 500, 500, 2]),
            max_text: self.pick(&[8 * 1024, 8 * 1024, 100]),
            shutdown_deadline: Millis(self.pick(&[10_000, 3_000])),
            operations: self.pick(&[usual.operations, usual.operations, Pace(5, 2), Pace(1, 1)]),
            deliveries: self.pick(&[usual.deliveries, usual.deliveries, Pace(3, 2)]),
        }
    }

    fn sky(&mut self) -> Sky {
        if self.unkindness == Unkindness::None {
            return Sky::CLEAR;
        }
        Sky {
            latency: Millis(self.pick(&[5, 5, 1, 50, 300])),
            jitter: Millis(self.pick(&[5, 5, 50, 500, 2_000])),
            set_up: Millis(self.pick(&[0, 0, 5, 300])),
            pieces_max: self.pick(&[1, 2, 2, 5]),
            joins_per_mille: self.pick(&[0, 0, 300]),
            breaks_per_mille: self.pick(&[0, 0, 20, 100, 300]),
            losses_per_mille: self.pick(&[0, 0, 0, 30, 100]),
            failed_dials_per_mille: self.pick(&[0, 0, 0, 30, 100]),
            hung_dials_per_mille: self.pick(&[0, 0, 0, 20, 50]),
        }
    }

    fn step(&mut self) -> Step {
        let pause = match self.dice.below(100) {
            0..50 => self.up_to(300),
            50..82 => self.up_to(5_000),
            82..96 => self.up_to(60_000),
            96..99 => self.up_to(600_000),
            _ => self.up_to(4 * 60 * 60 * 1_000),
        };
        Step {
            pause: Millis(pause),
            action: self.action(),
        }
    }

    /// Somebody logs in, and may need several tries.
    fn arrival(&mut self, person: Person, steps: &mut Vec<Step>) {
        let wrong = if self.one_in(4) {
            self.dice.below(7)
        } else {
            0
        };
        for number in 0..=wrong {
            let guess = if number < wrong {
                Guess::Wrong
            } else {
                Guess::Right
            };
            let action = if number == 0 {
                Action::SitDown(person, guess)
            } else {
                Action::Wish(person, Wish::LogIn(guess))
            };
            let pause = Millis(self.up_to(200));
            steps.push(Step { pause, action });
        }
    }

    /// One asks and another one answers soon: by chance alone too few would ever come to know each other.
    fn introduction(&mut self, steps: &mut Vec<Step>) {
        let (asker, asked) = (self.person(), self.person());
        let account = Whom::Account(self.people[asked.0]);
        let answer = Wish::Answer(Whom::Asker, self.reply());
        let wishes = [
            (asker, self.question(account)),
            (asked, answer),
            (asker, Wish::Private(account, 1)),
        ];
        for (person, wish) in wishes {
            let pause = Millis(self.up_to(600));
            let action = Action::Wish(person, wish);
            steps.push(Step { pause, action });
        }
        if self.one_in(3) {
            self.comparison(asked, Whom::Account(self.people[asker.0]), steps);
            if self.unkindness == Unkindness::All && self.one_in(2) {
                self.comeback(asked, asker, steps);
            }
        }
    }

    /// Somebody who was compared is gone, comes back with another key, and is introduced again.
    fn comeback(&mut self, person: Person, peer: Person, steps: &mut Vec<Step>) {
        let (own, other) = (self.people[person.0], self.people[peer.0]);
        let actions = [
            Action::CrashClient(peer),
            Action::Wish(person, Wish::Private(Whom::Account(other), 1)),
            Action::SitDown(peer, Guess::Right),
            Action::Wish(person, Wish::GetAddress(Whom::Account(other))),
            Action::Wish(peer, Wish::Answer(Whom::Account(own), Reply::Yes)),
            Action::Wish(person, Wish::Private(Whom::Account(other), 1)),
        ];
        for action in actions {
            let pause = Millis(self.up_to(1_000));
            steps.push(Step { pause, action });
        }
    }

    /// Somebody's client is gone while something is under way for it, and comes back.
    fn relapse(&mut self, steps: &mut Vec<Step>) {
        let (person, other) = (self.person(), self.person());
        let (own, others) = (self.people[person.0], self.people[other.0]);
        let actions = [
            Action::Disk(person, Disk::Takes(Millis(self.pick(&[0, 5, 50, 1_000])))),
            Action::Wish(person, Wish::Message(Whom::Account(others), 1)),
            Action::Wish(other, Wish::Message(Whom::Account(own), 1)),
            Action::Wish(person, Wish::Private(Whom::Account(others), 1)),
            Action::Wish(other, Wish::Private(Whom::Account(own), 1)),
            Action::CrashClient(person),
            Action::SitDown(person, Guess::Right),
        ];
        for action in actions {
            let pause = Millis(self.up_to(60));
            steps.push(Step { pause, action });
        }
    }

    /// Somebody looks at the code that they share with a peer, and marks it.
    fn comparison(&mut self, person: Person, peer: Whom, steps: &mut Vec<Step>) {
        for wish in [Wish::Verify(peer), Wish::MarkVerified(peer)] {
            let pause = Millis(self.up_to(300));
            let action = Action::Wish(person, wish);
            steps.push(Step { pause, action });
        }
    }

    /// An account is removed, and later there is another one of its name, or the same person comes back.
    fn succession(&mut self, steps: &mut Vec<Step>) {
        let (person, other) = (self.person(), self.person());
        let account = self.people[person.0];
        let whom = Whom::Account(account);
        let actions = [
            Action::Wish(other, Wish::Message(whom, 1)),
            Action::Account(account, Change::Remove),
            Action::Wish(other, Wish::Message(whom, 1)),
            Action::Account(account, self.pick(&[Change::Add, Change::Password])),
            Action::SitDown(person, Guess::Right),
            Action::Wish(other, Wish::Message(whom, 1)),
        ];
        for action in actions {
            let pause = Millis(self.up_to(3_000));
            steps.push(Step { pause, action });
        }
    }

    /// Several in a row: one alone seldom fits.
    fn attacks(&mut self, steps: &mut Vec<Step>) {
        for _ in 0..=self.dice.below(5) {
            let pause = Millis(self.up_to(2_000));
            let action = self.attack();
            steps.push(Step { pause, action });
        }
    }

    fn attack(&mut self) -> Action {
        let person = self.person();
        let intrusion = match self.dice.below(20) {
            0..=2 => Intrusion::Claim(self.people[person.0], self.claim()),
            3 | 4 => Intrusion::Greet(person, self.pick(&[Knowledge::Key, Knowledge::Nothing])),
            5 if self.unkindness != Unkindness::None => self.pick(&[
                Intrusion::InterceptServer,
                Intrusion::InterceptServerAt(Kind::Ipv4),
                Intrusion::InterceptServerAt(Kind::Ipv6),
            ]),
            6 if self.unkindness != Unkindness::None => Intrusion::Intercept(person),
            7 | 8 => Intrusion::InterceptNobody,
            9..=11 => Intrusion::InDisguise,
            _ => return Action::Attack,
        };
        Action::Intrude(intrusion)
    }

    fn claim(&mut self) -> Claim {
        self.pick(&[
            Claim::Password,
            Claim::Password,
            Claim::Ticket,
            Claim::Nonsense,
            Claim::AnotherHandshake,
            Claim::Nothing,
        ])
    }

    fn action(&mut self) -> Action {
        let person = self.person();
        match self.dice.below(100) {
            0..68 => Action::Wish(person, self.wish(person)),
            68..70 => Action::Flood(person, self.whom(person), self.pick(&[3, 10, 50])),
            70..77 => Action::SitDown(person, self.guess()),
            77..80 => Action::SitDownOffline(person),
            80..81 => self.peace(),
            81..85 => Action::CheckTakes(Millis(self.pick(&[1, 100, 4_000]))),
            _ => self.misfortune(person),
        }
    }

    fn peace(&mut self) -> Action {
        let kind = self.kind();
        if self.places.is_empty() || self.one_in(2) {
            Action::Peace
        } else {
            Action::PeaceAt(kind)
        }
    }

    fn kind(&mut self) -> Kind {
        self.pick(&Kind::BOTH)
    }

    fn misfortune(&mut self, person: Person) -> Action {
        if self.unkindness == Unkindness::None {
            return Action::Wish(person, self.wish(person));
        }
        let other = self.person();
        let crashes = self.unkindness == Unkindness::All;
        let kinds = if self.places.is_empty() { 0 } else { 8 };
        match self.dice.below(51 + kinds) {
            0..3 => Action::CutServer(person),
            3 => Action::CutOneWay(person, self.pick(&[Way::ToServer, Way::FromServer])),
            4..8 => Action::HealServer(person),
            8..11 => Action::CutPeers(person, other),
            11..15 => Action::HealPeers(person, other),
            15 | 16 => Action::StickScreen(person),
            17..20 => Action::LoosenScreen(person),
            20 => Action::CloseListener(person),
            21 | 22 => Action::OpenListener(person),
            23 | 24 => Action::Weather(self.sky()),
            25 => Action::Sleep(person),
            26 | 27 => Action::Wake(person),
            28 if crashes => Action::SleepServer,
            29 if crashes => Action::WakeServer,
            30 => Action::SetClock(person, self.pick(&[-3_600_000, -1, 1, 60_000, 86_400_000])),
            31 if crashes => {
                Action::SetServerClock(self.pick(&[-86_400_000, -1_000, 1_000, 86_400_000]))
            }
            32 | 33 if crashes => Action::CrashClient(person),
            34 if crashes => Action::CrashServer,
            35 if crashes => Action::ShutDownServer,
            36 => Action::StoreTakes(Millis(self.pick(&[0, 5, 400, 3_000]))),
            37 if crashes => Action::FailStore,
            38 => Action::MendStore,
            39 | 40 => Action::Move(
                person,
                self.pick(&[Listening::There, Listening::There, Listening::Nowhere]),
            ),
            47 => Action::Disk(person, Disk::Takes(Millis(self.pick(&[0, 5, 400, 3_000])))),
            48 if crashes => Action::Disk(person, Disk::Fails),
            49 | 50 => Action::Disk(person, Disk::Works),
            51..54 => Action::CutServerAt(person, self.kind()),
            54 | 55 => Action::HealServerAt(person, self.kind()),
            56 => Action::CloseServerAt(self.kind()),
            57 | 58 => Action::OpenServerAt(self.kind()),
            41..44 => {
                let changes = [Change::Remove, Change::Add, Change::Add, Change::Password];
                Action::Account(self.people[person.0], self.pick(&changes))
            }
            _ => Action::StartServer,
        }
    }

    /// Rather one of the first few, so that people have to do with each other.
    fn person(&mut self) -> Person {
        let most = if self.one_in(4) {
            self.people.len()
        } else {
            self.people.len().min(4)
        };
        Person(self.dice.below(most))
    }

    /// Mostly somebody else, and now and then nonsense.
    fn whom(&mut self, person: Person) -> Whom {
        let own = self.people[person.0];
        for _ in 0..10 {
            let other = self.person();
            if self.people[other.0] != own {
                return Whom::Account(self.people[other.0]);
            }
        }
        self.pick(&[Whom::Nobody, Whom::Account(own)])
    }

    /// Mostly somebody of whom it makes sense, else anybody.
    fn rather(&mut self, whom: Whom, person: Person) -> Whom {
        if self.one_in(6) {
            self.whom(person)
        } else {
            whom
        }
    }

    fn peer(&mut self, person: Person) -> Whom {
        let place = self.dice.below(3);
        self.rather(Whom::Peer(place), person)
    }

    fn len(&mut self) -> usize {
        self.pick(&[1, 1, 1, 1, 1, 1, 100, 1_500, 9_000])
    }

    fn guess(&mut self) -> Guess {
        self.pick(&[Guess::Right, Guess::Right, Guess::Wrong])
    }

    fn reply(&mut self) -> Reply {
        self.pick(&[Reply::Yes, Reply::Always, Reply::Always, Reply::No])
    }

    fn question(&mut self, whom: Whom) -> Wish {
        self.pick(&[Wish::GetAddress(whom), Wish::GetAddressAlways(whom)])
    }

    fn wish(&mut self, person: Person) -> Wish {
        match self.dice.below(100) {
            0..30 => Wish::Message(self.whom(person), self.len()),
            30..36 => Wish::Broadcast(self.len()),
            36..52 => Wish::Private(self.peer(person), self.len()),
            52..57 => Wish::Block(self.whom(person)),
            57..61 => Wish::Unblock(self.rather(Whom::Blocked, person)),
            61..73 => {
                let whom = self.whom(person);
                self.question(whom)
            }
            73..84 => Wish::Answer(self.rather(Whom::Asker, person), self.reply()),
            84..88 => Wish::BareAnswer(self.reply()),
            88..90 => Wish::AddressBook,
            90..92 => Wish::RemoveAddress(self.peer(person)),
            92..94 => Wish::LogIn(self.guess()),
            94..96 => Wish::Leave,
            96 => Wish::EndOfInput,
            97 => Wish::Verify(self.peer(person)),
            98 => Wish::MarkVerified(self.peer(person)),
            _ => Wish::Online,
        }
    }
}
