//! Shrinking: from a plan that breaks a promise to the smallest one found that still breaks the same.
//!
//! A failing plan is cut wherever it can be: fewer steps, fewer people, shorter pauses, kinder weather, usual settings.
//! Whatever still fails is kept.

use super::checker::Violation;
use super::faults::Fault;
use super::plan::{Action, Intrusion, Millis, Person, Plan, Settings, Sky, Step, Wish};
use super::trial;
use crate::world::Secrecy;
use simplechat_core::wire::login::LinkChoice;

/// Trials after which the plan is small enough.
const TRIALS_MAX: u32 = 2_000;

struct Shrinker {
    best: Plan,
    violation: Violation,
    fault: Option<Fault>,
    trials: u32,
}

/// Cuts a failing plan down. Gives the smallest plan found, and how that one fails.
#[must_use]
pub fn shrink(plan: &Plan, violation: &Violation, fault: Option<Fault>) -> (Plan, Violation) {
    let mut shrinker = Shrinker {
        best: plan.clone(),
        violation: violation.clone(),
        fault,
        trials: 0,
    };
    loop {
        let before = shrinker.best.clone();
        shrinker.drop_steps();
        shrinker.drop_people();
        shrinker.calm();
        shrinker.shorten();
        if shrinker.best == before || shrinker.trials >= TRIALS_MAX {
            return (shrinker.best, shrinker.violation);
        }
    }
}

impl Shrinker {
    /// Takes a plan in place of the best one if it breaks the same promise.
    fn try_plan(&mut self, plan: Plan) -> bool {
        if plan == self.best || self.trials >= TRIALS_MAX {
            return false;
        }
        self.trials += 1;
        match trial::run(&plan, self.fault, None) {
            Err(violation) if violation.promise == self.violation.promise => {
                self.best = plan;
                self.violation = violation;
                true
            }
            _ => false,
        }
    }

    fn try_change(&mut self, change: impl FnOnce(&mut Plan)) -> bool {
        let mut plan = self.best.clone();
        change(&mut plan);
        self.try_plan(plan)
    }

    /// Drops as many steps as possible: first half of them, then quarters, then one after the other. The time that they
    /// took is kept at first, as it may matter.
    fn drop_steps(&mut self) {
        let mut size = self.best.steps.len().next_power_of_two();
        while size > 0 {
            let mut from = self.best.steps.len();
            while from > 0 {
                let to = from;
                from = from.saturating_sub(size);
                let dropped = self.try_change(|plan| drop(plan.steps.drain(from..to)));
                if !dropped {
                    self.try_change(|plan| merge(&mut plan.steps, from, to));
                }
                from = from.min(self.best.steps.len());
            }
            size /= 2;
        }
    }

    /// Drops people with all that they do.
    fn drop_people(&mut self) {
        for person in (0..self.best.people.len()).rev() {
            self.try_change(|plan| {
                plan.steps
                    .retain(|step| !concerns(step.action, Person(person)));
            });
        }
        // Who does nothing at the end of the list is not needed at all.
        while self.try_change(|plan| {
            plan.people.pop();
        }) {}
    }

