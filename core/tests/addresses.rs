//! A server with several addresses: they race for a login as RFC 8305 (section 5) has it, and the one that worked comes first
//! the next time.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests are tests"
)]

mod stage;

use std::net::SocketAddr;
use std::time::Duration;

use simplechat_core::client::event::{AwayCause, End, Event, SessionEvent};
use simplechat_core::client::{Client, Effect, Trust};
use simplechat_core::key::PublicKey;
use simplechat_core::machine::{CloseReason, ConnId, ConnectFailure, Input, Machine as _, Output};
use simplechat_core::time::Timestamp;

use stage::{Stage, local};

const DELAY: Duration = Duration::from_millis(250);

/// A client that logs in at a server with so many addresses, and the place of each address that it has dialled.
struct Login {
    stage: Stage,
    addresses: Vec<SocketAddr>,
    dials: Vec<(ConnId, usize)>,
    /// What else it has done since it was looked last.
    outputs: Vec<Output<Effect, Event>>,
}

impl Login {
    fn begin(count: u16) -> Self {
        let addresses: Vec<_> = (0..count)
            .map(|number| SocketAddr::from(([10, 0, 0, 1], 5150 + number)))
            .collect();
        let mut login = Self {
            stage: Stage::with_servers(addresses.clone()),
            addresses,
            dials: Vec::new(),
            outputs: Vec::new(),
        };
        login.stage.begin_login();
        login.look();
        login
    }

    fn look(&mut self) {
        for output in self.stage.outputs() {
            match output {
                Output::Connect { conn, to } => {
                    let place = self.addresses.iter().position(|at| *at == to);
                    self.dials.push((conn, place.unwrap()));
                }
                other => self.outputs.push(other),
            }
        }
    }

    fn happens(&mut self, input: Input<'_, <Client as simplechat_core::machine::Machine>::Done>) {
        self.stage.client.handle_input(self.stage.now, input);
        self.look();
    }

    fn passes(&mut self, time: Duration) {
        self.stage.now.at = self.stage.now.at + time;
        self.happens(Input::Timeout);
    }

    fn connects(&mut self, conn: ConnId) {
        self.happens(Input::Connected {
            conn,
            local: local(),
        });
    }

    fn fails(&mut self, conn: ConnId, failure: ConnectFailure) {
        self.happens(Input::ConnectFailed { conn, failure });
    }

    /// The connection that was made last.
    fn last(&self) -> ConnId {
        self.dials.last().unwrap().0
    }

    /// The addresses that were dialled, in order.
    fn dialled(&self) -> Vec<usize> {
        self.dials.iter().map(|(_, place)| *place).collect()
    }

    fn has_closed(&self, conn: ConnId) -> bool {
        self.outputs.contains(&Output::Close { conn })
    }

    fn has_sent(&self, conn: ConnId) -> bool {
        let is_there =
            |output: &_| matches!(output, Output::Send { conn: there, .. } if *there == conn);
        self.outputs.iter().any(is_there)
    }

    /// The impostors of whom the user was told, with the places of their addresses.
    fn impostors(&self) -> Vec<(usize, PublicKey)> {
        let told = self.outputs.iter().filter_map(|output| match output {
            Output::Event(Event::Session(SessionEvent::Impostor { at, key })) => {
                let place = self.addresses.iter().position(|address| address == at);
                Some((place.unwrap(), *key))
            }
            _ => None,
        });
        told.collect()
    }

    /// Somebody answers there whom the user does not mean, as they know the server by another key.
    fn meets_an_impostor(&mut self, conn: ConnId) -> PublicKey {
        let key = self.stage.impersonate(conn);
        self.stage.judge(Trust::OtherKey);
        self.look();
        key
    }

    /// Why it gave up.
    fn end(&self) -> Option<End> {
        self.outputs.iter().find_map(|output| match output {
            Output::Event(Event::Session(SessionEvent::Ended { end, .. })) => Some(*end),
            _ => None,
        })
    }
}

