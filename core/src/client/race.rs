//! Which of a server's addresses is taken for a login, in the manner of RFC 8305 (section 5): they race. The next one is dialled
//! when those before have not connected for a moment, and the first that connects wins. Nothing is said on the others.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use super::connection::{Connection, LoginConnection, LoginStage};
use super::event::AwayCause;
use super::{Client, TimerKind};
use crate::machine::{ConnId, ConnectFailure};
use crate::wire::deframer::Deframer;

/// How long an address has until the next one is tried beside it. RFC 8305 calls it the Connection Attempt Delay, and
/// recommends this.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The addresses of one login. Each is named by its place in the configuration.
#[derive(Debug, Default)]
pub(super) struct Race {
    /// In the order in which to dial them. Who has lost against an address that was of no use comes last.
    waiting: VecDeque<usize>,
    dialling: Vec<Dial>,
    winner: Option<Dial>,
    /// What is to be said if none of them is of use.
    cause: Option<AwayCause>,
}

#[derive(Clone, Copy, Debug)]
struct Dial {
    conn: ConnId,
    server: usize,
}

impl Race {
    /// A race of so many addresses, which that one begins.
    fn new(first: usize, count: usize) -> Self {
        let others = (0..count).filter(|server| *server != first);
        Self {
            waiting: core::iter::once(first).chain(others).collect(),
            ..Self::default()
        }
    }

    /// The connection that has won.
    pub(super) fn winner(&self) -> Option<ConnId> {
        self.winner.map(|winner| winner.conn)
    }

    /// The address that a connection goes to, if it has won.
    pub(super) fn won_by(&self, conn: ConnId) -> Option<usize> {
        let winner = self.winner.filter(|winner| winner.conn == conn)?;
        Some(winner.server)
    }

    /// A connection stands. Gives those that are to be closed.
    fn connected(&mut self, conn: ConnId) -> Vec<Dial> {
        let mut losers = core::mem::take(&mut self.dialling);
        if let Some(place) = losers.iter().position(|dial| dial.conn == conn) {
            self.winner = Some(losers.remove(place));
        }
        self.waiting.extend(losers.iter().map(|loser| loser.server));
        losers
    }

    /// A connection is of no use. Gives what is to be said when all of them are.
    fn failed(&mut self, conn: ConnId, cause: AwayCause) -> Option<AwayCause> {
        self.dialling.retain(|dial| dial.conn != conn);
        self.winner.take_if(|winner| winner.conn == conn);
        let cause = *self.cause.insert(match self.cause {
            Some(before) if weight(before) > weight(cause) => before,
            _ => cause,
        });
        (self.waiting.is_empty() && self.dialling.is_empty() && self.winner.is_none())
            .then_some(cause)
    }
}

/// How much it says of a server that one of its addresses is of no use.
const fn weight(cause: AwayCause) -> u8 {
    match cause {
        // A host without IPv6 has no way to any such address, which is no news.
        AwayCause::Unreachable(ConnectFailure::Unreachable) => 0,
        AwayCause::Unreachable(_) | AwayCause::Silent | AwayCause::Stopping => 1,
        // The user may have to do something.
        AwayCause::OtherKey(_) => 2,
    }
}

impl Client {
    /// Begins to dial the server, first where it was last.
    pub(super) fn start_race(&mut self) {
        self.link.race = Race::new(self.link.server, self.config.servers.len());
        self.dial_next_server();
    }

    /// One more address joins the race, if there is one.
    pub(super) fn dial_next_server(&mut self) {
        self.timers.cancel(TimerKind::Race);
        let next = self.link.race.waiting.pop_front();
        let Some((server, to)) = next.and_then(|at| Some((at, *self.config.servers.get(at)?)))
        else {
            return;
        };
        let connection = LoginConnection {
            deframer: Deframer::default(),
            stage: LoginStage::Dialling,
        };
        let conn = self.dial(to, Connection::Login(connection));
        self.link.race.dialling.push(Dial { conn, server });
        if !self.link.race.waiting.is_empty() {
            let at = self.clock.at + ATTEMPT_DELAY;
            self.timers.set(TimerKind::Race, at);
        }
    }

    /// The first connection stands: the login goes on there.
    pub(super) fn win_race(&mut self, conn: ConnId) {
        self.timers.cancel(TimerKind::Race);
        for loser in self.link.race.connected(conn) {
            self.close(loser.conn);
        }
    }

    /// A connection of a login came to nothing: the others go on. Gives why there is none left, if so.
    pub(super) fn drop_out_of_race(&mut self, conn: ConnId, cause: AwayCause) -> Option<AwayCause> {
        let nobody = self.link.race.failed(conn, cause);
        if nobody.is_none() && self.link.race.winner.is_none() {
            self.dial_next_server();
        }
        nobody
    }
}
