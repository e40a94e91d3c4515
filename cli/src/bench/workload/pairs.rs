//! Pairs: every other user writes to the next one. Through the server, through a mailbox while the other is away, or
//! directly; with a window of messages on their way, or at a fixed rate whatever becomes of them.

use std::collections::BTreeSet;
use std::time::Duration;

use simplechat_core::client::command::Command;
use simplechat_core::client::event::Event;
use simplechat_core::time::Timestamp;
use simplechat_core::wire::request::Outcome;

use super::super::crowd::{Crowd, Happening, UserId};
use super::introductions::Introductions;
use super::texts::Texts;
use super::{Stage, Workload};

/// Receivers that fetch their mailboxes at once.
const FETCHING_MAX: usize = super::super::fleet::LOGINS_MAX;

/// How a message goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Route {
    /// Through the server, to somebody who is online.
    Server,
    /// To somebody who is away, and fetches it afterwards.
    Mailbox,
    /// From client to client.
    Peer,
}

/// When the next message goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pace {
    /// As soon as fewer than so many of a sender are on their way.
    Window(u64),
    /// After so long, of all senders together.
    Every(Duration),
}

impl Pace {
    /// So many a second.
    pub(super) fn rate(a_second: u32) -> Self {
        Self::Every(Duration::from_secs(1) / a_second.max(1))
    }
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Before,
    Sending,
    Halted,
}

/// Messages at a fixed rate: the next one, and when it is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Beat {
    start: Timestamp,
    every: Duration,
    next: u64,
}

impl Beat {
    fn due(self) -> Timestamp {
        let nanos = u64::try_from(self.every.as_nanos()).unwrap_or(u64::MAX);
        self.start + Duration::from_nanos(nanos.saturating_mul(self.next))
    }
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Pairs {
    texts: Texts,
    pairs: u32,
    route: Route,
    pace: Pace,
    introductions: Option<Introductions>,
    phase: Phase,
    beat: Option<Beat>,
    /// Messages of each sender that the server has not answered, which is what counts while the other is away.
    unanswered: Vec<u64>,
    /// Who has not fetched yet, and since when it goes on.
    to_fetch: BTreeSet<UserId>,
    fetching: BTreeSet<UserId>,
    fetch_began: Option<Timestamp>,
    fetched: u64,
}

impl Pairs {
    pub(super) fn new(texts: Texts, users: u32, route: Route, pace: Pace) -> Self {
        let pairs = users / 2;
        Self {
            texts,
            pairs,
            route,
            pace,
            introductions: (route == Route::Peer).then(|| Introductions::new(pairs)),
            phase: Phase::Before,
            beat: None,
            unanswered: (0..pairs).map(|_| 0).collect(),
            to_fetch: BTreeSet::new(),
            fetching: BTreeSet::new(),
            fetch_began: None,
            fetched: 0,
        }
    }

    fn all(&self) -> impl Iterator<Item = (UserId, UserId)> + use<> {
        (0..self.pairs).map(pair)
    }

    /// Sends what the window leaves room for.
    fn fill(&mut self, stage: &mut Stage<'_>, from: UserId) {
        let Pace::Window(window) = self.pace else {
            return;
        };
        let now = stage.crowd.now();
        while self.phase == Phase::Sending
            && self.on_the_way(from) < window
            && self.send(stage, from, now)
        {}
    }

    fn on_the_way(&self, from: UserId) -> u64 {
        match self.route {
            Route::Mailbox => self
                .unanswered
                .get(from.index() / 2)
                .copied()
                .unwrap_or_default(),
            Route::Server | Route::Peer => self.texts.outstanding(from, partner(from)),
        }
    }

    /// Sends one message, unless the client has too many already.
    fn send(&mut self, stage: &mut Stage<'_>, from: UserId, due: Timestamp) -> bool {
        let Some(to) = stage.crowd.name(partner(from)) else {
            return false;
        };
        let crowd = &mut *stage.crowd;
        let route = self.route;
        let sent = self.texts.send(from, due, |text| {
            let command = match route {
                Route::Server | Route::Mailbox => Command::Message { to, text },
                Route::Peer => Command::Private { to, text },
            };
            crowd.command(from, command)
        });
        if sent.is_ok() {
            stage.tally.sent += 1;
            if let Some(unanswered) = self.unanswered.get_mut(from.index() / 2) {
                *unanswered += 1;
            }
        }
        sent.is_ok()
    }

