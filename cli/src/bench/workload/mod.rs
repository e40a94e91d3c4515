//! What users do, and what is counted of it: a file for each.

mod fanout;
mod idle;
mod introductions;
mod login;
mod pairs;
mod texts;

use simplechat_core::time::Timestamp;

use super::crowd::{Crowd, Happening, UserId};
use super::payload::Run;
use super::tally::Tally;
use crate::args::bench::{Bench, WorkloadName};
use fanout::Fanout;
use idle::Idle;
use login::Login;
use pairs::{Pace, Pairs, Route};
use texts::Texts;

/// What a workload acts on.
pub(super) struct Stage<'a> {
    pub(super) crowd: &'a mut Crowd,
    pub(super) tally: &'a mut Tally,
}

/// What users do. It hears of everything that happens to them, from the first login on.
pub(super) trait Workload: Send {
    /// Whether this user is logged in before it begins.
    fn enters(&self, _user: UserId) -> bool {
        true
    }

    /// Everybody is logged in who is to be.
    fn prepare(&mut self, _stage: &mut Stage<'_>) {}

    /// Whether it can begin.
    fn is_prepared(&self) -> bool {
        true
    }

    /// From now on it is measured.
    fn begin(&mut self, stage: &mut Stage<'_>);

    /// Something has happened to a user.
    fn happened(&mut self, stage: &mut Stage<'_>, user: UserId, happening: &Happening);

    /// When to be woken.
    fn due(&self) -> Option<Timestamp> {
        None
    }

    /// It is time.
    fn time_out(&mut self, _stage: &mut Stage<'_>) {}

    /// It is measured no more, and nothing new is to be begun.
    fn halt(&mut self, stage: &mut Stage<'_>);

    /// Whether everything that was begun has come to its end.
    fn is_settled(&self, crowd: &Crowd) -> bool;

    /// Nothing more will come: says what is wrong.
    fn judge(&mut self, _stage: &mut Stage<'_>) {}
}

/// The workload that the command line asks for, with so many users.
pub(super) fn of(args: &Bench, users: u32, run: Run) -> Box<dyn Workload> {
    let size = usize::try_from(args.size).unwrap_or(usize::MAX);
    let texts = Texts::new(run, size, users);
    let window = Pace::Window(args.window.into());
    match args.workload {
        WorkloadName::Direct => Box::new(Pairs::new(texts, users, Route::Server, window)),
        WorkloadName::Latency => {
            let rate = Pace::rate(args.rate);
            Box::new(Pairs::new(texts, users, Route::Server, rate))
        }
        WorkloadName::Mailbox => Box::new(Pairs::new(texts, users, Route::Mailbox, window)),
        WorkloadName::Private => Box::new(Pairs::new(texts, users, Route::Peer, window)),
        WorkloadName::Fanout => Box::new(Fanout::new(texts, users, args.window)),
        WorkloadName::Idle => Box::new(Idle),
        WorkloadName::Login => Box::new(Login::new()),
    }
}

/// What is done, in words.
pub(super) fn unit(workload: WorkloadName) -> &'static str {
    match workload {
        WorkloadName::Direct
        | WorkloadName::Latency
        | WorkloadName::Mailbox
        | WorkloadName::Private => "messages",
        WorkloadName::Fanout => "deliveries",
        WorkloadName::Idle => "nothing",
        WorkloadName::Login => "logins",
    }
}
