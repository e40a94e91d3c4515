//! All users as one machine, for one driver: they log in, do what their workload says, come to rest and leave.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use simplechat_core::client::command::Command;
use simplechat_core::client::event::{End, Event, Occasion, SessionEvent};
use simplechat_core::machine::{Deadline, Input, Machine, Output};
use simplechat_core::time::{Moment, Timestamp};
use simplechat_core::wire::login::LoginRefusal;

use super::crowd::{Crowd, Happening, UserId};
use super::tally::{Meter, Tally};
use super::workload::{Stage, Workload};

/// Logins under way at once: a server takes no more than 64 from one address.
pub(super) const LOGINS_MAX: usize = 32;
/// When nothing at all has happened for so long to users of whom something is expected, nothing will.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the fleet is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// Go to work.
    Begin,
    /// Begin nothing new, and let what is under way come to its end.
    Halt,
    /// Everybody leaves.
    Leave,
}

/// What the fleet tells.
#[derive(Debug)]
pub(super) enum FleetEvent {
    /// Everybody is where the workload wants them.
    Ready,
    /// Nothing is under way any more, and this is what came of it.
    Settled(Box<Tally>),
    /// It cannot go on.
    Failed(Trouble),
    /// Everybody has left.
    Gone,
}

/// Why it cannot go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    /// A user was not let in.
    Refused(LoginRefusal),
    /// A client has ended by itself.
    Ended(End),
    /// Nothing happens any more, while this was to be done.
    Stuck(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Entering,
    Preparing,
    Ready,
    Running,
    Settling,
    Settled,
    Leaving,
    Over,
}

/// See the module's text.
pub(super) struct Fleet {
    crowd: Crowd,
    workload: Box<dyn Workload>,
    tally: Tally,
    meter: Arc<Meter>,
    phase: Phase,
    to_enter: VecDeque<UserId>,
    entering: usize,
    /// When something last happened.
    moved: Timestamp,
}

impl Fleet {
    pub(super) fn new(crowd: Crowd, workload: Box<dyn Workload>, meter: Arc<Meter>) -> Self {
        let mut fleet = Self {
            to_enter: crowd
                .users()
                .filter(|user| workload.enters(*user))
                .collect(),
            entering: 0,
            moved: crowd.now(),
            tally: Tally::new(Arc::clone(&meter)),
            meter,
            crowd,
            workload,
            phase: Phase::Entering,
        };
        fleet.proceed();
        fleet
    }

    fn stage(&mut self) -> (&mut dyn Workload, Stage<'_>) {
        let stage = Stage {
            crowd: &mut self.crowd,
            tally: &mut self.tally,
        };
        (&mut *self.workload, stage)
    }

    /// Lets what has happened have its consequences, until nothing more follows.
    fn proceed(&mut self) {
        loop {
            while let Some((user, happening)) = self.crowd.next_happening() {
                self.moved = self.crowd.now();
                self.note(&happening);
                let (workload, mut stage) = self.stage();
                workload.happened(&mut stage, user, &happening);
            }
            if !self.next_phase() {
                return;
            }
        }
    }

    /// Goes on to the next phase, or a step in this one; or has to wait.
    fn next_phase(&mut self) -> bool {
        match self.phase {
            Phase::Entering if self.entering < LOGINS_MAX && !self.to_enter.is_empty() => {
                if let Some(user) = self.to_enter.pop_front() {
                    self.entering += 1;
                    self.crowd.enter(user);
                }
            }
            Phase::Entering if self.entering == 0 => {
                self.phase = Phase::Preparing;
                let (workload, mut stage) = self.stage();
                workload.prepare(&mut stage);
            }
            Phase::Preparing if self.workload.is_prepared() => {
                self.phase = Phase::Ready;
                self.tell(FleetEvent::Ready);
            }
            Phase::Settling if self.workload.is_settled(&self.crowd) => self.settle(),
            Phase::Leaving if self.crowd.is_empty() => {
                self.phase = Phase::Over;
                self.tell(FleetEvent::Gone);
                self.crowd.output(Output::Stop);
            }
            Phase::Entering
            | Phase::Preparing
            | Phase::Ready
            | Phase::Running
            | Phase::Settling
            | Phase::Settled
            | Phase::Leaving
            | Phase::Over => return false,
        }
        true
    }

