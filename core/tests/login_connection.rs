//! What comes on the connection of a login that was granted: a *busy*, which anybody on the way can forge, means nothing; and
//! what travels on it once it is held may come right behind the word that it is.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests are tests"
)]

use std::net::SocketAddr;

use simplechat_core::channel::{Called, Channel, Noise, Part};
use simplechat_core::client::command::Command;
use simplechat_core::client::config::Config;
use simplechat_core::client::event::{Event, SessionEvent};
use simplechat_core::client::{Client, Done, Effect, Trust};
use simplechat_core::id::{LoginNumber, StreamNumber};
use simplechat_core::key::StaticKey;
use simplechat_core::limits::COOKIE_LEN;
use simplechat_core::machine::{ConnId, Input, Machine as _, Output};
use simplechat_core::rng::SeededSecrets;
use simplechat_core::text::Password;
use simplechat_core::time::{Moment, Timestamp, WallTime};
use simplechat_core::wire::Challenge;
use simplechat_core::wire::frame::{Frame, RefusalCode};
use simplechat_core::wire::item::{encode, payload_of};
use simplechat_core::wire::login::{Cookie, LoginAnswer, Ticket, Welcome};
use simplechat_core::wire::push::Push;
use simplechat_core::wire::request::{Answer, Reach};

/// A client, and a server that is played by hand.
struct Stage {
    client: Client,
    now: Moment,
    secrets: SeededSecrets,
    server: StaticKey,
}

impl Stage {
    fn new() -> Self {
        let mut secrets = SeededSecrets::new(2);
        let now = Moment {
            at: Timestamp::from_secs(1),
            wall: WallTime(1),
        };
        let servers = vec![SocketAddr::from(([10, 0, 0, 1], 5150))];
        let config = Config::new(servers, local());
        Self {
            client: Client::new(config, [1; 32], Box::new(SeededSecrets::new(1)), now),
            now,
            server: StaticKey::generate(&mut secrets),
            secrets,
        }
    }

    fn outputs(&mut self) -> Vec<Output<Effect, Event>> {
        std::iter::from_fn(|| self.client.poll_output()).collect()
    }

    /// The connection that the client makes now.
    fn dialled(&mut self) -> ConnId {
        let dialled = self.outputs().into_iter().find_map(|output| match output {
            Output::Connect { conn, .. } => Some(conn),
            _ => None,
        });
        dialled.unwrap()
    }

    /// What it sends now.
    fn sent(&mut self) -> Vec<u8> {
        let sent = self.outputs().into_iter().find_map(|output| match output {
            Output::Send { bytes, .. } => Some(bytes),
            _ => None,
        });
        sent.unwrap()
    }

    fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        self.client
            .handle_input(self.now, Input::Received { conn, bytes });
    }

    fn shake_hands(&mut self, conn: ConnId) -> simplechat_core::channel::Answering {
        let input = Input::Connected {
            conn,
            local: local(),
        };
        self.client.handle_input(self.now, input);
        let first = self.sent();
        let part = Part::LoginResponder;
        let called = Called::take(&Noise, part, &self.server, &mut self.secrets, body(&first));
        let (answering, second) = called.unwrap().answer().unwrap();
        self.receive(conn, &second);
        answering
    }

    /// The client begins a login, and trusts the server: the connection on which it says who it is.
    fn log_in(&mut self) -> ConnId {
        let login = Command::Login {
            user: "alice".parse().unwrap(),
            password: Password::new("pw".into()).unwrap(),
        };
        self.client.handle_command(self.now, login).unwrap();
        let looking = self.dialled();
        self.shake_hands(looking);
        let judged = Done::ServerJudged {
            id: self
                .outputs()
                .into_iter()
                .find_map(|output| match output {
                    Output::Effect(Effect::JudgeServer { id, .. }) => Some(id),
                    _ => None,
                })
                .unwrap(),
            trust: Trust::Trusted(StaticKey::generate(&mut SeededSecrets::new(3))),
        };
        self.client
            .handle_input(self.now, Input::EffectDone(judged));
        self.dialled()
    }

    /// The client logs in on a connection, and is welcome.
    fn let_in(&mut self, conn: ConnId) -> Channel {
        let answering = self.shake_hands(conn);
        let third = self.sent();
        let (mut channel, _, _) = answering.finish(body(&third)).unwrap();
        let welcome = LoginAnswer::Welcome(Welcome {
            ticket: Ticket::new(vec![1]).unwrap(),
            cookie: Cookie::new([1; COOKIE_LEN]),
            login: LoginNumber(1),
            heartbeat_interval_ms: 30_000,
            timeout_ms: 95_000,
            max_text: 8_192,
            kept: 0,
            time: WallTime(1),
        });
        let answer = channel.seal_answer(&encode(&welcome));
        self.receive(conn, &answer);
        channel
    }
}

fn local() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 40_000))
}

fn body(frame: &[u8]) -> &[u8] {
    match Frame::parse(frame) {
        Ok(Frame::Handshake(message)) => message,
        other => panic!("{other:?}"),
    }
}

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
