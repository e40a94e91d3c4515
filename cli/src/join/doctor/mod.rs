//! `simplechat doctor`: why can I not connect? A join that looks at each step, says how it went, and leaves again.
//!
//! It runs the client's machine like `join` does. What others sent is never reported as shown, so the server keeps it; and a
//! server's key is compared with what is known, but nothing is remembered.

mod addresses;
mod machine;
mod report;

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use simplechat_core::client::Trust;
use simplechat_core::key::{PublicKey, StaticKey};
use simplechat_core::name::Name;
use simplechat_core::text::Password;
use simplechat_core::time::WallTime;
use simplechat_driver::{Clock, Listener};

use super::{Item, Reporter, console, options, password, place, wording};
use crate::args::Doctor;
use crate::data::{DataDirectory, DataError, Known, KnownServers, Part, client_key};
use crate::entropy::OsSecrets;
use crate::exit::{Exit, Failure};
use crate::place::Invitation;
use crate::settings::JoinSettings;
use addresses::Verdict;
use machine::Running;
use report::Report;

/// Clocks further apart than this give wrong times to messages.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(10);

/// Looks at each step until one fails.
pub(crate) fn run(args: &Doctor) -> Result<Exit, Failure> {
    let listen = args.listen.map(|listen| listen.to_string());
    let flags = [
        ("--listen", "join.listen", listen),
        ("--data", "join.data", args.data.clone()),
    ];
    let settings = args.common.settings(&flags, std::env::vars_os())?.join;
    let usage = |error: &dyn Display| Failure::new(Exit::Usage, error);
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
    if let Err((step, failure)) = doctor.examine(&mut report) {
        report.failed(step, failure);
    }
    crate::print(&if args.json {
        report.to_json()
    } else {
        report.to_text()
    })?;
    Ok(report.exit())
}

/// A step that failed, and why.
type Failed = (&'static str, Failure);

struct Examination {
    settings: JoinSettings,
    invitation: Invitation,
    login: Option<(Name, Password)>,
}

impl Examination {
    fn examine(&self, report: &mut Report) -> Result<(), Failed> {
        let place = &self.invitation.place;
        let addresses = place::resolve(place).map_err(|failure| ("resolve", failure))?;
        let listed: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        report.fine("resolve", format!("{place} is {}", listed.join(" and ")));
        let working = self.visit(&addresses, report);
        if let (Some(working), Some((user, password))) = (working, &self.login) {
            let round_trip = working.round_trip;
            let running = self
                .start(working.addresses)
                .map_err(|failure| ("listen", failure))?;
            let result = self.log_in(&running, *user, password.clone(), round_trip, report);
            let left = running.leave();
            result?;
            left?;
        }
        Ok(())
    }

    fn start(&self, servers: Vec<SocketAddr>) -> Result<Running, Failure> {
        let listeners = place::listen(self.settings.listen, None, &servers)
            .map_err(|error| Failure::new(Exit::Failed, error))?;
        let Some(listener) = listeners.first().map(Listener::local_addr) else {
            return Err(Failure::new(Exit::Failed, "there is nowhere to listen"));
        };
        Running::start(&self.settings, servers, listener, listeners)
    }

    /// What can be told by somebody who logs in.
    fn log_in(
        &self,
        running: &Running,
        user: Name,
        password: Password,
        round_trip: Duration,
        report: &mut Report,
    ) -> Result<(), Failed> {
        let (id, key) = running.meet(user, password)?;
        let own = self.own_key(&key, user);
        let trust = own.clone().map_or(Trust::Refused, Trust::Trusted);
        running.judged(id, trust);
        own.map_err(|failure| ("key", failure))?;
        let time = running.await_welcome()?;
        report.fine("login", format!("logged in as {user}"));
        compare_clocks(time, Clock.now().wall, round_trip, report);
        running.await_call(report)
    }

    /// Whether who is there is the server that the user means.
    fn judge(&self, at: &dyn Display, shown: &PublicKey) -> Result<Verdict, Failure> {
        let failed = |error: DataError| Failure::new(Exit::Failed, error);
        let (place, fingerprint) = (&self.invitation.place, shown.fingerprint());
        let known = KnownServers::of(&self.directory().map_err(failed)?);
        let untrusted = |message| Err(Failure::new(Exit::Untrusted, message));
        if let Some(given) = self.invitation.fingerprint
            && given != fingerprint
        {
            return untrusted(format!(
                "{at} does not have the key that you gave.\ngiven  {given}\nshown  {fingerprint}\n\
                 Either that is the fingerprint of another server, or somebody is in its place: ask its operator"
            ));
        }
        match (known.look_up(place, shown).map_err(failed)?, &self.login) {
            (Known::Changed(before), _) => {
                let before = before.fingerprint();
                untrusted(format!(
                    "{at} has another key than before.\nbefore  {before}\nnow     {fingerprint}\n\
                     Either the server was set up anew, or somebody is in its place: ask its operator. If the new key is right:\n\
                     simplechat known forget {place}"
                ))
            }
            (Known::Same, _) => Ok(Verdict::Good(format!(
                "{at} has the key that is known here"
            ))),
            (Known::Unknown, _) if self.invitation.fingerprint.is_some() => {
                Ok(Verdict::Good(format!("{at} has the key that you gave")))
            }
            (Known::Unknown, None) => Ok(Verdict::Unknown(format!(
                "{at} has a key that is not known here. Its fingerprint is {fingerprint}: compare it with what the server's \
                 operator says"
            ))),
            (Known::Unknown, Some(_)) => untrusted(format!(
                "{at} has a key that is not known here, so it got no password.\nIf the server's operator says that this is \
                 its fingerprint, try {place}#{fingerprint}"
            )),
        }
    }

    /// What this client is known by to a server that the user means.
    fn own_key(&self, server: &PublicKey, user: Name) -> Result<StaticKey, Failure> {
        self.judge(&self.invitation.place, server)?;
        self.directory()
            .and_then(|directory| client_key(&directory, server, user, &mut OsSecrets))
            .map_err(|error| Failure::new(Exit::Failed, error))
    }

    fn directory(&self) -> Result<DataDirectory, DataError> {
        let path = Part::Client.path(self.settings.data.as_deref())?;
        DataDirectory::make(&path)
    }
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