    fn note(&mut self, happening: &Happening) {
        let Happening::Event(Event::Session(event)) = happening else {
            return;
        };
        match event {
            SessionEvent::LoggedIn {
                occasion: Occasion::First,
                ..
            } if self.phase == Phase::Entering => {
                self.entering -= 1;
                self.meter.count();
            }
            SessionEvent::LoggedIn {
                occasion: Occasion::Again,
                ..
            }
            | SessionEvent::ServerAway { .. }
            | SessionEvent::Impostor { .. }
            | SessionEvent::TimedOut => self.tally.breaks += 1,
            SessionEvent::Slowed => self.tally.slowed += 1,
            SessionEvent::LoginRefused { refusal } => self.fail(Trouble::Refused(*refusal)),
            SessionEvent::Ended { end, .. } if *end != End::Left => {
                self.fail(Trouble::Ended(*end));
            }
            SessionEvent::LoggedIn { .. }
            | SessionEvent::ListenerUnreachable { .. }
            | SessionEvent::LinkHeld { .. }
            | SessionEvent::ServerBack
            | SessionEvent::PasswordNeeded
            | SessionEvent::Ended { .. } => {}
        }
    }

    fn settle(&mut self) {
        self.phase = Phase::Settled;
        let (workload, mut stage) = self.stage();
        workload.judge(&mut stage);
        let meter = Arc::clone(&self.meter);
        let tally = std::mem::replace(&mut self.tally, Tally::new(meter));
        self.tell(FleetEvent::Settled(Box::new(tally)));
    }

    fn leave(&mut self) {
        self.phase = Phase::Leaving;
        for user in self.crowd.users() {
            // Who is not here need not leave.
            let _ = self.crowd.command(user, Command::Leave);
        }
    }

    fn fail(&mut self, trouble: Trouble) {
        if !matches!(self.phase, Phase::Leaving | Phase::Over) {
            self.phase = Phase::Over;
            self.tell(FleetEvent::Failed(trouble));
            self.crowd.output(Output::Stop);
        }
    }

    fn tell(&mut self, event: FleetEvent) {
        self.crowd.output(Output::Event(event));
    }

    /// When to give up waiting.
    fn patience(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Entering | Phase::Preparing | Phase::Settling | Phase::Leaving => {
                Some(self.moved + PATIENCE)
            }
            Phase::Ready | Phase::Running | Phase::Settled | Phase::Over => None,
        }
    }

    fn lose_patience(&mut self) {
        match self.phase {
            Phase::Entering => self.fail(Trouble::Stuck("everybody was to log in")),
            Phase::Preparing => self.fail(Trouble::Stuck("pairs were to be introduced")),
            // What has not come yet is lost.
            Phase::Settling => self.settle(),
            Phase::Leaving => {
                self.phase = Phase::Over;
                self.tell(FleetEvent::Gone);
                self.crowd.output(Output::Stop);
            }
            Phase::Ready | Phase::Running | Phase::Settled | Phase::Over => {}
        }
    }

    fn time_out(&mut self) {
        let now = self.crowd.now();
        self.crowd.time_out();
        if self.workload.due().is_some_and(|due| due <= now) {
            let (workload, mut stage) = self.stage();
            workload.time_out(&mut stage);
        }
        if self.patience().is_some_and(|at| at <= now) {
            self.lose_patience();
        }
    }
}

impl Machine for Fleet {
    type Command = Order;
    type Rejected = Infallible;
    type Effect = Infallible;
    type Done = Infallible;
    type Event = FleetEvent;

    fn handle_input(&mut self, now: Moment, input: Input<'_, Infallible>) {
        self.crowd.set_now(now);
        match input {
            Input::Timeout => self.time_out(),
            fact @ (Input::Accepted { .. }
            | Input::Connected { .. }
            | Input::ConnectFailed { .. }
            | Input::Received { .. }
            | Input::Finished { .. }
            | Input::Closed { .. }
            | Input::EffectDone(_)) => self.crowd.input(fact),
        }
        self.proceed();
    }

    fn handle_command(&mut self, now: Moment, order: Order) -> Result<(), Infallible> {
        self.crowd.set_now(now);
        self.moved = self.crowd.now();
        match (order, self.phase) {
            (Order::Begin, Phase::Ready) => {
                self.phase = Phase::Running;
                self.tally.begin();
                let (workload, mut stage) = self.stage();
                workload.begin(&mut stage);
            }
            (Order::Halt, Phase::Running) => {
                self.phase = Phase::Settling;
                self.tally.halt();
                let (workload, mut stage) = self.stage();
                workload.halt(&mut stage);
            }
            (Order::Leave, phase) if phase != Phase::Over => self.leave(),
            (Order::Begin | Order::Halt | Order::Leave, _) => {}
        }
        self.proceed();
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Output<Infallible, FleetEvent>> {
        self.crowd.next_output()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        if self.phase == Phase::Over {
            return None;
        }
        let due = [self.crowd.due(), self.workload.due(), self.patience()];
        let at = due.into_iter().flatten().min()?;
        let kind = "wake a user or the workload";
        Some(Deadline { at, kind })
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet")
            .field("crowd", &self.crowd)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
