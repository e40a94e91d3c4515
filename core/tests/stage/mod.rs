//! A client, and a server that is played by hand: for what no server of ours does, and for each step by itself.
#![allow(dead_code, reason = "each test file uses its part")]

use std::net::SocketAddr;

use simplechat_core::channel::{Answering, Called, Channel, Noise, Part};
use simplechat_core::client::command::Command;
use simplechat_core::client::config::Config;
use simplechat_core::client::event::Event;
use simplechat_core::client::{Client, Done, Effect, Trust};
use simplechat_core::id::LoginNumber;
use simplechat_core::key::{PublicKey, StaticKey};
use simplechat_core::limits::COOKIE_LEN;
use simplechat_core::machine::{ConnId, Input, Machine as _, Output};
use simplechat_core::rng::SeededSecrets;
use simplechat_core::text::Password;
use simplechat_core::time::{Moment, Timestamp, WallTime};
use simplechat_core::wire::frame::Frame;
use simplechat_core::wire::item::encode;
use simplechat_core::wire::login::{Cookie, LoginAnswer, Ticket, Welcome};

/// A client, and a server that is played by hand.
pub(crate) struct Stage {
    pub(crate) client: Client,
    pub(crate) now: Moment,
    secrets: SeededSecrets,
    server: StaticKey,
    impostor: StaticKey,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with_servers(vec![SocketAddr::from(([10, 0, 0, 1], 5150))])
    }

    /// The server may be at any of these.
    pub(crate) fn with_servers(servers: Vec<SocketAddr>) -> Self {
        let mut secrets = SeededSecrets::new(2);
        let now = Moment {
            at: Timestamp::from_secs(1),
            wall: WallTime(1),
        };
        let config = Config::new(servers, local());
        Self {
            client: Client::new(config, [1; 32], Box::new(SeededSecrets::new(1)), now),
            now,
            server: StaticKey::generate(&mut secrets),
            impostor: StaticKey::generate(&mut secrets),
            secrets,
        }
    }

    pub(crate) fn outputs(&mut self) -> Vec<Output<Effect, Event>> {
        std::iter::from_fn(|| self.client.poll_output()).collect()
    }

    /// The connection that the client makes now.
    pub(crate) fn dialled(&mut self) -> ConnId {
        let dialled = self.outputs().into_iter().find_map(|output| match output {
            Output::Connect { conn, .. } => Some(conn),
            _ => None,
        });
        dialled.unwrap()
    }

    /// What it sends now.
    pub(crate) fn sent(&mut self) -> Vec<u8> {
        let sent = self.outputs().into_iter().find_map(|output| match output {
            Output::Send { bytes, .. } => Some(bytes),
            _ => None,
        });
        sent.unwrap()
    }

    pub(crate) fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        self.client
            .handle_input(self.now, Input::Received { conn, bytes });
    }

    /// The server answers the client's handshake.
    pub(crate) fn shake_hands(&mut self, conn: ConnId) -> Answering {
        self.answer_with(self.server.clone(), conn)
    }

    /// Somebody answers in the server's place, whose key this is.
    pub(crate) fn impersonate(&mut self, conn: ConnId) -> PublicKey {
        self.answer_with(self.impostor.clone(), conn);
        self.impostor.public()
    }

    fn answer_with(&mut self, key: StaticKey, conn: ConnId) -> Answering {
        let input = Input::Connected {
            conn,
            local: local(),
        };
        self.client.handle_input(self.now, input);
        let first = self.sent();
        let part = Part::LoginResponder;
        let called = Called::take(&Noise, part, &key, &mut self.secrets, body(&first));
        let (answering, second) = called.unwrap().answer().unwrap();
        self.receive(conn, &second);
        answering
    }

    /// The client begins a login, and trusts the server: the connection on which it says who it is.
    pub(crate) fn log_in(&mut self) -> ConnId {
        self.begin_login();
        let looking = self.dialled();
        self.shake_hands(looking);
        self.trust();
        self.dialled()
    }

    pub(crate) fn begin_login(&mut self) {
        let login = Command::Login {
            user: "alice".parse().unwrap(),
            password: Password::new("pw".into()).unwrap(),
        };
        self.client.handle_command(self.now, login).unwrap();
    }

    /// The user says that this is the server.
    pub(crate) fn trust(&mut self) {
        let own = StaticKey::generate(&mut SeededSecrets::new(3));
        self.judge(Trust::Trusted(own));
    }

    /// The user is asked whether this is the server, and that is the answer.
    pub(crate) fn judge(&mut self, trust: Trust) {
        let asked = self.outputs().into_iter().find_map(|output| match output {
            Output::Effect(Effect::JudgeServer { id, .. }) => Some(id),
            _ => None,
        });
        let id = asked.unwrap();
        let judged = Done::ServerJudged { id, trust };
        self.client
            .handle_input(self.now, Input::EffectDone(judged));
    }

    /// The client logs in on a connection, and is welcome.
    pub(crate) fn let_in(&mut self, conn: ConnId) -> Channel {
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

pub(crate) fn local() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 40_000))
}

fn body(frame: &[u8]) -> &[u8] {
    match Frame::parse(frame) {
        Ok(Frame::Handshake(message)) => message,
        other => panic!("{other:?}"),
    }
}