#[test]
fn an_address_that_does_not_connect_is_joined_by_the_next_a_quarter_of_a_second_later() {
    let mut login = Login::begin(3);
    assert_eq!(login.dialled(), [0]);
    login.passes(DELAY - Duration::from_millis(1));
    assert_eq!(login.dialled(), [0]);
    login.passes(Duration::from_millis(1));
    assert_eq!(login.dialled(), [0, 1]);
    login.passes(DELAY);
    assert_eq!(login.dialled(), [0, 1, 2]);
    assert_eq!(login.stage.client.poll_timeout(), None, "and that is all");
}

#[test]
fn an_address_that_fails_is_followed_by_the_next_at_once() {
    let mut login = Login::begin(3);
    login.fails(login.last(), ConnectFailure::Refused);
    assert_eq!(login.dialled(), [0, 1]);
    login.passes(DELAY);
    assert_eq!(login.dialled(), [0, 1, 2]);
}

#[test]
fn a_server_with_one_address_is_waited_for() {
    let login = Login::begin(1);
    assert_eq!(login.stage.client.poll_timeout(), None);
}

#[test]
fn the_first_that_connects_wins_and_nothing_is_said_on_the_others() {
    let mut login = Login::begin(4);
    login.passes(DELAY);
    login.passes(DELAY);
    let conns: Vec<_> = login.dials.iter().map(|(conn, _)| *conn).collect();
    login.connects(conns[1]);
    assert!(login.has_sent(conns[1]), "the handshake begins");
    assert!(login.has_closed(conns[0]) && login.has_closed(conns[2]));
    // The driver may have noticed it before it heard that they are to be closed.
    login.connects(conns[0]);
    login.fails(conns[2], ConnectFailure::Refused);
    login.passes(DELAY);
    assert!(!login.has_sent(conns[0]) && !login.has_sent(conns[2]));
    assert_eq!(login.dialled(), [0, 1, 2], "nobody else is dialled");
}

#[test]
fn if_the_winner_is_of_no_use_the_others_race_again() {
    let mut login = Login::begin(3);
    login.passes(DELAY);
    login.connects(login.last());
    let reason = CloseReason::Reset;
    login.happens(Input::Closed {
        conn: login.last(),
        reason,
    });
    assert_eq!(login.dialled(), [0, 1, 2], "first who had no turn");
    login.passes(DELAY);
    assert_eq!(login.dialled(), [0, 1, 2, 0], "then who has lost");
    login.passes(DELAY);
    assert_eq!(login.dialled(), [0, 1, 2, 0]);
}

#[test]
fn when_all_fail_the_user_hears_why_and_not_that_one_kind_of_address_is_not_in_use_here() {
    let mut login = Login::begin(2);
    login.passes(DELAY);
    let [(first, _), (second, _)] = login.dials[..] else {
        panic!("{:?}", login.dials)
    };
    login.fails(second, ConnectFailure::TimedOut);
    assert_eq!(login.end(), None, "one is still under way");
    login.fails(first, ConnectFailure::Unreachable);
    let cause = AwayCause::Unreachable(ConnectFailure::TimedOut);
    assert_eq!(login.end(), Some(End::Unreachable(cause)));

    let mut login = Login::begin(2);
    login.fails(login.last(), ConnectFailure::Unreachable);
    login.fails(login.last(), ConnectFailure::Unreachable);
    let cause = AwayCause::Unreachable(ConnectFailure::Unreachable);
    assert_eq!(login.end(), Some(End::Unreachable(cause)));
}

/// A client that is logged in at the second of two addresses, as the first does not answer.
fn logged_in_at_the_second() -> Login {
    let mut login = Login::begin(2);
    login.passes(DELAY);
    let conn = login.last();
    login.stage.shake_hands(conn);
    login.stage.trust();
    login.look();
    assert_eq!(login.dialled(), [0, 1, 1], "what was reached comes first");
    let conn = login.last();
    login.stage.let_in(conn);
    login.look();
    login
}

#[test]
fn the_address_that_worked_is_the_first_the_next_time() {
    let mut login = logged_in_at_the_second();
    // By then the keys are too old.
    login.stage.now.at = Timestamp::from_secs(3_601);
    login.dials.clear();
    login.happens(Input::Timeout);
    assert_eq!(login.dialled(), [1, 1], "a heartbeat, and a login");
}

