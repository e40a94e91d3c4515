//! `simplechat doctor`: why can I not connect? A join that looks at each step, says how it went, and leaves again.
//!
//! It runs the client's machine like `join` does. What others sent is never reported as shown, so the server keeps it; and a
//! server's key is compared with what is known, but nothing is remembered.

mod report;

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use simplechat_core::client::command::Command;
use simplechat_core::client::config::Config;
use simplechat_core::client::event::{Event, SessionEvent};
use simplechat_core::client::{Client, Done, Trust};
use simplechat_core::key::{PublicKey, StaticKey};
use simplechat_core::name::Name;
use simplechat_core::text::Password;
use simplechat_core::time::WallTime;
use simplechat_core::wire::login::LinkChoice;
use simplechat_driver::{Clock, Handle, Listener};

use super::{Item, Reporter, console, options, password, place, wording};
use crate::args::Doctor;
use crate::data::{DataDirectory, DataError, Known, KnownServers, Part, client_key};
use crate::entropy::{OsSecrets, seed};
use crate::exit::{Exit, Failure};
use crate::place::Invitation;
use crate::settings::JoinSettings;
use crate::transport::Driver;
use report::Report;

/// A server tries a listener for 3 s at most.
const CALL_WITHIN: Duration = Duration::from_secs(5);
/// How often it is looked whether the server has called.
const GLANCE: Duration = Duration::from_millis(20);
/// Clocks further apart than this give wrong times to messages.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(10);
/// Who is said to log in when nobody does: it goes no further than the server's key.
const NOBODY: &str = "doctor";

/// Looks at each step until one fails.
pub(crate) fn run(args: &Doctor) -> Result<Exit, Failure> {
    let listen = args.listen.map(|listen| listen.to_string());
    let flags = [
        ("--listen", "join.listen", listen),
        ("--data", "join.data", args.data.clone()),
    ];
    let settings = args.common.settings(&flags, std::env::vars_os())?.join;
    let usage = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, error);
    let invitation = args.server.parse().map_err(|error| usage(&error))?;
    let login = match &args.user {
        Some(user) => {
            let (mut input, _) = console::open()?;
            let password = password(args.password_file.as_deref(), &mut input)?;
            Some((user.parse().map_err(|error| usage(&error))?, password))
        }
        None => None,
    };
    let mut report = Report::default();
    let doctor = Examination {
        settings,
        invitation,
        login,
    };
    let mut exit = None;
    if let Err((step, failure)) = doctor.examine(&mut report) {
        exit = Some(failure.exit);
        report.failed(step, failure);
    }
    crate::print(&if args.json {
        report.to_json()
    } else {
        report.to_text()
    })?;
    Ok(exit.unwrap_or_else(|| report.exit()))
}