    /// Usual settings, and a kind network.
    fn calm(&mut self) {
        self.try_change(|plan| plan.links = vec![LinkChoice::PerMessage; plan.people.len()]);
        self.try_change(|plan| plan.links = vec![LinkChoice::Held; plan.people.len()]);
        self.try_change(|plan| plan.links.clear());
        self.try_change(|plan| plan.stores.clear());
        self.try_change(|plan| plan.places.clear());
        self.try_change(|plan| plan.secrecy = Secrecy::Quick);
        self.try_change(|plan| plan.secrecy = Secrecy::Sealed);
        self.try_change(|plan| plan.secrecy = Secrecy::QuickAttacked);
        self.try_change(|plan| plan.sky = Sky::CLEAR);
        self.try_change(|plan| plan.sky.jitter = Millis(0));
        self.try_change(|plan| plan.sky.set_up = Millis(0));
        self.try_change(|plan| plan.sky.latency = Millis(5));
        self.try_change(|plan| {
            plan.sky.pieces_max = 1;
            plan.sky.joins_per_mille = 0;
        });
        self.try_change(|plan| plan.sky.breaks_per_mille = 0);
        self.try_change(|plan| plan.sky.losses_per_mille = 0);
        self.try_change(|plan| plan.sky.failed_dials_per_mille = 0);
        self.try_change(|plan| plan.sky.hung_dials_per_mille = 0);
        self.try_change(|plan| plan.settings = Settings::default());
        let usual = Settings::default();
        self.try_change(|plan| plan.settings.attempts_max = usual.attempts_max);
        self.try_change(|plan| plan.settings.block_time = usual.block_time);
        self.try_change(|plan| plan.settings.mailbox_messages = usual.mailbox_messages);
        self.try_change(|plan| plan.settings.mailbox_age = usual.mailbox_age);
        self.try_change(|plan| plan.settings.mailbox_bytes = usual.mailbox_bytes);
        self.try_change(|plan| {
            plan.settings.heartbeat_interval = usual.heartbeat_interval;
            plan.settings.timeout = usual.timeout;
        });
        self.try_change(|plan| plan.settings.question_expiry = usual.question_expiry);
        self.try_change(|plan| plan.settings.store_after = usual.store_after);
        self.try_change(|plan| plan.settings.presence_interval = usual.presence_interval);
        self.try_change(|plan| plan.settings.presence_alerts_max = usual.presence_alerts_max);
        self.try_change(|plan| plan.settings.max_text = usual.max_text);
        self.try_change(|plan| plan.settings.shutdown_deadline = usual.shutdown_deadline);
        self.try_change(|plan| plan.settings.operations = usual.operations);
        self.try_change(|plan| plan.settings.deliveries = usual.deliveries);
    }

    /// Shorter pauses and texts.
    fn shorten(&mut self) {
        for place in 0..self.best.steps.len() {
            self.try_change(|plan| plan.steps[place].pause = Millis(0));
            for shorter in [|millis| millis / 1_000 * 1_000, |millis| millis / 2] {
                while self.try_change(|plan| {
                    let pause = &mut plan.steps[place].pause;
                    *pause = Millis(shorter(pause.0));
                }) {}
            }
            self.try_change(|plan| {
                if let Action::Wish(
                    _,
                    Wish::Message(_, len) | Wish::Private(_, len) | Wish::Broadcast(len),
                ) = &mut plan.steps[place].action
                {
                    *len = 1;
                }
            });
        }
    }
}

/// Drops steps, and leaves their pauses to the step behind them.
fn merge(steps: &mut Vec<Step>, from: usize, to: usize) {
    let pause: u64 = steps.drain(from..to).map(|step| step.pause.0).sum();
    if let Some(next) = steps.get_mut(from) {
        next.pause.0 += pause;
    }
}

/// Whether somebody takes part in what happens.
fn concerns(action: Action, person: Person) -> bool {
    match action {
        Action::SitDown(one, _)
        | Action::SitDownOffline(one)
        | Action::Wish(one, _)
        | Action::Flood(one, ..)
        | Action::CrashClient(one)
        | Action::CutServer(one)
        | Action::HealServer(one)
        | Action::CutServerAt(one, _)
        | Action::HealServerAt(one, _)
        | Action::CloseListener(one)
        | Action::OpenListener(one)
        | Action::StickScreen(one)
        | Action::LoosenScreen(one)
        | Action::CutOneWay(one, _)
        | Action::Sleep(one)
        | Action::Wake(one)
        | Action::Move(one, _)
        | Action::Intrude(Intrusion::Greet(one, _) | Intrusion::Intercept(one))
        | Action::Disk(one, _)
        | Action::SetClock(one, _) => one == person,
        Action::CutPeers(one, other) | Action::HealPeers(one, other) => {
            one == person || other == person
        }
        Action::Attack
        | Action::Intrude(
            Intrusion::InDisguise
            | Intrusion::Claim(..)
            | Intrusion::InterceptServer
            | Intrusion::InterceptServerAt(_)
            | Intrusion::InterceptNobody,
        )
        | Action::Account(..)
        | Action::CloseServerAt(_)
        | Action::OpenServerAt(_)
        | Action::CrashServer
        | Action::ShutDownServer
        | Action::StartServer
        | Action::SleepServer
        | Action::WakeServer
        | Action::SetServerClock(_)
        | Action::StoreTakes(_)
        | Action::FailStore
        | Action::MendStore
        | Action::Weather(_)
        | Action::CheckTakes(_)
        | Action::Peace
        | Action::PeaceAt(_) => false,
    }
}
