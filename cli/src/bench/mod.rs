//! `simplechat bench`: many users in one process, which do what a workload says and check what comes of it.
//!
//! ```text
//! server ── the process that is measured            report ◀── tally, process (what was used)
//! driver ◀──▶ fleet ── phases: enter, prepare, work, settle, leave
//!              ├ crowd ─── the clients: many of the project's own machines as one
//!              └ workload ─ who writes to whom, and when (payload: what a text says; verify: what came of it)
//! ```
//!
//! One driver carries all users, so the tool costs little more than its clients' machines do.

mod crowd;
mod fleet;
mod payload;
mod process;
mod progress;
mod report;
mod server;
mod tally;
mod verify;
mod workload;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use simplechat_core::client::event::End;
use simplechat_core::machine::Host;
use simplechat_core::rng::SecretSource;
use simplechat_core::wire::frame::{Frame, RefusalCode};
use simplechat_core::wire::login::LinkChoice;
use simplechat_driver::{Clock, Handle, Listener, Options};

use crate::args::bench::{Bench, BenchLink, WorkloadName, word};
use crate::entropy::{OsSecrets, seed};
use crate::exit::{Exit, Failure};
use crate::join::place;
use crate::serve::descriptors::{Room, make_room};
use crate::transport::Driver;
use crate::{print, signals};
use crowd::{Common, Crowd, Person};
use fleet::{Fleet, FleetEvent, Order, Trouble};
use payload::Run;
use process::usage;
use progress::Progress;
use report::{Asked, Readings, Report, Whose};
use server::Target;
use tally::{Meter, Tally};

const USERS: u32 = 100;
const LOGGING_IN: u32 = 32;
/// Connections that one user may have at once, where each exchange has its own.
const CONNECTIONS_EACH: usize = 16;
/// Where nobody calls, and the server does not either: the least port that a server takes.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1_024);
/// How often the line on the terminal is written.
const GLANCE: Duration = Duration::from_millis(100);

/// What the one who waits for the end hears.
enum News {
    Fleet(FleetEvent),
    Interrupted,
}

struct Reporter(Sender<News>);

impl Host<Fleet> for Reporter {
    fn perform(&mut self, effect: Infallible) {
        match effect {}
    }

    fn show(&mut self, event: FleetEvent) {
        // Nobody listens any more only when the program is ending.
        let _ = self.0.send(News::Fleet(event));
    }
}

/// Measures, and says what came of it.
pub(crate) fn run(args: &Bench) -> Result<Exit, Failure> {
    let link = args.link;
    let users = args
        .users
        .unwrap_or(if args.workload == WorkloadName::Login {
            LOGGING_IN
        } else {
            USERS
        });
    let target = Target::of(args, users)?;
    let trial = Trial::prepare(args, users, link, target)?;
    let (report, tally) = trial.run()?;
    let text = if args.json {
        report
            .to_json()
            .map_err(|error| Failure::new(Exit::Failed, error))?
    } else {
        report.to_string()
    };
    print(&format!("{text}\n"))?;
    if tally.faults.is_none() {
        return Ok(Exit::Ok);
    }
    let message = "messages were lost, doubled or out of order: that is a bug, please report it";
    Err(Failure::new(Exit::Failed, message))
}

/// Whether anybody calls the users.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Called {
    /// The server or peers do.
    BySomebody,
    /// The server has a held link to each.
    ByNobody,
}

impl Called {
    const fn during(workload: WorkloadName, link: BenchLink) -> Self {
        match (workload, link) {
            // A peer has to be called before a link to it can be held.
            (WorkloadName::Private, _) | (_, BenchLink::PerMessage) => Self::BySomebody,
            (_, BenchLink::Held) => Self::ByNobody,
        }
    }
}

/// All that it takes to begin.
struct Trial<'a> {
    args: &'a Bench,
    target: Target,
    asked: Asked,
    fleet: Fleet,
    meter: Arc<Meter>,
    listeners: Vec<Listener>,
    room: Room,
    server: Readings,
    tool: Readings,
    news: (Sender<News>, Receiver<News>),
}

