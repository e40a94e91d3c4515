//! Gives a recording's facts to a fresh machine, and compares what it does with what the recorded one did.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use super::fact::{Act, Answered, Entrant, Fact, Items, Loss, ShownFacts, Wish};
use super::{Account, End, Entry, Header};
use crate::channel::Channel;
use crate::id::SessionId;
use crate::machine::{ConnId, Input, Machine as _};
use crate::rng::SeededSecrets;
use crate::server::connection::Connection;
use crate::server::handshake::Caller;
use crate::server::login::Shown;
use crate::server::tap::Tap;
use crate::server::{AccountId, Command, Server};
use crate::text::Password;
use crate::time::Moment;

/// A server that lives a recorded life again.
#[derive(Debug)]
pub struct Replay {
    server: Server,
    /// What it gave, and the recording has not confirmed yet.
    acts: VecDeque<Act>,
    /// Nothing more can be restored.
    has_begun: bool,
}

/// Where a replay does not go as recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Difference {
    /// Another act, or none, where one was recorded.
    Act {
        /// What was recorded.
        recorded: Act,
        /// What came now.
        now: Option<Act>,
    },
    /// An act where none was recorded.
    Unrecorded(Act),
    /// A fact that cannot happen to this machine.
    Fact(Misfit),
}

/// Why a recorded fact cannot happen to a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Misfit {
    /// A login or request on a connection that is not new.
    #[error("this connection is not one that was just accepted")]
    NotFresh,
    /// A request of somebody without a session.
    #[error("this account has no session")]
    NoSession,
    /// A record that no server has left, or that comes when the server runs already.
    #[error("no server has left this record, or the server runs already")]
    NotRestorable,
    /// An answer where nobody was asked.
    #[error("the server waits for no answer on this connection")]
    NotAsked,
}

impl Replay {
    /// A fresh machine for a recording with this header.
    #[must_use]
    pub fn new(header: &Header) -> Self {
        // Its keys are others than those of the recorded one, and need be no secret.
        let mut server = header.server(Box::new(SeededSecrets::new(0)));
        server.tap = Tap::replaying(header.texts);
        Self {
            server,
            acts: VecDeque::new(),
            has_begun: false,
        }
    }

    /// Takes the next entry of the recording.
    ///
    /// # Errors
    ///
    /// When the machine does something else than was recorded. What it would do after that means nothing.
    pub fn take(&mut self, entry: &Entry) -> Result<(), Box<Difference>> {
        match entry {
            Entry::Act(recorded) => match self.acts.pop_front() {
                Some(act) if act == *recorded => Ok(()),
                now => {
                    let recorded = recorded.clone();
                    Err(Box::new(Difference::Act { recorded, now }))
                }
            },
            Entry::Restored(record) if self.has_begun || record.is_damaged() => {
                Err(Box::new(Difference::Fact(Misfit::NotRestorable)))
            }
            Entry::Restored(record) => {
                self.server.apply(record.clone());
                Ok(())
            }
            Entry::Fact(at, fact) => {
                self.has_begun = true;
                self.nothing_is_left()?;
                self.server
                    .relive(*at, fact)
                    .map_err(|misfit| Box::new(Difference::Fact(misfit)))?;
                self.acts.extend(self.server.tap.take_acts());
                Ok(())
            }
            // What the last fact led to may be missing.
            Entry::End(End::Overrun) => Ok(()),
            Entry::End(End::ServerEnded) => self.nothing_is_left(),
        }
    }

    fn nothing_is_left(&mut self) -> Result<(), Box<Difference>> {
        self.acts
            .pop_front()
            .map_or(Ok(()), |act| Err(Box::new(Difference::Unrecorded(act))))
    }
}

