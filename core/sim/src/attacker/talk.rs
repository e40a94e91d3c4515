//! An attacker who speaks: shakes hands with a key of their own, as whoever calls and as whoever is called.
//!
//! They do all that the protocol lets a stranger do, and then say what they have no right to. If a machine takes it, or says
//! something that only the genuine other side may hear, that is [`Turn::Won`], which must never be.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use simplechat_core::channel::{Called, Calling, Channel, Noise, Part};
use simplechat_core::id::{InstanceId, IntroductionId, LoginNumber, Seq};
use simplechat_core::key::{PublicKey, StaticKey};
use simplechat_core::limits::TICKET_LEN_MAX;
use simplechat_core::machine::ConnId;
use simplechat_core::name::Name;
use simplechat_core::rng::{SecretSource, SeededSecrets};
use simplechat_core::text::Password;
use simplechat_core::wire::EndReason;
use simplechat_core::wire::deframer::Deframer;
use simplechat_core::wire::frame::{Frame, RefusalCode, SealedFrame};
use simplechat_core::wire::item::{Bounded, decode, encode, payload_of};
use simplechat_core::wire::login::{
    LinkChoice, Login, LoginAnswer, LoginCause, LoginRequest, Proof, Ticket,
};
use simplechat_core::wire::peer::PeerPush;
use simplechat_core::wire::request::Request;

/// What an attacker says at the end of a handshake that they have begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Claim {
    /// That they are somebody, by a password that is none of theirs.
    Password,
    /// That they are somebody, by a ticket that nobody has issued.
    Ticket,
    /// Something that is no login.
    Nonsense,
    /// Something that does not belong to this handshake.
    AnotherHandshake,
    /// Nothing: they leave the handshake where it is.
    Nothing,
}

/// What an attacker does with whoever calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// Shakes hands as if they were who is called.
    Impostor,
    /// Refuses.
    Refuse(RefusalCode),
    /// Says nothing.
    Silent,
}

/// What comes of something that was heard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Turn {
    /// This is said on the same connection.
    Say(Vec<u8>),
    /// This is said on a new one to the same listener.
    CallAgain(Vec<u8>),
    /// Somebody is about to be told that the attacker logs in under this name, with a password.
    TryPassword(Name),
    /// A machine was taken in.
    Won(String),
}

#[derive(Debug)]
enum Stage {
    /// A handshake with the server was begun.
    CallingServer(Calling, Claim, Name),
    /// What was claimed was said.
    Claimed(Box<Channel>),
    /// A handshake with a client was begun, by a key that may be its.
    Greeting(Calling),
    Greeted,
    /// Somebody calls.
    Called(Manner),
    /// They were answered as if by whom they call.
    Deceiving,
    Over,
}

#[derive(Debug)]
struct Talk {
    deframer: Deframer,
    stage: Stage,
}

/// Somebody who shakes hands with everybody, and has no key but their own.
#[derive(Debug)]
pub struct Talker {
    key: StaticKey,
    secrets: SeededSecrets,
    talks: BTreeMap<ConnId, Talk>,
}

