//! One user writes to all others at once, with a window of broadcasts that not everybody has yet.

use std::collections::BTreeMap;

use simplechat_core::client::command::Command;
use simplechat_core::wire::request::Outcome;

use super::super::crowd::{Crowd, Happening, UserId};
use super::texts::Texts;
use super::{Stage, Workload};

const SPEAKER: UserId = UserId(0);

/// See the module's text.
#[derive(Debug)]
pub(super) struct Fanout {
    texts: Texts,
    listeners: u32,
    window: usize,
    is_sending: bool,
    /// Who does not have a broadcast yet: how many, by its number.
    open: BTreeMap<u64, u32>,
}

impl Fanout {
    pub(super) fn new(texts: Texts, users: u32, window: u32) -> Self {
        Self {
            texts,
            listeners: users.saturating_sub(1),
            window: usize::try_from(window).unwrap_or(usize::MAX),
            is_sending: false,
            open: BTreeMap::new(),
        }
    }

    fn fill(&mut self, stage: &mut Stage<'_>) {
        while self.is_sending && self.open.len() < self.window {
            let number = self.texts.sent(SPEAKER);
            let (now, crowd) = (stage.crowd.now(), &mut *stage.crowd);
            let sent = self.texts.send(SPEAKER, now, |text| {
                crowd.command(SPEAKER, Command::Broadcast { text })
            });
            if sent.is_err() {
                return;
            }
            stage.tally.sent += 1;
            self.open.insert(number, self.listeners);
        }
    }

    fn arrived(&mut self, number: u64) {
        if let Some(left) = self.open.get_mut(&number) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.open.remove(&number);
            }
        }
    }
}

impl Workload for Fanout {
    fn begin(&mut self, stage: &mut Stage<'_>) {
        self.is_sending = true;
        self.fill(stage);
    }

    fn happened(&mut self, stage: &mut Stage<'_>, user: UserId, happening: &Happening) {
        let Happening::Event(event) = happening else {
            return;
        };
        if let Some(arrival) = self.texts.arrived(stage.crowd, user, event) {
            stage.tally.count(arrival.took);
            self.arrived(arrival.number);
            self.fill(stage);
        }
        if let Some((payload, outcome)) = self.texts.outcome(event) {
            if let Outcome::Refused(_) = outcome {
                stage.tally.refused += 1;
                self.open.remove(&payload.number);
                for listener in stage.crowd.users().skip(1) {
                    self.texts.refused(listener, payload.number);
                }
            }
            self.fill(stage);
        }
    }

    fn halt(&mut self, _stage: &mut Stage<'_>) {
        self.is_sending = false;
    }

    fn is_settled(&self, _crowd: &Crowd) -> bool {
        self.open.is_empty()
    }

    fn judge(&mut self, stage: &mut Stage<'_>) {
        for listener in stage.crowd.users().skip(1) {
            stage.tally.faults.add(self.texts.faults(SPEAKER, listener));
        }
    }
}