#[test]
fn a_session_goes_on_at_another_address_when_its_own_cannot_be_reached() {
    let mut login = logged_in_at_the_second();
    login.dials.clear();
    login.passes(Duration::from_secs(30));
    assert_eq!(login.dialled(), [1], "the heartbeat");
    login.fails(login.last(), ConnectFailure::Refused);
    login.passes(Duration::from_secs(2));
    assert_eq!(login.dialled(), [1, 1], "a server that starts again");
    login.fails(login.last(), ConnectFailure::Unreachable);
    login.passes(Duration::from_secs(4));
    assert_eq!(login.dialled(), [1, 1, 0]);
    login.connects(login.last());
    login.look();
    assert!(login.has_sent(login.last()), "in the same session");
}

#[test]
fn who_shows_another_key_at_one_address_does_not_keep_a_client_from_the_server_at_the_next() {
    let mut login = Login::begin(2);
    let key = login.meets_an_impostor(login.last());
    assert_eq!(login.end(), None);
    assert_eq!(login.dialled(), [0, 1]);
    assert_eq!(login.impostors(), [(0, key)]);

    let conn = login.last();
    login.stage.shake_hands(conn);
    login.stage.trust();
    login.look();
    assert_eq!(login.dialled(), [0, 1, 1], "where the server was found");
    let conn = login.last();
    login.stage.let_in(conn);
    login.look();
    assert_eq!(login.end(), None);
    assert_eq!(login.impostors().len(), 1, "once is enough");
}

#[test]
fn a_client_ends_when_the_server_is_at_none_of_its_addresses_but_an_impostor_at_one() {
    let mut login = Login::begin(3);
    login.meets_an_impostor(login.last());
    login.fails(login.last(), ConnectFailure::Refused);
    assert_eq!(login.end(), None);
    login.fails(login.last(), ConnectFailure::TimedOut);
    assert_eq!(login.dialled(), [0, 1, 2]);
    assert_eq!(login.end(), Some(End::ServerNotTrusted));

    let mut login = Login::begin(2);
    login.meets_an_impostor(login.last());
    login.meets_an_impostor(login.last());
    assert_eq!(login.end(), Some(End::ServerNotTrusted));

    let mut login = Login::begin(1);
    login.meets_an_impostor(login.last());
    assert_eq!(login.end(), Some(End::ServerNotTrusted));
}

#[test]
fn a_server_of_which_nothing_is_known_and_that_the_user_does_not_trust_is_not_looked_for_elsewhere()
{
    let mut login = Login::begin(2);
    let conn = login.last();
    login.stage.shake_hands(conn);
    login.stage.judge(Trust::Refused);
    login.look();
    assert_eq!(login.dialled(), [0]);
    assert_eq!(login.end(), Some(End::ServerNotTrusted));
}

#[test]
fn who_is_logged_in_hears_once_of_an_impostor_at_one_address_and_goes_on_at_the_other() {
    let mut login = logged_in_at_the_second();
    login.stage.now.at = Timestamp::from_secs(3_601);
    login.dials.clear();
    login.happens(Input::Timeout);
    let [_, (conn, _)] = login.dials[..] else {
        panic!("a heartbeat, and a login: {:?}", login.dials)
    };
    let key = login.stage.impersonate(conn);
    login.look();
    assert_eq!(login.dialled(), [1, 1, 0], "the server may be there");
    assert_eq!(login.impostors(), [(1, key)]);
    login.fails(login.last(), ConnectFailure::Refused);

    login.passes(Duration::from_secs(2));
    assert_eq!(login.dialled(), [1, 1, 0, 1], "the next try");
    let conn = login.last();
    login.stage.impersonate(conn);
    login.look();
    assert_eq!(login.dialled(), [1, 1, 0, 1, 0]);
    assert_eq!(login.impostors().len(), 1, "that is no news");
    let conn = login.last();
    login.stage.let_in(conn);
    login.look();
    assert_eq!(login.end(), None);
}
