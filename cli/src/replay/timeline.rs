//! A recording as a timeline: a line for each thing that happened, with its time, the user and what it was.
//!
//! A recording comes from somewhere else: whatever is in it that somebody wrote is cleaned before it is shown.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiff::tz::TimeZone;
use simplechat_core::id::EffectId;
use simplechat_core::machine::ConnId;
use simplechat_core::name::Name;
use simplechat_core::server::Missing;
use simplechat_core::server::event::Event;
use simplechat_core::server::recording::{
    Account, Act, Entry, Fact, Header, Loss, Saying, Texts, Wish,
};
use simplechat_core::server::{Done, StoreFailed, Verdict};
use simplechat_core::time::{Moment, WallTime};

use super::wording::{self, Words};
use crate::clean::clean_line;

/// What happened, and to whom.
struct Happening {
    direction: Direction,
    user: Option<Name>,
    conn: Option<ConnId>,
    words: Words,
}

#[derive(Clone, Copy)]
enum Direction {
    /// The server got it.
    In,
    /// The server gave it.
    Out,
}

/// Follows a recording, and knows whose connection is whose.
pub(super) struct Timeline {
    header: Header,
    /// All that there ever were, in the order of their numbers.
    accounts: Vec<Name>,
    zone: TimeZone,
    only: Option<Name>,
    now: Moment,
    callers: BTreeMap<ConnId, SocketAddr>,
    users: BTreeMap<ConnId, Name>,
    checks: BTreeMap<EffectId, Name>,
}

impl Timeline {
    pub(super) fn new(header: Header, zone: TimeZone, only: Option<Name>) -> Self {
        Self {
            now: header.started(),
            accounts: header.accounts.iter().map(|account| account.name).collect(),
            header,
            zone,
            only,
            callers: BTreeMap::new(),
            users: BTreeMap::new(),
            checks: BTreeMap::new(),
        }
    }

    /// What the recording is.
    pub(super) fn title(&self) -> String {
        let started = self.time(self.header.started().wall, "%Y-%m-%d %H:%M:%S");
        let texts = match self.header.texts {
            Texts::Filled => "without texts",
            Texts::Kept => "with texts",
        };
        format!(
            "--- Recorded by simplechat {} from {started} on, {} accounts, {texts}. ---",
            clean_line(&self.header.program),
            self.header.accounts.len(),
        )
    }

    /// The next entry's line, if it is to be shown.
    pub(super) fn line(&mut self, entry: &Entry) -> Option<String> {
        if let Entry::Fact(now, _) = entry {
            self.now = *now;
        }
        let happening = self.happening(entry)?;
        self.follow(entry);
        let is_shown = self.only.is_none_or(|only| {
            happening.user == Some(only) || happening.words.names.contains(&only)
        });
        is_shown.then(|| self.show(&happening))
    }

    /// Any entry's line, as if it came next.
    pub(super) fn describe(&self, entry: &Entry) -> String {
        self.happening(entry)
            .map_or_else(String::new, |happening| happening.words.text)
    }

    fn show(&self, happening: &Happening) -> String {
        let time = self.time(self.now.wall, "%H:%M:%S%.3f");
        let user = happening.user.as_ref().map_or("-", Name::as_str);
        let direction = match happening.direction {
            Direction::In => '<',
            Direction::Out => '>',
        };
        let conn = happening.conn.map(show_conn).unwrap_or_default();
        format!(
            "{time} {conn:>6} {user:<10} {direction} {}",
            happening.words.text
        )
    }

    fn time(&self, wall: WallTime, format: &str) -> String {
        i64::try_from(wall.0)
            .ok()
            .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
            .map_or_else(
                || "??:??:??.???".into(),
                |moment| {
                    let local = moment.to_zoned(self.zone.clone());
                    local.strftime(format).to_string()
                },
            )
    }

    fn name(&self, account: Account) -> Option<Name> {
        let place = usize::try_from(account.0).ok()?;
        self.accounts.get(place).copied()
    }

    /// Remembers what the lines after this one need.
    fn follow(&mut self, entry: &Entry) {
        match entry {
            Entry::Fact(_, fact) => match *fact {
                Fact::Accepted { conn, remote, .. } => {
                    self.callers.insert(conn, remote);
                }
                Fact::Login {
                    conn, ref entrant, ..
                } => {
                    self.users.insert(conn, entrant.name);
                }
                Fact::Request { conn, account, .. } => {
                    if let Some(name) = self.name(account) {
                        self.users.insert(conn, name);
                    }
                }
                Fact::Lost { conn, .. } => self.forget(conn),
                Fact::Done(Done::PasswordChecked { id, .. }) => {
                    self.checks.remove(&id);
                }
                Fact::Answer { .. }
                | Fact::Unusable { .. }
                | Fact::Finished { .. }
                | Fact::Done(Done::Stored { .. })
                | Fact::Command(_)
                | Fact::Timeout => {}
            },
            Entry::Act(act) => match *act {
                Act::Dial { conn, account, .. } => {
                    if let Some(name) = self.name(account) {
                        self.users.insert(conn, name);
                    }
                }
                Act::Close { conn } => self.forget(conn),
                Act::CheckPassword { id, name } => {
                    self.checks.insert(id, name);
                }
                Act::Event(Event::AccountAdded { user }) => self.accounts.push(user),
                Act::Say { .. } | Act::Keep(_) | Act::Store { .. } | Act::Event(_) | Act::Stop => {}
            },
            Entry::Restored(_) | Entry::End(_) => {}
        }
    }

    fn forget(&mut self, conn: ConnId) {
        self.callers.remove(&conn);
        self.users.remove(&conn);
    }