/// A step that failed, and why.
type Failed = (&'static str, Failure);

struct Examination {
    settings: JoinSettings,
    invitation: Invitation,
    login: Option<(Name, Password)>,
}

/// A client's machine that runs.
struct Running {
    driver: Driver<Client>,
    handle: Handle<Client>,
    items: Receiver<Item>,
    port: u16,
}

impl Examination {
    fn examine(&self, report: &mut Report) -> Result<(), Failed> {
        let place = &self.invitation.place;
        let addresses = place::resolve(place).map_err(|failure| ("resolve", failure))?;
        let listed: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        report.fine("resolve", format!("{place} is {}", listed.join(" and ")));
        let (answering, round_trip) = self.dial(&addresses, report)?;
        let running = self
            .start(answering)
            .map_err(|failure| ("listen", failure))?;
        let result = self.talk(&running, round_trip, report);
        // Once to leave; it is refused only when the machine has ended.
        let _ = running.handle.command(Command::Leave);
        let ended = running.driver.wait();
        result?;
        ended.map_err(|error| ("logout", Failure::new(Exit::Failed, error)))
    }

    /// The addresses at which somebody listens, and how long the first of them took to answer.
    fn dial(
        &self,
        addresses: &[SocketAddr],
        report: &mut Report,
    ) -> Result<(Vec<SocketAddr>, Duration), Failed> {
        let mut answering = Vec::new();
        let mut round_trip = None;
        let mut silent = Vec::new();
        for address in addresses {
            let start = Instant::now();
            match TcpStream::connect_timeout(address, self.settings.dial_timeout) {
                Ok(_) => {
                    let took = start.elapsed();
                    let millis = took.as_secs_f64() * 1_000.0;
                    report.fine(
                        "dial",
                        format!("{address} answers; the way there and back takes {millis:.1} ms"),
                    );
                    answering.push(*address);
                    round_trip.get_or_insert(took);
                }
                Err(error) => silent.push(format!("{address} cannot be reached: {error}")),
            }
        }
        let Some(round_trip) = round_trip else {
            let message = format!(
                "{}\nDoes the server run, is that its port, and is there a firewall? A server on another machine has to \
                 listen where others reach it: serve --listen 0.0.0.0:5150",
                silent.join("\n")
            );
            return Err(("dial", Failure::new(Exit::Unreachable, message)));
        };
        for why in silent {
            report.note(
                "dial",
                format!("{why}. Another address answers, so this costs only time"),
            );
        }
        Ok((answering, round_trip))
    }

    fn start(&self, servers: Vec<SocketAddr>) -> Result<Running, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Failed, error);
        let listeners =
            place::listen(self.settings.listen, &servers).map_err(|error| failed(&error))?;
        let Some(listener) = listeners.first().map(Listener::local_addr) else {
            return Err(Failure::new(Exit::Failed, "there is nowhere to listen"));
        };
        let config = Config {
            // With a held link the server would not try.
            link: match self.settings.link {
                LinkChoice::PerMessage => LinkChoice::PerMessage,
                LinkChoice::Auto | LinkChoice::Held => LinkChoice::Auto,
            },
            ..Config::new(servers, listener)
        };
        let machine = Client::new(config, seed()?, Box::new(OsSecrets), Clock.now());
        let (sender, items) = channel();
        let (transport, options) = (self.settings.transport, options(&self.settings));
        let driver = Driver::start(transport, machine, listeners, options, |_| Reporter(sender))
            .map_err(|error| failed(&error))?;
        Ok(Running {
            handle: driver.handle(),
            driver,
            items,
            port: listener.port(),
        })
    }

    /// What needs the machine: the server's key, and if somebody logs in all that follows.
    fn talk(
        &self,
        running: &Running,
        round_trip: Duration,
        report: &mut Report,
    ) -> Result<(), Failed> {
        let (user, password) = match &self.login {
            Some((user, password)) => (*user, password.clone()),
            None => nobody().map_err(|failure| ("key", failure))?,
        };
        // It can be refused only before the first one.
        let _ = running.handle.command(Command::Login { user, password });
        let (id, key) = running.wait("key", |item| match item {
            Item::Judge { id, key, .. } => Some((id, key)),
            Item::Event(_) | Item::Show { .. } | Item::Text(_) => None,
        })?;
        let judged = self.judge(&key, report);
        let trust = match (&judged, &self.login) {
            (Ok(own), Some(_)) => Trust::Trusted(own.clone()),
            (Ok(_), None) | (Err(_), _) => Trust::Refused,
        };
        running.handle.effect_done(Done::ServerJudged { id, trust });
        judged.map_err(|failure| ("key", failure))?;
        if self.login.is_none() {
            return Ok(());
        }
        let time = running.wait("login", |item| match item {
            Item::Event(Event::Session(SessionEvent::LoggedIn { time, .. })) => Some(time),
            Item::Event(_) | Item::Show { .. } | Item::Judge { .. } | Item::Text(_) => None,
        })?;
        report.fine("login", format!("logged in as {user}"));
        compare_clocks(time, Clock.now().wall, round_trip, report);
        running.await_call(report)
    }

    /// Whether this is the server that the user means, and by which key it knows this client.
    fn judge(&self, shown: &PublicKey, report: &mut Report) -> Result<StaticKey, Failure> {
        let failed = |error: DataError| Failure::new(Exit::Failed, error);
        let (place, fingerprint) = (&self.invitation.place, shown.fingerprint());
        let path = Part::Client
            .path(self.settings.data.as_deref())
            .map_err(failed)?;
        let directory = DataDirectory::make(&path).map_err(failed)?;
        let known = KnownServers::of(&directory);
        let untrusted = |message| Err(Failure::new(Exit::Untrusted, message));
        if let Some(given) = self.invitation.fingerprint
            && given != fingerprint
        {
            return untrusted(format!(
                "the server does not have the key that you gave.\ngiven  {given}\nshown  {fingerprint}\n\
                 Either that is the fingerprint of another server, or somebody is in its place: ask its operator"
            ));
        }
        match (known.look_up(place, shown).map_err(failed)?, &self.login) {
            (Known::Changed(before), _) => {
                let before = before.fingerprint();
                return untrusted(format!(
                    "the server has another key than before.\nbefore  {before}\nnow     {fingerprint}\n\
                     Either it was set up anew, or somebody is in its place: ask its operator. If the new one is right:\n\
                     simplechat known forget {place}"
                ));
            }
            (Known::Same, _) => report.fine("key", "the server has the key that is known here"),
            (Known::Unknown, _) if self.invitation.fingerprint.is_some() => {
                report.fine("key", "the server has the key that you gave");
            }
            (Known::Unknown, None) => report.note(
                "key",
                format!(
                    "the server is not known here. Its fingerprint is {fingerprint}: compare it with what its operator says"
                ),
            ),
            (Known::Unknown, Some(_)) => {
                return untrusted(format!(
                    "the server is not known here, so it got no password.\nIf its operator says that this is its \
                     fingerprint, try {place}#{fingerprint}"
                ));
            }
        }
        match &self.login {
            Some((user, _)) => client_key(&directory, shown, *user, &mut OsSecrets).map_err(failed),
            None => Ok(StaticKey::generate(&mut OsSecrets)),
        }
    }
}

