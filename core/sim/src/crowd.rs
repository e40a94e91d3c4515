//! A crowd: very many clients that do no more than log in and send heartbeats, spoken for by a few lines in place of
//! machines of their own, to see how a server bears the number.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use simplechat_core::channel::{Calling, Channel, Part, Protection};
use simplechat_core::key::StaticKey;
use simplechat_core::machine::{ConnId, Input, Machine, Output};
use simplechat_core::rng::SeededSecrets;
use simplechat_core::server::config::Config;
use simplechat_core::server::{AccountEntry, CredentialsDigest, Done, Effect, Server, Verdict};
use simplechat_core::text::Password;
use simplechat_core::time::{Moment, Timestamp, WallTime};
use simplechat_core::wire::deframer::Deframer;
use simplechat_core::wire::frame::Frame;
use simplechat_core::wire::item::Bounded;
use simplechat_core::wire::login::{Login, LoginAnswer, LoginCause, LoginRequest, Proof};
use simplechat_core::{id, wire};

/// A server and its crowd.
#[derive(Debug)]
pub struct Crowd {
    server: Server,
    now: Timestamp,
    connections: u64,
    channels: BTreeMap<usize, Channel>,
    protection: Arc<dyn Protection>,
    key: StaticKey,
}

impl Crowd {
    /// A server at which so many users are logged in, over such a channel.
    ///
    /// # Panics
    ///
    /// When a login does not succeed.
    #[must_use]
    pub fn gather(size: usize, config: Config, protection: Arc<dyn Protection>) -> Self {
        let accounts = (0..size).map(|number| AccountEntry {
            name: format!("user{number}").parse().expect("a name"),
            credentials: CredentialsDigest([0; 32]),
        });
        let now = Timestamp::from_secs(1_000);
        let mut secrets = Box::new(SeededSecrets::new(1));
        let key = StaticKey::generate(&mut *secrets);
        let server = Server::new(config, accounts, [1; 32], secrets, at(now));
        let mut crowd = Self {
            server: server.protected_by(Arc::clone(&protection)),
            protection,
            key,
            now,
            connections: 0,
            channels: BTreeMap::new(),
        };
        for number in 0..size {
            crowd.log_in(number);
        }
        crowd
    }

    /// How many users are online.
    #[must_use]
    pub fn online(&self) -> usize {
        self.server.online()
    }

    /// Every user sends a heartbeat.
    pub fn beat_all(&mut self) {
        let payload = wire::item::payload_of(&wire::request::Request::Heartbeat);
        let mut channels = std::mem::take(&mut self.channels);
        for channel in channels.values_mut() {
            let conn = self.accept(0);
            let bytes = channel.seal_call(&payload);
            self.hand_in(Input::Received {
                conn,
                bytes: &bytes,
            });
        }
        self.channels = channels;
    }

    /// Time passes, with all timeouts that fall into it.
    pub fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(deadline) = self.server.poll_timeout().filter(|next| next.at <= until) {
            self.now = self.now.max(deadline.at);
            self.hand_in(Input::Timeout);
        }
        self.now = until;
    }

    /// A user logs in a second later than whatever was done last, so that nobody has to wait for their turn.
    ///
    /// # Panics
    ///
    /// When the login does not succeed.
    pub fn log_in_again(&mut self, number: usize) {
        self.pass(Duration::from_secs(1));
        self.log_in(number);
    }

    fn log_in(&mut self, number: usize) {
        let name = format!("user{number}");
        let login = LoginRequest::Login(Login {
            name: name.parse().expect("a name"),
            proof: Proof::Password(Password::new(name).expect("a password")),
            port: 40_000,
            instance: id::InstanceId(u128::try_from(number).unwrap_or(0).to_le_bytes()),
            lowest_unanswered: id::Seq::FIRST,
            cause: LoginCause::Person,
            candidates: Bounded::first_of([]),
        });
        let conn = self.accept(number);
        let mut secrets = SeededSecrets::new(u64::try_from(number).unwrap_or(0));
        let called = Calling::start(
            &*self.protection,
            Part::LoginInitiator,
            &self.key,
            &mut secrets,
            &[],
        );
        let (calling, first) = called.expect("a call");
        let second = self.exchange(conn, &first);
        let Ok(Frame::Handshake(message)) = Frame::parse(&second) else {
            panic!("{second:?} answers a call");
        };
        let met = calling.answered(message).expect("the server answers");
        let (mut channel, third) = met.say(&wire::item::encode(&login));
        let answer = self.exchange(conn, &third);
        let Ok(Frame::Session(sealed)) = Frame::parse(&answer) else {
            panic!("{answer:?} answers a login");
        };
        let opened = channel.open_answer(&sealed).expect("a sealed answer");
        let answer = wire::item::decode(&opened.payload);
        assert!(
            matches!(answer, Ok(LoginAnswer::Welcome(_))),
            "{answer:?} is a welcome"
        );
        self.channels.insert(number, channel);
    }

    /// Sends a frame and gives the first one that comes back.
    fn exchange(&mut self, conn: ConnId, bytes: &[u8]) -> Vec<u8> {
        let answers = self.hand_in(Input::Received { conn, bytes });
        let mut deframer = Deframer::default();
        deframer.push(&answers);
        deframer.next_frame().ok().flatten().expect("an answer")
    }

    fn accept(&mut self, number: usize) -> ConnId {
        let conn = ConnId::Accepted(self.connections);
        self.connections += 1;
        let [_, a, b, c] = u32::try_from(number).unwrap_or(0).to_be_bytes();
        let remote = SocketAddr::from(([10, a, b, c], 30_000));
        let local = crate::world::server_address();
        self.hand_in(Input::Accepted {
            conn,
            remote,
            local,
        });
        conn
    }

    /// Hands something in and does what follows; nobody in the crowd can be dialled. Gives what was sent to callers.
    fn hand_in(&mut self, input: Input<'_, Done>) -> Vec<u8> {
        let now = at(self.now);
        self.server.handle_input(now, input);
        let mut sent = Vec::new();
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Effect(Effect::CheckPassword { id, .. }) => {
                    let verdict = Verdict::Right;
                    let done = Input::EffectDone(Done::PasswordChecked { id, verdict });
                    self.server.handle_input(now, done);
                }
                Output::Effect(Effect::Store { id, .. }) => {
                    let result = Ok(());
                    let done = Input::EffectDone(Done::Stored { id, result });
                    self.server.handle_input(now, done);
                }
                Output::Connect { conn, .. } => {
                    let failure = simplechat_core::machine::ConnectFailure::Refused;
                    self.server
                        .handle_input(now, Input::ConnectFailed { conn, failure });
                }
                Output::Send {
                    conn: ConnId::Accepted(_),
                    bytes,
                } => sent.extend(bytes),
                Output::Send { .. }
                | Output::Close { .. }
                | Output::Keep { .. }
                | Output::Event(_)
                | Output::Stop => {}
            }
        }
        sent
    }
}

const fn at(now: Timestamp) -> Moment {
    Moment {
        at: now,
        wall: WallTime(0),
    }
}