    fn happening(&self, entry: &Entry) -> Option<Happening> {
        match entry {
            Entry::Fact(_, fact) => Some(self.fact(fact)),
            Entry::Act(act) => Some(self.act(act)),
            Entry::Restored(record) => Some(Happening {
                direction: Direction::In,
                user: None,
                conn: None,
                words: wording::record("finds kept", record, self.header.texts),
            }),
            Entry::End(_) => None,
        }
    }

    fn fact(&self, fact: &Fact) -> Happening {
        let of = |conn: &ConnId| (Some(*conn), self.users.get(conn).copied());
        let ((conn, user), words) = match fact {
            Fact::Accepted {
                conn,
                remote,
                local,
            } => {
                let words = Words::new(format!("connects from {remote}, to {local}"));
                (of(conn), words)
            }
            Fact::Login {
                conn,
                entrant,
                shown,
            } => {
                let from = self.from(*conn);
                let words = Words::new(format!("{}{from}", wording::entrant(entrant, *shown)));
                ((Some(*conn), Some(entrant.name)), words)
            }
            Fact::Request {
                conn,
                account,
                items,
            } => {
                let words = wording::requests(items, self.header.texts);
                let user = self.name(*account);
                ((Some(*conn), user), words.and(&self.from(*conn)))
            }
            Fact::Answer { conn, answered } => (of(conn), Words::new(wording::answered(*answered))),
            Fact::Unusable { conn, fault, .. } => {
                let words = Words::new(format!("sends what is no use: {fault}"));
                (of(conn), words.and(&self.from(*conn)))
            }
            Fact::Finished { conn } => (of(conn), Words::new("sends no more")),
            Fact::Lost { conn, loss } => {
                let words = match loss {
                    Loss::NotMade(failure) => Words::new(format!("is not reached: {failure}")),
                    Loss::Closed(reason) => {
                        Words::new(format!("is gone: {}", wording::close_reason(*reason)))
                    }
                };
                (of(conn), words)
            }
            Fact::Done(done) => {
                let (user, words) = self.done(*done);
                ((None, user), Words::new(words))
            }
            Fact::Command(command) => {
                let words = match command {
                    Wish::Shutdown => "the operator ends the server".to_owned(),
                    Wish::ShutdownNow => "the operator ends the server at once".to_owned(),
                    Wish::Reload { accounts, missing } => {
                        let sure = match missing {
                            Missing::Doubtful => "",
                            Missing::Confirmed => ", and no others are to be left",
                        };
                        format!("the operator gives {} accounts{sure}", accounts.len())
                    }
                };
                ((None, None), Words::new(words))
            }
            Fact::Timeout => ((None, None), Words::new("a deadline has passed")),
        };
        Happening {
            direction: Direction::In,
            user,
            conn,
            words,
        }
    }

    fn done(&self, done: Done) -> (Option<Name>, &'static str) {
        match done {
            Done::PasswordChecked { id, verdict } => {
                let words = match verdict {
                    Verdict::Right => "the password is right",
                    Verdict::Wrong => "the password is wrong",
                };
                (self.checks.get(&id).copied(), words)
            }
            Done::Stored { result: Ok(()), .. } => (None, "it is stored"),
            Done::Stored {
                result: Err(StoreFailed),
                ..
            } => (None, "it could not be stored"),
        }
    }

    fn act(&self, act: &Act) -> Happening {
        let of = |conn: &ConnId| (Some(*conn), self.users.get(conn).copied());
        let ((conn, user), words) = match act {
            Act::Dial { conn, account, to } => {
                let user = self.name(*account);
                ((Some(*conn), user), Words::new(format!("dials {to}")))
            }
            Act::Say { conn, saying } => (of(conn), self.saying(saying)),
            Act::Close { conn } => (of(conn), Words::new("ends the connection")),
            Act::CheckPassword { name, .. } => {
                ((None, Some(*name)), Words::new("checks the password"))
            }
            Act::Keep(record) => (
                (None, None),
                wording::record("keeps", record, self.header.texts),
            ),
            Act::Store { .. } => ((None, None), Words::new("has this stored")),
            Act::Event(event) => ((None, user_of(event)), Words::new(wording::event(event))),
            Act::Stop => ((None, None), Words::new("stops")),
        };
        Happening {
            direction: Direction::Out,
            user,
            conn,
            words,
        }
    }

    fn saying(&self, saying: &Saying) -> Words {
        match saying {
            Saying::Refusal(code) => Words::new(format!("refuses: {}", wording::refusal(*code))),
            Saying::LoginRefused(refusal) => Words::new(format!("refuses the login: {refusal}")),
            Saying::Welcome(welcome) => {
                Words::new(format!("welcomes; messages kept: {}", welcome.kept))
            }
            Saying::Answers(items) => wording::answers(items),
            Saying::Pushes(items) => wording::pushes(items, self.header.texts),
        }
    }

    fn from(&self, conn: ConnId) -> String {
        self.callers
            .get(&conn)
            .map(|remote| format!(" (from {remote})"))
            .unwrap_or_default()
    }
}

fn show_conn(conn: ConnId) -> String {
    match conn {
        ConnId::Accepted(number) => format!("a{number}"),
        ConnId::Dialled(number) => format!("d{number}"),
    }
}

fn user_of(event: &Event) -> Option<Name> {
    match event {
        Event::LoggedIn { user, .. }
        | Event::LoginRefused { user, .. }
        | Event::ListenerUnreachable { user, .. }
        | Event::LoggedOut { user, .. }
        | Event::AccountAdded { user }
        | Event::AccountRemoved { user }
        | Event::AccountErased { user }
        | Event::CredentialsChanged { user } => Some(*user),
        Event::Refused { .. }
        | Event::Reloaded
        | Event::StoreFailing
        | Event::StoreWorking
        | Event::Stopping
        | Event::Stopped { .. } => None,
    }
}
