//! What comes on the connection of a login that was granted: a *busy*, which anybody on the way can forge, means nothing; and
//! what travels on it once it is held may come right behind the word that it is.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests are tests"
)]

mod stage;

use simplechat_core::client::command::Command;
use simplechat_core::client::event::{Event, SessionEvent};
use simplechat_core::id::StreamNumber;
use simplechat_core::machine::{Input, Machine as _, Output};
use simplechat_core::time::Timestamp;
use simplechat_core::wire::Challenge;
use simplechat_core::wire::frame::{Frame, RefusalCode};
use simplechat_core::wire::item::payload_of;
use simplechat_core::wire::push::Push;
use simplechat_core::wire::request::{Answer, Reach};

use stage::Stage;

#[test]
fn a_forged_busy_does_not_disturb_the_login_that_follows() {
    let mut stage = Stage::new();
    let first = stage.log_in();
    stage.let_in(first);
    stage.outputs();
    // While it waits for word of its listener the server loses its session.
    stage.now.at = Timestamp::from_secs(3);
    stage
        .client
        .handle_command(stage.now, Command::Online)
        .unwrap();
    let request = stage.dialled();
    let unknown = Frame::Refusal(RefusalCode::UnknownSession).to_bytes();
    stage.receive(request, &unknown);
    let second = stage.dialled();
    stage.receive(first, &Frame::Refusal(RefusalCode::Busy).to_bytes());
    stage.let_in(second);
    let seen: Vec<_> = stage.outputs();
    let is_in = seen.iter().any(|output| {
        matches!(
            output,
            Output::Event(Event::Session(SessionEvent::LoggedIn { .. }))
        )
    });
    assert!(is_in, "{seen:?}");
}

#[test]
fn what_comes_right_behind_the_word_of_a_held_link_is_not_lost() {
    let mut stage = Stage::new();
    let link = stage.log_in();
    let mut channel = stage.let_in(link);
    stage.outputs();
    let held = Answer::ListenerChecked { reach: Reach::Held };
    let challenge = Challenge([7; 16]);
    let probe = payload_of(&Push::Probe { challenge });
    let bytes = [
        channel.seal_answer(&payload_of(&held)),
        Frame::Stream(StreamNumber(1)).to_bytes(),
        channel.seal_call(&probe),
    ]
    .concat();
    // One read may bring any part of it.
    let (now, later) = bytes.split_at(bytes.len() - 5);
    stage.receive(link, now);
    stage.receive(link, later);
    let is_answered = stage.outputs().into_iter().any(|output| match output {
        Output::Send { conn, bytes } => {
            conn == link && bytes.starts_with(&Frame::Stream(StreamNumber(1)).to_bytes())
        }
        _ => false,
    });
    assert!(is_answered);
}

/// A server that does not end the former link must not have the client keep one for each login.
#[test]
fn a_former_link_ends_with_the_next_login() {
    let mut stage = Stage::new();
    let link = stage.log_in();
    let mut channel = stage.let_in(link);
    let held = payload_of(&Answer::ListenerChecked { reach: Reach::Held });
    let held = channel.seal_answer(&held);
    stage.receive(link, &held);
    stage.outputs();
    // By then the keys are too old.
    stage.now.at = Timestamp::from_secs(3_601);
    stage.client.handle_input(stage.now, Input::Timeout);
    let outputs = stage.outputs();
    let next = outputs.iter().find_map(|output| match output {
        Output::Connect { conn, .. } => Some(*conn),
        _ => None,
    });
    stage.let_in(next.unwrap());
    let ended = Output::Close { conn: link };
    assert!(outputs.contains(&ended) || stage.outputs().contains(&ended));
}