impl Talker {
    /// Somebody whose chance is made from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut secrets = SeededSecrets::new(seed);
        Self {
            key: StaticKey::generate(&mut secrets),
            secrets,
            talks: BTreeMap::new(),
        }
    }

    /// Begins a handshake with the server, with an admission cookie that may be somebody's. Gives what to say first.
    pub fn call_server(
        &mut self,
        conn: ConnId,
        claim: Claim,
        name: Name,
        cookie: &[u8],
    ) -> Vec<u8> {
        let (calling, bytes) = self.start(Part::LoginInitiator, cookie);
        self.begin(conn, Stage::CallingServer(calling, claim, name));
        bytes
    }

    /// Begins a handshake with a client that may have this key; `None` stands for one that nobody has. Gives what to say first.
    pub fn greet(&mut self, conn: ConnId, key: Option<PublicKey>) -> Vec<u8> {
        let key = key.unwrap_or_else(|| StaticKey::generate(&mut self.secrets).public());
        let (calling, bytes) = self.start(Part::PeerInitiator(key), &[]);
        self.begin(conn, Stage::Greeting(calling));
        bytes
    }

    /// Somebody calls.
    pub fn is_called(&mut self, conn: ConnId, manner: Manner) {
        self.begin(conn, Stage::Called(manner));
    }

    /// A connection is gone.
    pub fn forget(&mut self, conn: ConnId) {
        self.talks.remove(&conn);
    }

    fn start(&mut self, part: Part, payload: &[u8]) -> (Calling, Vec<u8>) {
        Calling::start(&Noise, part, &self.key, &mut self.secrets, payload)
            .expect("the keys of machines are keys")
    }

    fn begin(&mut self, conn: ConnId, stage: Stage) {
        let deframer = Deframer::default();
        self.talks.insert(conn, Talk { deframer, stage });
    }

    /// Something comes back, or somebody says something.
    pub fn hear(&mut self, conn: ConnId, bytes: &[u8]) -> Vec<Turn> {
        let mut turns = Vec::new();
        let Some(mut talk) = self.talks.remove(&conn) else {
            return turns;
        };
        talk.deframer.push(bytes);
        while let Ok(Some(frame)) = talk.deframer.next_frame() {
            let Ok(frame) = Frame::parse(&frame) else {
                break;
            };
            talk.stage = self.hear_frame(talk.stage, frame, &mut turns);
        }
        self.talks.insert(conn, talk);
        turns
    }

    fn hear_frame(&mut self, stage: Stage, frame: Frame<'_>, turns: &mut Vec<Turn>) -> Stage {
        match (stage, frame) {
            (Stage::CallingServer(calling, claim, name), Frame::Handshake(message)) => {
                self.claim(calling, claim, name, message, turns)
            }
            (Stage::Claimed(channel), Frame::Session(sealed)) => {
                hear_login_answer(*channel, &sealed, turns)
            }
            (Stage::Greeting(calling), Frame::Handshake(message)) => {
                self.introduce_ourselves(calling, message, turns)
            }
            (Stage::Greeted, Frame::Session(_)) => {
                turns.push(Turn::Won("a client answers under seal".into()));
                Stage::Over
            }
            (Stage::Called(Manner::Impostor), Frame::Handshake(message)) => {
                self.deceive(message, turns)
            }
            (Stage::Called(Manner::Impostor), Frame::Session(_)) => {
                turns.push(refusal(RefusalCode::UnknownSession));
                Stage::Over
            }
            (Stage::Called(Manner::Refuse(code)), _) => {
                turns.push(refusal(code));
                Stage::Over
            }
            (Stage::Deceiving, Frame::Handshake(_)) => {
                let what = "an impostor is told who calls and what they want";
                turns.push(Turn::Won(what.into()));
                Stage::Over
            }
            _ => Stage::Over,
        }
    }

    /// The server has answered: now it is told something.
    fn claim(
        &mut self,
        calling: Calling,
        claim: Claim,
        name: Name,
        message: &[u8],
        turns: &mut Vec<Turn>,
    ) -> Stage {
        let Ok(met) = calling.answered(message) else {
            return Stage::Over;
        };
        let request = match claim {
            Claim::Nothing => return Stage::Over,
            Claim::AnotherHandshake => {
                turns.push(Turn::Say(Frame::Handshake(message).to_bytes()));
                return Stage::Over;
            }
            Claim::Nonsense => self.random(64),
            Claim::Password => {
                turns.push(Turn::TryPassword(name));
                self.login(name, Proof::Password(password("no secret at all")))
            }
            Claim::Ticket => {
                let bytes = self.random(TICKET_LEN_MAX);
                let ticket = Ticket::new(bytes).expect("as long as a ticket may be");
                self.login(name, Proof::Ticket(ticket))
            }
        };
        let (channel, third) = met.say(&request);
        turns.push(Turn::Say(third));
        Stage::Claimed(Box::new(channel))
    }

    fn login(&mut self, name: Name, proof: Proof) -> Vec<u8> {
        let mut instance = [0; 16];
        self.secrets.fill(&mut instance);
        let cause = match proof {
            Proof::Password(_) => LoginCause::Person,
            Proof::Ticket(_) => LoginCause::Automatic(LoginNumber(u64::MAX)),
        };
        let nowhere = SocketAddr::from(([10, 66, 6, 7], 40_000));
        encode(&LoginRequest::Login(Login {
            name,
            proof,
            port: nowhere.port(),
            instance: InstanceId(instance),
            lowest_unanswered: Seq(1),
            cause,
            candidates: Bounded::first_of([nowhere]),
            link: LinkChoice::Auto,
        }))
    }

    /// The client has the key that we called. It knows of no introduction to us.
    fn introduce_ourselves(
        &mut self,
        calling: Calling,
        message: &[u8],
        turns: &mut Vec<Turn>,
    ) -> Stage {
        let Ok(met) = calling.answered(message) else {
            return Stage::Over;
        };
        let mut introduction = [0; 16];
        self.secrets.fill(&mut introduction);
        let introduction = IntroductionId(introduction);
        let push = match introduction.0.first() {
            Some(0..64) => PeerPush::Hello {
                introduction,
                port: 40_000,
                link: LinkChoice::Held,
            },
            Some(64..128) => PeerPush::Probe { introduction },
            _ => PeerPush::Bye {
                introduction,
                reason: EndReason::Removed,
            },
        };
        let (_, third) = met.say(&payload_of(&push));
        turns.push(Turn::Say(third));
        Stage::Greeted
    }

    /// Somebody begins a handshake with whom they take us for.
    fn deceive(&mut self, message: &[u8], turns: &mut Vec<Turn>) -> Stage {
        let part = Part::LoginResponder;
        let called = Called::take(&Noise, part, &self.key, &mut self.secrets, message);
        match called.and_then(Called::answer) {
            Ok((_, second)) => {
                turns.push(Turn::Say(second));
                Stage::Deceiving
            }
            Err(_) => Stage::Over,
        }
    }

    fn random(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.secrets.fill(&mut bytes);
        bytes
    }
}

/// A session of our own is of no use to somebody who was refused, but we try.
fn hear_login_answer(
    mut channel: Channel,
    sealed: &SealedFrame<'_>,
    turns: &mut Vec<Turn>,
) -> Stage {
    let opened = channel.open_answer(sealed).ok();
    let answer = opened.and_then(|opened| decode(&opened.payload).ok());
    match answer {
        Some(LoginAnswer::Refused(_)) => {
            let heartbeat = payload_of(&Request::Heartbeat);
            turns.push(Turn::CallAgain(channel.seal_call(&heartbeat)));
        }
        Some(LoginAnswer::Welcome(_)) => turns.push(Turn::Won("the server lets them in".into())),
        None => turns.push(Turn::Won("the server seals what they cannot open".into())),
    }
    Stage::Over
}

fn refusal(code: RefusalCode) -> Turn {
    Turn::Say(Frame::Refusal(code).to_bytes())
}

fn password(text: &str) -> Password {
    Password::new(text.to_owned()).expect("a short text is a password")
}
