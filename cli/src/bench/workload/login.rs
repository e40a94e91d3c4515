//! Everybody logs in, leaves as soon as they are logged in, and comes again as a new client.

use std::collections::{BTreeMap, VecDeque};

use simplechat_core::client::command::Command;
use simplechat_core::client::event::{Event, SessionEvent};
use simplechat_core::time::Timestamp;

use super::super::crowd::{Crowd, Happening, UserId};
use super::super::fleet::LOGINS_MAX;
use super::{Stage, Workload};

/// See the module's text.
#[derive(Debug)]
pub(super) struct Login {
    is_going_on: bool,
    /// Who comes next.
    waiting: VecDeque<UserId>,
    /// Who is here, and since when they try.
    since: BTreeMap<UserId, Timestamp>,
}

impl Login {
    pub(super) const fn new() -> Self {
        Self {
            is_going_on: false,
            waiting: VecDeque::new(),
            since: BTreeMap::new(),
        }
    }

    fn let_in(&mut self, stage: &mut Stage<'_>) {
        while self.is_going_on
            && self.since.len() < LOGINS_MAX
            && let Some(user) = self.waiting.pop_front()
        {
            self.since.insert(user, stage.crowd.now());
            stage.crowd.enter(user);
        }
    }
}

impl Workload for Login {
    fn enters(&self, _user: UserId) -> bool {
        false
    }

    fn begin(&mut self, stage: &mut Stage<'_>) {
        self.is_going_on = true;
        self.waiting = stage.crowd.users().collect();
        self.let_in(stage);
    }

    fn happened(&mut self, stage: &mut Stage<'_>, user: UserId, happening: &Happening) {
        match happening {
            Happening::Event(Event::Session(SessionEvent::LoggedIn { .. })) => {
                if let Some(since) = self.since.get(&user) {
                    stage.tally.count(stage.crowd.now().since(*since));
                }
                // Leaving is never refused.
                let _ = stage.crowd.command(user, Command::Leave);
            }
            Happening::Left => {
                self.since.remove(&user);
                self.waiting.push_back(user);
                self.let_in(stage);
            }
            Happening::Event(_) => {}
        }
    }

    fn halt(&mut self, _stage: &mut Stage<'_>) {
        self.is_going_on = false;
    }

    fn is_settled(&self, _crowd: &Crowd) -> bool {
        self.since.is_empty()
    }
}