impl Running {
    /// Waits for something that the machine says.
    fn wait<T>(&self, step: &'static str, wanted: impl Fn(Item) -> Option<T>) -> Result<T, Failed> {
        // The machine always comes to an end by itself: each of its connections has a deadline.
        for item in &self.items {
            if let Some(failure) = failure_of(&item) {
                return Err((step, failure));
            }
            if let Some(found) = wanted(item) {
                return Ok(found);
            }
        }
        Err((step, Failure::new(Exit::Failed, "the client has ended")))
    }

    /// Whether the server calls back.
    fn await_call(&self, report: &mut Report) -> Result<(), Failed> {
        let port = self.port;
        let deadline = Instant::now() + CALL_WITHIN;
        while Instant::now() < deadline {
            if self.handle.counters().accepted > 0 {
                report.fine(
                    "listener",
                    format!("the server can call this client, at port {port}"),
                );
                return Ok(());
            }
            match self.items.recv_timeout(GLANCE) {
                Ok(Item::Event(Event::Session(SessionEvent::LinkHeld { .. }))) => {
                    report.note("listener", format!(
                        "the server cannot call this client at port {port}, so one connection stays open: the chat works. \
                         For private messages from peers open that port, or choose one with --listen"
                    ));
                    return Ok(());
                }
                Ok(Item::Event(Event::Session(SessionEvent::ListenerUnreachable { .. }))) => {
                    let message = format!(
                        "the server cannot call this client at port {port}, so messages wait: open that port, choose one \
                         with --listen, or do without with --link auto"
                    );
                    return Err(("listener", Failure::new(Exit::Failed, message)));
                }
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        report.note(
            "listener",
            "the server has not said whether it can call this client",
        );
        Ok(())
    }
}

/// Why it ends here, if it does.
fn failure_of(item: &Item) -> Option<Failure> {
    let Item::Event(event @ Event::Session(session)) = item else {
        return None;
    };
    let exit = if matches!(session, SessionEvent::LoginRefused { .. }) {
        Exit::LoginRefused
    } else if matches!(session, SessionEvent::Ended { .. }) {
        Exit::Unreachable
    } else {
        return None;
    };
    let said = wording::say(event, &wording::Clock::now()).unwrap_or_default();
    Some(Failure::new(exit, said.trim_start_matches("! ")))
}

/// Who is said to log in where nobody does. The server never learns of it.
fn nobody() -> Result<(Name, Password), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Failed, error);
    let name = NOBODY.parse().map_err(|error| failed(&error))?;
    let password = Password::new(NOBODY.to_owned()).map_err(|error| failed(&error))?;
    Ok((name, password))
}

/// The server said its time half of the way there and back ago.
fn compare_clocks(server: WallTime, own: WallTime, round_trip: Duration, report: &mut Report) {
    let half = u64::try_from(round_trip.as_millis() / 2).unwrap_or(u64::MAX);
    let server = server.0.saturating_add(half);
    let apart = Duration::from_millis(own.0.abs_diff(server));
    let (seconds, way) = (
        apart.as_secs_f64(),
        if own.0 > server { "ahead of" } else { "behind" },
    );
    if apart > CLOCKS_APART_MAX {
        report.note(
            "clocks",
            format!(
                "this machine's clock is {seconds:.0} s {way} the server's, so messages seem to come at wrong times: set \
                 the one that is wrong"
            ),
        );
    } else {
        report.fine("clocks", format!("the clocks are {seconds:.1} s apart"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_are_far_apart_are_said() {
        let mut report = Report::default();
        let round_trip = Duration::from_millis(400);
        for own in [1_000_200, 1_060_000, 900_000] {
            compare_clocks(WallTime(1_000_000), WallTime(own), round_trip, &mut report);
        }
        insta::assert_snapshot!(report.to_text(), @r"
        ok      the clocks are 0.0 s apart
        note    this machine's clock is 60 s ahead of the server's, so messages seem to come at wrong times: set the one that is wrong
        note    this machine's clock is 100 s behind the server's, so messages seem to come at wrong times: set the one that is wrong
        ");
        assert_eq!(report.exit(), Exit::Ok);
    }
}
