//! The addresses of a server, each by itself: whether somebody listens there, and whether it is the server.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use simplechat_core::client::Trust;
use simplechat_core::name::Name;
use simplechat_core::text::Password;

use super::machine::Running;
use super::report::Report;
use super::{Examination, Failed};
use crate::exit::{Exit, Failure};

/// Who is said to log in when nobody does: it goes no further than the server's key.
const NOBODY: &str = "doctor";
const IS_IT_THERE: &str = "Does the server run, is that its port, and is there a firewall? A server on another machine has to \
                           listen where others reach it: serve --listen 0.0.0.0:5150";

/// The addresses at which the server is, and how long the first of them took to answer.
pub(super) struct Working {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) round_trip: Duration,
}

/// How far one address was reached.
struct Visit {
    address: SocketAddr,
    /// If somebody listens there.
    round_trip: Option<Duration>,
    end: Result<Verdict, Failed>,
}

/// A key that is the server's, as far as can be told.
pub(super) enum Verdict {
    Good(String),
    Unknown(String),
}

impl Visit {
    /// The further addresses were reached, the more they say.
    fn progress(&self) -> u8 {
        match &self.end {
            Ok(_) => 2,
            Err((_, failure)) => u8::from(failure.exit == Exit::Untrusted),
        }
    }
}

impl Examination {
    /// Visits every address. `None` if the server is at none of them; then the report says why.
    pub(super) fn visit(&self, addresses: &[SocketAddr], report: &mut Report) -> Option<Working> {
        let visits: Vec<_> = addresses
            .iter()
            .map(|address| self.visit_one(*address))
            .collect();
        let works = |visit: &&Visit| visit.end.is_ok();
        let first = visits.iter().find(works);
        let working = first
            .and_then(|first| first.round_trip)
            .map(|round_trip| Working {
                addresses: visits.iter().filter(works).map(|at| at.address).collect(),
                round_trip,
            });
        tell(visits, report);
        working
    }

    fn visit_one(&self, address: SocketAddr) -> Visit {
        let start = Instant::now();
        let dialled = TcpStream::connect_timeout(&address, self.settings.dial_timeout);
        let took = start.elapsed();
        match dialled {
            Ok(_) => Visit {
                address,
                round_trip: Some(took),
                end: self.shake_hands(address),
            },
            Err(error) => {
                let message = format!("{address} cannot be reached: {error}");
                Visit {
                    address,
                    round_trip: None,
                    end: Err(("dial", Failure::new(Exit::Unreachable, message))),
                }
            }
        }
    }

    /// Who is there. Nothing is said to them but a handshake.
    fn shake_hands(&self, address: SocketAddr) -> Result<Verdict, Failed> {
        let in_step = |failure| ("key", failure);
        let (user, password) = nobody().map_err(in_step)?;
        let no_listener = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let running = Running::start(&self.settings, vec![address], no_listener, Vec::new())
            .map_err(in_step)?;
        let met = running.meet(user, password);
        if let Ok((id, _)) = met {
            running.judged(id, Trust::Refused);
        }
        running.leave()?;
        match met {
            Ok((_, key)) => self.judge(&address, &key).map_err(in_step),
            Err((step, mut failure)) => {
                failure.message = format!(
                    "{address} answers, but not as a server does: {}",
                    failure.message
                );
                Err((step, failure))
            }
        }
    }
}

/// Says how each address was reached. What came less far than others only costs time.
fn tell(visits: Vec<Visit>, report: &mut Report) {
    let furthest = visits.iter().map(Visit::progress).max();
    let last = visits.last().map(|visit| visit.address);
    for visit in visits {
        let (address, progress) = (visit.address, visit.progress());
        if let Some(took) = visit.round_trip {
            let millis = took.as_secs_f64() * 1_000.0;
            report.fine(
                "dial",
                format!("{address} answers; the way there and back takes {millis:.1} ms"),
            );
        }
        match visit.end {
            Ok(Verdict::Good(text)) => report.fine("key", text),
            Ok(Verdict::Unknown(text)) => report.note("key", text),
            Err((step, failure)) if Some(progress) < furthest => {
                let but = if failure.exit == Exit::Untrusted {
                    "Another address is in order, and a join goes on there"
                } else {
                    "Another address answers, so this costs only time"
                };
                report.note(step, format!("{}\n{but}", failure.message));
            }
            Err((step, mut failure)) => {
                if failure.exit == Exit::Unreachable && Some(address) == last {
                    failure.message = format!("{}\n{IS_IT_THERE}", failure.message);
                }
                report.failed(step, failure);
            }
        }
    }
}

/// Who is said to log in where nobody does. The server never learns of it.
fn nobody() -> Result<(Name, Password), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Failed, error);
    let name = NOBODY.parse().map_err(|error| failed(&error))?;
    let password = Password::new(NOBODY.to_owned()).map_err(|error| failed(&error))?;
    Ok((name, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(exit: Exit, what: &str) -> Result<Verdict, Failed> {
        Err(("step", Failure::new(exit, what)))
    }

    /// What is said of addresses that were reached so far.
    fn told(ends: Vec<Result<Verdict, Failed>>) -> (String, Exit) {
        let visits = ends.into_iter().zip(5150..).map(|(end, port)| Visit {
            address: SocketAddr::from(([192, 0, 2, 1], port)),
            round_trip: None,
            end,
        });
        let mut report = Report::default();
        tell(visits.collect(), &mut report);
        (report.to_text(), report.exit())
    }

    #[test]
    fn an_address_that_works_is_enough() {
        let (text, exit) = told(vec![
            failed(Exit::Unreachable, "the first is silent."),
            failed(Exit::Untrusted, "the second is somebody else."),
            Ok(Verdict::Good("the third is well".into())),
        ]);
        assert_eq!(exit, Exit::Ok);
        insta::assert_snapshot!(text, @r"
        note    the first is silent.
                Another address answers, so this costs only time
        note    the second is somebody else.
                Another address is in order, and a join goes on there
        ok      the third is well
        ");
    }

    #[test]
    fn if_none_works_what_came_furthest_says_why() {
        let (text, exit) = told(vec![
            failed(Exit::Unreachable, "the first is silent."),
            failed(Exit::Untrusted, "the second is somebody else."),
        ]);
        assert_eq!(exit, Exit::Untrusted);
        insta::assert_snapshot!(text, @r"
        note    the first is silent.
                Another address answers, so this costs only time
        failed  the second is somebody else.
        ");
        let (text, exit) = told(vec![
            failed(Exit::Unreachable, "the first is silent."),
            failed(Exit::Unreachable, "the second too."),
        ]);
        assert_eq!(exit, Exit::Unreachable);
        insta::assert_snapshot!(text, @r"
        failed  the first is silent.
        failed  the second too.
                Does the server run, is that its port, and is there a firewall? A server on another machine has to listen where others reach it: serve --listen 0.0.0.0:5150
        ");
    }
}