    fn on_event(&mut self, stage: &mut Stage<'_>, user: UserId, event: &Event) {
        if let Some(arrival) = self.texts.arrived(stage.crowd, user, event) {
            match self.route {
                Route::Server | Route::Peer => stage.tally.count(arrival.took),
                Route::Mailbox => self.on_fetched(stage, user),
            }
            self.fill(stage, arrival.from);
        }
        let Some((payload, outcome)) = self.texts.outcome(event) else {
            return;
        };
        if let Some(unanswered) = self.unanswered.get_mut(user.index() / 2) {
            *unanswered = unanswered.saturating_sub(1);
        }
        if let Outcome::Refused(_) = outcome {
            stage.tally.refused += 1;
            self.texts.refused(partner(user), payload.number);
        } else if self.route == Route::Mailbox {
            stage.tally.count(stage.crowd.now().since(payload.sent));
        }
        self.fill(stage, user);
    }

    /// The receivers come, a few at once, and get what waits for them.
    fn fetch(&mut self, stage: &mut Stage<'_>) {
        while self.fetching.len() < FETCHING_MAX
            && let Some(user) = self.to_fetch.pop_first()
        {
            self.fetching.insert(user);
            stage.crowd.enter(user);
        }
    }

    fn on_fetched(&mut self, stage: &mut Stage<'_>, user: UserId) {
        self.fetched += 1;
        if let Some(began) = self.fetch_began {
            let took = stage.crowd.now().since(began);
            stage.tally.fetched = Some((self.fetched, took));
        }
        if self.texts.outstanding(sender_to(user), user) == 0 {
            self.fetching.remove(&user);
            self.fetch(stage);
        }
    }

    /// Once the server has answered everything, it is the receivers' turn.
    fn begin_to_fetch(&mut self, stage: &mut Stage<'_>) {
        let is_time = self.route == Route::Mailbox
            && self.phase == Phase::Halted
            && self.fetch_began.is_none()
            && self.unanswered.iter().all(|unanswered| *unanswered == 0);
        if is_time {
            self.fetch_began = Some(stage.crowd.now());
            self.to_fetch = self
                .all()
                .filter(|(from, to)| self.texts.outstanding(*from, *to) > 0)
                .map(|(_, to)| to)
                .collect();
            self.fetch(stage);
        }
    }
}

impl Workload for Pairs {
    fn enters(&self, user: UserId) -> bool {
        user.0 < self.pairs * 2 && (self.route != Route::Mailbox || user.0.is_multiple_of(2))
    }

    fn prepare(&mut self, stage: &mut Stage<'_>) {
        if let Some(introductions) = &mut self.introductions {
            introductions.begin(stage);
        }
    }

    fn is_prepared(&self) -> bool {
        self.introductions
            .as_ref()
            .is_none_or(Introductions::are_made)
    }

    fn begin(&mut self, stage: &mut Stage<'_>) {
        self.phase = Phase::Sending;
        match self.pace {
            Pace::Window(_) => {
                for (from, _) in self.all() {
                    self.fill(stage, from);
                }
            }
            Pace::Every(every) => {
                let start = stage.crowd.now();
                self.beat = Some(Beat {
                    start,
                    every,
                    next: 0,
                });
                self.time_out(stage);
            }
        }
    }

    fn happened(&mut self, stage: &mut Stage<'_>, user: UserId, happening: &Happening) {
        let Happening::Event(event) = happening else {
            return;
        };
        if let Some(introductions) = &mut self.introductions {
            introductions.happened(stage, user, event);
        }
        self.on_event(stage, user, event);
        self.begin_to_fetch(stage);
    }

    fn due(&self) -> Option<Timestamp> {
        self.beat.map(Beat::due)
    }

    fn time_out(&mut self, stage: &mut Stage<'_>) {
        let now = stage.crowd.now();
        while let Some(beat) = self.beat
            && beat.due() <= now
        {
            let turn = beat.next % u64::from(self.pairs.max(1));
            let (from, _) = pair(u32::try_from(turn).unwrap_or_default());
            stage.tally.late = stage.tally.late.max(now.since(beat.due()));
            if !self.send(stage, from, beat.due()) {
                stage.tally.refused += 1;
            }
            let next = beat.next + 1;
            self.beat = Some(Beat { next, ..beat });
        }
    }

    fn halt(&mut self, stage: &mut Stage<'_>) {
        self.phase = Phase::Halted;
        self.beat = None;
        self.begin_to_fetch(stage);
    }

    fn is_settled(&self, _crowd: &Crowd) -> bool {
        self.all()
            .all(|(from, to)| self.texts.outstanding(from, to) == 0)
    }

    fn judge(&mut self, stage: &mut Stage<'_>) {
        for (from, to) in self.all() {
            stage.tally.faults.add(self.texts.faults(from, to));
        }
    }
}

/// The sender and the receiver of a pair.
fn pair(number: u32) -> (UserId, UserId) {
    (UserId(2 * number), UserId(2 * number + 1))
}

/// Whom a sender writes to.
fn partner(from: UserId) -> UserId {
    UserId(from.0 | 1)
}

/// Who writes to a receiver.
fn sender_to(to: UserId) -> UserId {
    UserId(to.0 & !1)
}