impl<'a> Trial<'a> {
    fn prepare(
        args: &'a Bench,
        users: u32,
        link: BenchLink,
        target: Target,
    ) -> Result<Self, Failure> {
        let seats = usize::try_from(users).unwrap_or(usize::MAX);
        let called = Called::during(args.workload, link);
        let room = make_room(wanted(called, seats));
        let listeners = listeners(called, seats, target.address)?;
        let readings = Readings {
            before: None,
            start: None,
            end: None,
        };
        let server = Readings {
            before: target.own.as_ref().and_then(|own| usage(own.process())),
            ..readings
        };
        let tool = Readings {
            before: usage(std::process::id()),
            ..readings
        };
        let run = Run(seed()?
            .into_iter()
            .take(7)
            .fold(0, |run, byte| run << 8 | u64::from(byte)));
        let meter = Arc::new(Meter::default());
        let fleet = fleet(args, users, link, run, &target, &listeners, &meter);
        let asked = Asked {
            version: Asked::VERSION,
            workload: word(args.workload),
            link: word(link),
            transport: word(args.transport),
            users,
            window: args.window,
            size: args.size,
            rate: (args.workload == WorkloadName::Latency).then_some(args.rate),
            server: match target.own {
                Some(_) => Whose::Own,
                None => Whose::Foreign,
            },
        };
        Ok(Self {
            args,
            target,
            asked,
            fleet,
            meter,
            listeners,
            room,
            server,
            tool,
            news: channel(),
        })
    }

    fn run(mut self) -> Result<(Report, Box<Tally>), Failure> {
        let failed = |error: std::io::Error| Failure::new(Exit::Failed, error);
        let (sender, news) = self.news;
        let interrupting = sender.clone();
        signals::listen(move |_| {
            let _ = interrupting.send(News::Interrupted);
        })
        .map_err(failed)?;
        let options = options(self.room);
        let (transport, reporter) = (self.args.transport, Reporter(sender));
        let driver = Driver::start(transport, self.fleet, self.listeners, options, |_| reporter)
            .map_err(failed)?;
        let watch = Watch {
            news,
            handle: driver.handle(),
            progress: Progress::start(),
            meter: self.meter,
            workload: self.asked.workload.clone(),
        };
        watch.until_ready(self.asked.users)?;
        let server = self.target.own.as_ref().map(server::OwnServer::process);
        let used = || (server.and_then(usage), usage(std::process::id()));
        (self.server.start, self.tool.start) = used();
        let began = Instant::now();
        watch.order(Order::Begin);
        watch.for_seconds(self.args.seconds)?;
        watch.order(Order::Halt);
        let took = began.elapsed();
        (self.server.end, self.tool.end) = used();
        let tally = watch.until_settled()?;
        watch.order(Order::Leave);
        watch.until_gone()?;
        driver.wait().map_err(failed)?;
        if let Some(own) = self.target.own {
            own.end();
        }
        let unit = workload::unit(self.args.workload);
        let report = Report::new(self.asked, unit, took, &tally, self.server, self.tool);
        Ok((report, tally))
    }
}

fn fleet(
    args: &Bench,
    users: u32,
    link: BenchLink,
    run: Run,
    target: &Target,
    listeners: &[Listener],
    meter: &Arc<Meter>,
) -> Fleet {
    let addresses = listeners.iter().map(Listener::local_addr);
    let addresses = addresses.chain(std::iter::repeat(NOWHERE));
    let people = target.accounts.iter().zip(addresses);
    let people = people.map(|((name, password), listener)| Person {
        name: *name,
        password: password.clone(),
        listener,
    });
    let common = Common {
        server: target.address,
        fingerprint: target.fingerprint,
        link: match link {
            BenchLink::Held => LinkChoice::Held,
            BenchLink::PerMessage => LinkChoice::PerMessage,
        },
        secrets: |_| -> Box<dyn SecretSource> { Box::new(OsSecrets) },
    };
    let crowd = Crowd::new(common, people.collect(), Clock.now());
    Fleet::new(crowd, workload::of(args, users, run), Arc::clone(meter))
}

/// Where users can be called.
fn listeners(called: Called, users: usize, server: SocketAddr) -> Result<Vec<Listener>, Failure> {
    match called {
        Called::ByNobody => Ok(Vec::new()),
        Called::BySomebody => {
            let listen = || place::listen(None, None, &[server]);
            let listeners = (0..users).map(|_| listen());
            let listeners: Result<Vec<_>, _> = listeners.collect();
            let listeners = listeners.map_err(|error| Failure::new(Exit::Failed, error))?;
            Ok(listeners.into_iter().flatten().collect())
        }
    }
}

/// What users have open at once, most of them.
fn wanted(called: Called, users: usize) -> Room {
    let all = |each: usize| users.saturating_mul(each).max(1_024);
    match called {
        Called::ByNobody => Room {
            accepted: 0,
            dialled: all(2),
        },
        Called::BySomebody => Room {
            accepted: all(CONNECTIONS_EACH),
            dialled: all(CONNECTIONS_EACH),
        },
    }
}