impl Server {
    /// Does what a fact leads to. Unlike [`crate::machine::Machine::handle_input`] it starts above the channel.
    fn relive(&mut self, now: Moment, fact: &Fact) -> Result<(), Misfit> {
        self.tick(now);
        match *fact {
            Fact::Login {
                conn,
                ref entrant,
                shown,
            } => self.relive_login(conn, entrant, shown)?,
            Fact::Request {
                conn,
                account,
                ref items,
            } => self.relive_request(conn, account, items)?,
            Fact::Answer { conn, answered } => self.relive_answer(conn, answered)?,
            Fact::Unusable { conn, code, fault } => self.refuse(conn, code, fault),
            Fact::Accepted {
                conn,
                remote,
                local,
            } => {
                let accepted = Input::Accepted {
                    conn,
                    remote,
                    local,
                };
                self.take(accepted);
            }
            Fact::Finished { conn } => self.take(Input::Finished { conn }),
            Fact::Lost { conn, loss } => {
                let lost = match loss {
                    Loss::NotMade(failure) => Input::ConnectFailed { conn, failure },
                    Loss::Closed(reason) => Input::Closed { conn, reason },
                };
                self.take(lost);
            }
            Fact::Done(done) => self.take(Input::EffectDone(done)),
            Fact::Timeout => self.take(Input::Timeout),
            // Whether it was refused shows in what follows.
            Fact::Command(ref wish) => drop(self.handle_command(now, wish.into())),
        }
        if is_above_channel(fact) {
            // Otherwise it is done already.
            self.flush_records();
        }
        // Nobody does any of it.
        while self.poll_output().is_some() {}
        Ok(())
    }

    fn relive_login(
        &mut self,
        conn: ConnId,
        entrant: &Entrant,
        shown: ShownFacts,
    ) -> Result<(), Misfit> {
        let Some(&Connection::Fresh { remote, local, .. }) = self.connections.get(&conn) else {
            return Err(Misfit::NotFresh);
        };
        let caller = Caller {
            conn,
            remote,
            local,
            key: entrant.key,
            channel: Channel::blank(some_session(conn)),
        };
        self.on_login(caller, entrant.clone(), shown.into());
        Ok(())
    }

    fn relive_request(
        &mut self,
        conn: ConnId,
        account: Account,
        items: &Items,
    ) -> Result<(), Misfit> {
        let Some(Connection::Fresh { .. }) = self.connections.get(&conn) else {
            return Err(Misfit::NotFresh);
        };
        let account = AccountId(account.0);
        let is_online =
            self.accounts.contains(account) && self.accounts.get(account).session.is_some();
        if !is_online {
            return Err(Misfit::NoSession);
        }
        self.on_request(conn, account, items.as_bytes());
        Ok(())
    }

    fn relive_answer(&mut self, conn: ConnId, answered: Answered) -> Result<(), Misfit> {
        match self.connections.get(&conn) {
            Some(Connection::Probe { .. } | Connection::Delivery { .. }) => {
                self.on_answer(conn, answered);
                Ok(())
            }
            _ => Err(Misfit::NotAsked),
        }
    }
}

/// Whether a fact enters the machine behind its front door, which is [`crate::machine::Machine::handle_input`].
impl From<&Wish> for Command {
    fn from(wish: &Wish) -> Self {
        match wish {
            Wish::Shutdown => Self::Shutdown,
            Wish::ShutdownNow => Self::ShutdownNow,
            Wish::Reload { accounts, missing } => Self::Reload {
                accounts: accounts.iter().copied().map(Into::into).collect(),
                missing: *missing,
            },
        }
    }
}

const fn is_above_channel(fact: &Fact) -> bool {
    match fact {
        Fact::Login { .. } | Fact::Request { .. } | Fact::Answer { .. } | Fact::Unusable { .. } => {
            true
        }
        Fact::Accepted { .. }
        | Fact::Finished { .. }
        | Fact::Lost { .. }
        | Fact::Done(_)
        | Fact::Command(_)
        | Fact::Timeout => false,
    }
}

/// Another one for each connection.
fn some_session(conn: ConnId) -> SessionId {
    let (ConnId::Accepted(number) | ConnId::Dialled(number)) = conn;
    SessionId(u128::from(number).to_be_bytes())
}

impl From<ShownFacts> for Shown {
    fn from(shown: ShownFacts) -> Self {
        match shown {
            // The result of its check is in the recording.
            ShownFacts::Password => {
                Self::Password(Password::new("x".into()).expect("one letter is a password"))
            }
            ShownFacts::Ticket(verdict) => Self::Ticket(verdict),
        }
    }
}
