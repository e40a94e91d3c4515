//! A crowd without a network, by a clock that is told.

use std::time::Duration;

use simplechat_core::client::event::{End, SessionEvent};
use simplechat_core::machine::{CloseReason, ConnectFailure};
use simplechat_core::rng::SeededSecrets;
use simplechat_core::time::WallTime;

use super::*;

const ANN: UserId = UserId(0);
const BEN: UserId = UserId(1);

fn moment(secs: u64) -> Moment {
    Moment {
        at: Timestamp::from_secs(secs),
        wall: WallTime(0),
    }
}

fn crowd() -> Crowd {
    let person = |(number, name): (u16, &str)| Person {
        name: name.parse().unwrap(),
        password: Password::new("pw".into()).unwrap(),
        listener: SocketAddr::from(([127, 0, 0, 1], 2_000 + number)),
    };
    let common = Common {
        server: SocketAddr::from(([127, 0, 0, 1], 5150)),
        fingerprint: PublicKey([7; 32]).fingerprint(),
        link: LinkChoice::PerMessage,
        secrets: |number| Box::new(SeededSecrets::new(number)),
    };
    let people = (0..).zip(["ann", "ben"]).map(person);
    Crowd::new(common, people.collect(), moment(0))
}

/// The connection that is dialled next.
fn dialled(crowd: &mut Crowd) -> ConnId {
    let connect = std::iter::from_fn(|| crowd.next_output()).find_map(|output| match output {
        Output::Connect { conn, .. } => Some(conn),
        Output::Send { .. }
        | Output::Close { .. }
        | Output::Keep { .. }
        | Output::Effect(_)
        | Output::Event(_)
        | Output::Stop => None,
    });
    connect.expect("somebody dials")
}

fn connect_fails(crowd: &mut Crowd, conn: ConnId) {
    let failure = ConnectFailure::Refused;
    crowd.input(Input::ConnectFailed { conn, failure });
}

fn is_end(happening: &Happening) -> bool {
    matches!(
        happening,
        Happening::Event(Event::Session(SessionEvent::Ended {
            end: End::Unreachable(_),
            ..
        }))
    )
}

#[test]
fn what_happens_on_a_connection_happens_to_its_user_alone() {
    let mut crowd = crowd();
    crowd.enter(ANN);
    let anns = dialled(&mut crowd);
    crowd.enter(BEN);
    let bens = dialled(&mut crowd);
    assert_ne!(anns, bens);
    connect_fails(&mut crowd, bens);
    let happened: Vec<_> = std::iter::from_fn(|| crowd.next_happening()).collect();
    assert!(
        happened.iter().all(|(user, _)| *user == BEN),
        "{happened:?}"
    );
    assert!(happened.iter().any(|(_, it)| is_end(it)), "{happened:?}");
    assert!(
        happened.iter().any(|(_, it)| matches!(it, Happening::Left)),
        "{happened:?}"
    );
    assert!(!crowd.is_empty(), "ann is still here");
}

#[test]
fn a_user_who_comes_again_uses_no_number_twice() {
    let mut crowd = crowd();
    crowd.enter(ANN);
    let first = dialled(&mut crowd);
    connect_fails(&mut crowd, first);
    assert!(crowd.is_empty(), "ann has given up");
    crowd.enter(ANN);
    let second = dialled(&mut crowd);
    assert_ne!(first, second);
    // What is still said of the first is not taken for the second.
    let reason = CloseReason::Reset;
    crowd.input(Input::Closed {
        conn: first,
        reason,
    });
    assert!(!crowd.is_empty(), "ann is still here");
}

#[test]
fn who_is_called_is_told_by_the_port_and_a_call_for_nobody_is_closed() {
    let mut crowd = crowd();
    crowd.enter(BEN);
    dialled(&mut crowd);
    let remote = SocketAddr::from(([127, 0, 0, 1], 9));
    let call = |crowd: &mut Crowd, number, port| {
        let conn = ConnId::Accepted(number);
        let local = SocketAddr::from(([127, 0, 0, 1], port));
        crowd.input(Input::Accepted {
            conn,
            remote,
            local,
        });
        matches!(crowd.next_output(), Some(Output::Close { conn: closed }) if closed == conn)
    };
    assert!(!call(&mut crowd, 0, 2_001), "ben answers");
    assert!(call(&mut crowd, 1, 2_000), "ann is not here");
    assert!(call(&mut crowd, 2, 2_002), "there is nobody");
}

#[test]
fn everybody_is_woken_in_time_and_the_next_time_is_later() {
    let mut crowd = crowd();
    crowd.enter(ANN);
    crowd.enter(BEN);
    while let Some(output) = crowd.next_output() {
        // Leaving has to end by itself, though nobody answers.
        drop(output);
    }
    for user in crowd.users() {
        crowd.command(user, Command::Leave).unwrap();
    }
    let start = crowd.now();
    for _ in 0..10 {
        let Some(due) = crowd.due() else { break };
        assert!(due.since(start) < Duration::from_secs(60));
        crowd.set_now(Moment {
            at: due,
            wall: WallTime(0),
        });
        crowd.time_out();
        assert!(crowd.due().is_none_or(|next| next > due), "no spinning");
    }
    assert!(crowd.is_empty(), "everybody has left");
}