fn options(room: Room) -> Options {
    Options {
        worker_threads: 2,
        connections_max: room.accepted,
        dialled_max: room.dialled,
        dial_queue_max: room.dialled,
        // A window of long texts has room.
        outbox_max: 8 * 1_024 * 1_024,
        refusal: Frame::Refusal(RefusalCode::Busy).to_bytes(),
        ..Options::default()
    }
}

/// Follows the fleet, and shows how far it is.
struct Watch {
    news: Receiver<News>,
    handle: Handle<Fleet>,
    progress: Progress,
    meter: Arc<Meter>,
    workload: String,
}

impl Watch {
    fn order(&self, order: Order) {
        let Ok(()) = self.handle.command(order);
    }

    /// What the fleet tells next, or nothing if it is silent for a moment.
    fn next(&self) -> Result<Option<FleetEvent>, Failure> {
        match self.news.recv_timeout(GLANCE) {
            Ok(News::Fleet(FleetEvent::Failed(trouble))) => Err(failure(&trouble)),
            Ok(News::Fleet(event)) => Ok(Some(event)),
            Ok(News::Interrupted) => Err(Failure::new(Exit::Failed, "interrupted")),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                Err(Failure::new(Exit::Failed, "the users are gone"))
            }
        }
    }

    fn until_ready(&self, users: u32) -> Result<(), Failure> {
        loop {
            if let Some(FleetEvent::Ready) = self.next()? {
                return Ok(());
            }
            let done = self.meter.done();
            let what = format!("{}: {done} of {users} logged in", self.workload);
            self.progress.show(&what, done, users.into());
        }
    }

    fn for_seconds(&self, seconds: u32) -> Result<(), Failure> {
        let (began, before) = (Instant::now(), self.meter.done());
        let end = Duration::from_secs(seconds.into());
        while let Some(left) = end
            .checked_sub(began.elapsed())
            .filter(|left| !left.is_zero())
        {
            match self.news.recv_timeout(left.min(GLANCE)) {
                Ok(News::Fleet(FleetEvent::Failed(trouble))) => return Err(failure(&trouble)),
                Ok(News::Interrupted) => return Err(Failure::new(Exit::Failed, "interrupted")),
                Ok(News::Fleet(_)) | Err(_) => {}
            }
            let (done, secs) = (self.meter.done() - before, began.elapsed().as_secs());
            let what = format!("{}: {done} after {secs} of {seconds} s", self.workload);
            self.progress.show(&what, secs, seconds.into());
        }
        Ok(())
    }

    fn until_settled(&self) -> Result<Box<Tally>, Failure> {
        loop {
            self.progress.show("waiting for the last", 1, 1);
            if let Some(FleetEvent::Settled(tally)) = self.next()? {
                return Ok(tally);
            }
        }
    }

    fn until_gone(&self) -> Result<(), Failure> {
        loop {
            self.progress.show("leaving", 1, 1);
            if let Some(FleetEvent::Gone) = self.next()? {
                return Ok(());
            }
        }
    }
}

fn failure(trouble: &Trouble) -> Failure {
    match trouble {
        Trouble::Refused(refusal) => {
            let message = format!("a user was not let in: {refusal}");
            Failure::new(Exit::LoginRefused, message)
        }
        Trouble::Ended(End::Unreachable(cause)) => {
            let message = format!("the server cannot be reached: {cause:?}");
            Failure::new(Exit::Unreachable, message)
        }
        Trouble::Ended(End::ServerNotTrusted) => {
            let message = "the server's key does not have that fingerprint";
            Failure::new(Exit::Untrusted, message)
        }
        Trouble::Ended(End::TakenOver) => {
            let message = "somebody else logged in to an account of the test";
            Failure::new(Exit::TakenOver, message)
        }
        Trouble::Ended(End::LoginRefused(refusal)) => {
            let message = format!("a user was not let in: {refusal}");
            Failure::new(Exit::LoginRefused, message)
        }
        Trouble::Ended(end @ (End::Left | End::Removed)) => {
            let message = format!("a user is gone: {end:?}");
            Failure::new(Exit::Failed, message)
        }
        Trouble::Stuck(what) => {
            let message = format!("nothing happens any more, and {what}");
            Failure::new(Exit::Failed, message)
        }
    }
}
