//! A client alone with a server and peers that the fuzzer makes up, with genuine keys and without.

mod genuine;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use simplechat_core::channel::{Answering, Called, Calling, Channel, Part, Protection};
use simplechat_core::client::command::Command;
use simplechat_core::client::config::Config;
use simplechat_core::client::{Client, Done, Effect, Trust};
use simplechat_core::id::{BatchNumber, IntroductionId, SessionId};
use simplechat_core::key::{KEY_LEN, PublicKey, StaticKey};
use simplechat_core::machine::{ConnId, Input};
use simplechat_core::rng::SeededSecrets;
use simplechat_core::wire::frame::{Frame, RefusalCode};
use simplechat_core::wire::item::{Bounded, Items, decode, encode, payload_of};
use simplechat_core::wire::login::{LoginAnswer, LoginRequest};
use simplechat_core::wire::peer::{PeerAnswer, PeerPush};
use simplechat_core::wire::push::{Introduction, Push, PushAnswer, Whereabouts};
use simplechat_core::wire::request::{Answer, Outcome, Request};
use simplechat_sim::test_channel::TestChannel;

use crate::any;
use crate::rig::{Captured, Mood, Rig, Way, perhaps_broken, some_bytes};

/// Keys that the fuzzer goes on using.
const LINKS_MAX: usize = 12;
/// Exchanges in a row that a client and a helpful server may have about one thing.
const ROUNDS_MAX: usize = 2_000;

/// Any bytes in any cuts on any connections, from strangers and under genuine keys, with logins and commands in between:
/// the client says nothing but legal things, keeps the contract of a machine, and ends when it is told to.
///
/// # Panics
///
/// When that does not hold.
pub fn client(data: &[u8]) {
    let mut party = Party::new(Arc::new(TestChannel::new([7; 16])), perhaps_broken);
    let mut u = Unstructured::new(data);
    while !u.is_empty() && !party.rig.stopped && party.act(&mut u).is_ok() {
        party.listen();
    }
    party.end();
}

/// Whom the client shares keys with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Other {
    Server,
    Peer,
}

/// Something that the client said on a connection it made, and that waits for an answer.
struct Call {
    conn: ConnId,
    said: Said,
}

enum Said {
    /// The first message of a handshake.
    Hello(Vec<u8>),
    /// The last message of a handshake with the server, and the session that it begins.
    Login(SessionId),
    /// What was in a session, or in the last message of a handshake with a peer.
    Items(SessionId, Vec<u8>),
}

impl Said {
    const fn link(&self) -> Option<SessionId> {
        match self {
            Self::Hello(_) => None,
            Self::Login(link) | Self::Items(link, _) => Some(*link),
        }
    }
}

pub(crate) struct Party {
    pub(crate) rig: Rig<Client>,
    protection: Arc<dyn Protection>,
    way: Way,
    /// Where the keys of the others' handshakes come from.
    secrets: SeededSecrets,
    own: StaticKey,
    server: StaticKey,
    peers: [StaticKey; 3],
    /// The client's handshakes that were answered.
    answering: BTreeMap<ConnId, (Other, Answering)>,
    /// Handshakes with the client: what will be said in the end, and under whose key.
    calling: BTreeMap<ConnId, (Calling, PeerPush, PublicKey)>,
    /// The others' ends of sessions, the latest last.
    links: Vec<(Other, Channel)>,
    /// Who called, and how they say that they know the client.
    callers: BTreeMap<SessionId, (IntroductionId, PublicKey)>,
    /// Whom the server has introduced.
    introduced: BTreeSet<(IntroductionId, PublicKey)>,
    calls: Vec<Call>,
    captured: Captured,
    mood: Mood,
}

fn server_address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 5150))
}

fn own_address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 40_000))
}

impl Party {
    pub(crate) fn new(protection: Arc<dyn Protection>, way: Way) -> Self {
        let servers = vec![server_address(), SocketAddr::from(([10, 0, 0, 3], 5150))];
        let config = Config::new(servers, own_address());
        let mut secrets = SeededSecrets::new(200);
        let (own, server) = (
            StaticKey::generate(&mut secrets),
            StaticKey::generate(&mut secrets),
        );
        let make = |now| {
            let secrets = Box::new(SeededSecrets::new(100));
            Client::new(config, [7; 32], secrets, now)
                .known_as(own.clone())
                .protected_by(Arc::clone(&protection))
        };
        Self {
            rig: Rig::new(make),
            protection,
            way,
            secrets,
            own,
            server,
            peers: any::keys(),
            answering: BTreeMap::new(),
            calling: BTreeMap::new(),
            links: Vec::new(),
            callers: BTreeMap::new(),
            introduced: BTreeSet::new(),
            calls: Vec::new(),
            captured: Captured::default(),
            mood: Mood::Helpful,
        }
    }

    fn act(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.int_in_range(0..=14)? {
            0 => self.log_in(),
            1..=3 => {
                let command = any::command(u)?;
                let _ = self.rig.wish(command);
            }
            4 => self.rig.babble(u)?,
            5 | 6 => self.push(u)?,
            7 => match u.arbitrary()? {
                true => self.greet(u)?,
                false => {
                    let payload = payload_of(&any::peer_push(u)?);
                    self.call_sealed(u, Other::Peer, &payload)?;
                }
            },
            8 => {
                let other = *u.choose(&[Other::Server, Other::Peer])?;
                let payload = some_bytes(u)?;
                self.call_sealed(u, other, payload)?;
            }
            9 => self.call_anew(u)?,
            10 => self.answer(u)?,
            11 => self.rig.disturb(u)?,
            12 => self.rig.pass_a_while(u)?,
            13 => {
                if let Some(conn) = self.rig.any_wire(u)? {
                    self.rig.connect(conn, own_address());
                }
            }
            _ => match u.int_in_range(0..=3)? {
                0 => self.turn_mood(),
                1 => {
                    let trust = u.arbitrary::<u8>()?;
                    self.perform_effects(trust % 8 != 0);
                }
                _ => self.perform_effects(true),
            },
        }
        Ok(())
    }

    pub(crate) fn log_in(&mut self) {
        let user = any::named("alice");
        let password = any::password("alice");
        let _ = self.rig.wish(Command::Login { user, password });
    }

    /// A frame that was seen before, or the first message of a handshake that was made up.
    pub(crate) fn call_anew(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let frame = match u.arbitrary()? {
            true => self.captured.any(u)?,
            false => Some(Frame::Handshake(some_bytes(u)?).to_bytes()),
        };
        match frame {
            Some(frame) => self.call(u, frame),
            None => Ok(()),
        }
    }

    /// A peer calls, or somebody who would be one.
    pub(crate) fn greet(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let key = u.choose(&self.peers)?;
        let meant = if u.ratio(1, 16)? { key } else { &self.own };
        let part = Part::PeerInitiator(meant.public());
        let (calling, first) =
            Calling::start(&*self.protection, part, key, &mut self.secrets, &[]).expect("a call");
        let key = key.public();
        let push = any::peer_push(u)?;
        let conn = self.accept(u)?;
        self.calling.insert(conn, (calling, push, key));
        self.say_on(u, conn, first)?;
        if u.ratio(1, 8)? {
            // The handshake ends differently.
            self.calling.remove(&conn);
            let frame = Frame::Handshake(some_bytes(u)?).to_bytes();
            self.say_on(u, conn, frame)?;
        }
        Ok(())
    }

    pub(crate) fn turn_mood(&mut self) {
        self.mood.turn();
    }

    fn accept(&mut self, u: &mut Unstructured<'_>) -> Result<ConnId> {
        let remote = SocketAddr::from(([10, 0, 0, u.int_in_range(0..=3)?], 9));
        Ok(self.rig.accept(remote, own_address()))
    }

    fn call(&mut self, u: &mut Unstructured<'_>, frame: Vec<u8>) -> Result<()> {
        let conn = self.accept(u)?;
        self.say_on(u, conn, frame)
    }

    fn say_on(&mut self, u: &mut Unstructured<'_>, conn: ConnId, frame: Vec<u8>) -> Result<()> {
        let frame = (self.way)(u, frame)?;
        self.captured.keep(&frame);
        let cut = u.arbitrary::<u8>()?.into();
        self.rig.receive(conn, &frame, cut);
        Ok(())
    }

    /// A call under one of the last keys of that kind.
    fn call_sealed(
        &mut self,
        u: &mut Unstructured<'_>,
        other: Other,
        payload: &[u8],
    ) -> Result<()> {
        let back = u.int_in_range(0..=3)?;
        let mut links = self.links.iter_mut().rev().filter(|link| link.0 == other);
        let Some((_, channel)) = links.nth(back) else {
            return Ok(());
        };
        let frame = channel.seal_call(payload);
        self.call(u, frame)
    }

    /// The server pushes: a batch mostly.
    pub(crate) fn push(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let mut payload = Vec::new();
        if u.ratio(7, 8)? {
            let number = BatchNumber(any::number(u)?);
            payload.extend(payload_of(&Push::Batch { number }));
        }
        for _ in 0..=u.int_in_range(0..=3)? {
            let mut push = any::push(u)?;
            self.make_genuine(u, &mut push)?;
            payload.extend(payload_of(&push));
        }
        self.call_sealed(u, Other::Server, &payload)
    }

    /// The server introduces somebody.
    pub(crate) fn introduce(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let id = any::introduction(u)?;
        let key = if u.ratio(1, 8)? {
            // With this everybody agrees on the same secret.
            PublicKey([0; KEY_LEN])
        } else {
            self.introduce_by_key(id)
        };
        let introduction = Introduction {
            peer: any::name(u)?,
            id,
            key,
            whereabouts: Whereabouts {
                reach: any::reach(u)?,
                candidates: Bounded::first_of([SocketAddr::from(([10, 0, 0, 4], 40_000))]),
            },
            term: any::term(u)?,
        };
        let number = BatchNumber(any::number(u)?);
        let mut payload = payload_of(&Push::Batch { number });
        payload.extend(payload_of(&Push::Introduced(introduction)));
        self.call_sealed(u, Other::Server, &payload)
    }

    /// The key of the peer to whom an introduction leads.
    fn introduce_by_key(&mut self, id: IntroductionId) -> PublicKey {
        let key = self.peer(id).public();
        self.introduced.insert((id, key));
        key
    }

    fn keep(&mut self, other: Other, channel: Channel) {
        if self.links.len() == LINKS_MAX {
            self.links.remove(0);
        }
        self.links.push((other, channel));
    }

    /// An answer to a call of the client's: any but the right one, or the right one.
    pub(crate) fn answer(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if self.calls.is_empty() {
            return Ok(());
        }
        let call = self.calls.remove(u.choose_index(self.calls.len())?);
        let frame = match u.int_in_range(0..=4)? {
            0 => {
                let codes = [
                    RefusalCode::Busy,
                    RefusalCode::UnknownSession,
                    RefusalCode::Version,
                    RefusalCode::Malformed,
                    RefusalCode::TooLong,
                    RefusalCode::Other(99),
                ];
                Frame::Refusal(*u.choose(&codes)?).to_bytes()
            }
            1 => Frame::Handshake(some_bytes(u)?).to_bytes(),
            2 => self.right_answer(&call),
            kind => {
                let payload = if kind == 3 {
                    some_bytes(u)?.to_vec()
                } else {
                    self.any_answer(u, &call)?
                };
                let channel = call.said.link().and_then(|link| self.channel(link));
                match channel {
                    Some((_, channel)) => channel.seal_answer(&payload),
                    None => payload,
                }
            }
        };
        let frame = (self.way)(u, frame)?;
        let cut = u.arbitrary::<u8>()?.into();
        self.rig.receive(call.conn, &frame, cut);
        Ok(())
    }

    fn any_answer(&mut self, u: &mut Unstructured<'_>, call: &Call) -> Result<Vec<u8>> {
        let other = call.said.link().and_then(|link| self.channel(link));
        if other.is_some_and(|(other, _)| *other == Other::Peer) {
            return Ok(payload_of(&any::peer_answer(u)?));
        }
        if let Said::Login(_) = call.said {
            return Ok(encode(&any::login_answer(u)?));
        }
        let mut payload = Vec::new();
        for _ in 0..=u.int_in_range(0..=3)? {
            payload.extend(payload_of(&any::answer(u)?));
        }
        Ok(payload)
    }

    fn channel(&mut self, link: SessionId) -> Option<&mut (Other, Channel)> {
        self.links.iter_mut().find(|(_, end)| end.id() == link)
    }

    /// The frame with which a good server or peer answers.
    fn right_answer(&mut self, call: &Call) -> Vec<u8> {
        let unknown = Frame::Refusal(RefusalCode::UnknownSession).to_bytes();
        if let Said::Hello(message) = &call.said {
            return self.answer_hello(call.conn, message).unwrap_or(unknown);
        }
        let Some((other, channel)) = call.said.link().and_then(|link| self.channel(link)) else {
            return unknown;
        };
        let payload = match (&call.said, other) {
            (Said::Items(_, items), Other::Server) => answers_to_requests(items),
            (Said::Items(_, items), Other::Peer) => answer_to_peer(items),
            _ => encode(&LoginAnswer::Welcome(any::welcome())),
        };
        channel.seal_answer(&payload)
    }

    /// The second message of a handshake, of the server or of the peer who is meant.
    fn answer_hello(&mut self, conn: ConnId, message: &[u8]) -> Option<Vec<u8>> {
        let to = self.rig.wires.get(&conn)?.to;
        let is_server = |to: SocketAddr| to.port() == server_address().port();
        let (other, part, keys) = if to.is_some_and(is_server) {
            let keys = std::slice::from_ref(&self.server);
            (Other::Server, Part::LoginResponder, keys)
        } else {
            (Other::Peer, Part::PeerResponder, &self.peers[..])
        };
        let (answering, second) = keys.iter().find_map(|key| {
            Called::take(&*self.protection, part, key, &mut self.secrets, message)
                .and_then(Called::answer)
                .ok()
        })?;
        self.answering.insert(conn, (other, answering));
        Some(second)
    }

    /// Hears what the client says, which must be legal, and does what others would, if the mood is so.
    pub(crate) fn listen(&mut self) {
        for _ in 0..ROUNDS_MAX {
            if self.mood == Mood::Helpful {
                self.perform_effects(true);
                let dialled: Vec<_> = self.rig.wires.keys().copied().collect();
                for conn in dialled {
                    self.rig.connect(conn, own_address());
                }
            }
            let frames = self.rig.take_frames();
            if frames.is_empty() {
                return;
            }
            for (conn, frame) in frames {
                self.hear(conn, &frame);
            }
            while self.mood == Mood::Helpful
                && let Some(call) = self.calls.pop()
            {
                let frame = self.right_answer(&call);
                self.rig.receive(call.conn, &frame, frame.len());
            }
        }
        panic!("the client asks and asks");
    }

    fn hear(&mut self, conn: ConnId, frame: &[u8]) {
        match Frame::parse(frame).expect("a frame") {
            Frame::Handshake(message) => self.hear_handshake(conn, message),
            Frame::Session(sealed) => {
                let link = sealed.session;
                let Some((other, channel)) = self.channel(link) else {
                    return;
                };
                let opened = match conn {
                    ConnId::Dialled(_) => channel.open_call(&sealed),
                    ConnId::Accepted(_) => channel.open_answer(&sealed),
                };
                let payload = opened.expect("genuine, and new").payload;
                let (other, caller) = (*other, self.callers.get(&link));
                if let (ConnId::Accepted(_), Some(caller)) = (conn, caller) {
                    assert!(
                        self.introduced.contains(caller),
                        "only peers who were introduced are answered"
                    );
                }
                for item in Items::new(&payload) {
                    let item = item.expect("an item");
                    match (conn, other) {
                        (ConnId::Dialled(_), Other::Server) => {
                            drop(decode::<Request>(item).expect("a request"));
                        }
                        (ConnId::Dialled(_), Other::Peer) => {
                            drop(decode::<PeerPush>(item).expect("a push to a peer"));
                        }
                        (ConnId::Accepted(_), Other::Server) => {
                            decode::<PushAnswer>(item).expect("an answer to the server");
                        }
                        (ConnId::Accepted(_), Other::Peer) => {
                            decode::<PeerAnswer>(item).expect("an answer to a peer");
                        }
                    }
                }
                if let ConnId::Dialled(_) = conn {
                    let said = Said::Items(link, payload);
                    self.calls.push(Call { conn, said });
                }
            }
            Frame::Stream(_) | Frame::End(_) => {
                unreachable!("the rig takes streams off their links")
            }
            Frame::Refusal(_) => {
                assert!(
                    matches!(conn, ConnId::Accepted(_)),
                    "only callers are refused"
                );
            }
        }
    }

    fn hear_handshake(&mut self, conn: ConnId, message: &[u8]) {
        if let Some((calling, push, key)) = self.calling.remove(&conn) {
            // Otherwise the call was spoiled on its way.
            if let Ok(met) = calling.answered(message) {
                assert_eq!(met.remote(), self.own.public(), "its own key");
                let (channel, third) = met.say(&payload_of(&push));
                if let PeerPush::Hello { introduction, .. }
                | PeerPush::Probe { introduction }
                | PeerPush::Bye { introduction, .. } = push
                {
                    self.callers.insert(channel.id(), (introduction, key));
                }
                self.keep(Other::Peer, channel);
                self.captured.keep(&third);
                self.rig.receive(conn, &third, third.len());
            }
        } else if let Some((other, answering)) = self.answering.remove(&conn) {
            let Ok((channel, key, payload)) = answering.finish(message) else {
                panic!("the client finishes only handshakes that nobody has spoiled");
            };
            assert_eq!(key, self.own.public(), "its own key");
            let link = channel.id();
            self.keep(other, channel);
            let said = match other {
                Other::Server => {
                    let _: LoginRequest = decode(&payload).expect("a login");
                    Said::Login(link)
                }
                Other::Peer => {
                    let item = Items::new(&payload).next().expect("one item");
                    let _: PeerPush = decode(item.expect("an item")).expect("a push to a peer");
                    Said::Items(link, payload)
                }
            };
            self.calls.push(Call { conn, said });
        } else if let ConnId::Dialled(_) = conn {
            let said = Said::Hello(message.to_vec());
            self.calls.push(Call { conn, said });
        }
    }

    /// Shows, and says whether the server is trusted.
    fn perform_effects(&mut self, trusts: bool) {
        for effect in std::mem::take(&mut self.rig.effects) {
            let done = match effect {
                Effect::Store { id, .. } => Done::Stored { id },
                Effect::Show { id, .. } => Done::Shown { id },
                Effect::JudgeServer { id, .. } if trusts => {
                    let trust = Trust::Trusted(self.own.clone());
                    Done::ServerJudged { id, trust }
                }
                Effect::JudgeServer { id, .. } => Done::ServerJudged {
                    id,
                    trust: Trust::Refused,
                },
            };
            self.rig.hand_in(Input::EffectDone(done));
        }
    }

    /// Ten minutes of silence, in which it may try again and again but not all the time; then the user leaves.
    pub(crate) fn end(&mut self) {
        self.rig.pass(Duration::from_secs(600));
        let _ = self.rig.wish(Command::Leave);
        self.rig.pass(Duration::from_secs(10));
        assert!(self.rig.stopped, "a client that leaves ends");
    }
}

/// Outcomes that fit what was asked.
fn answers_to_requests(payload: &[u8]) -> Vec<u8> {
    let mut answers = Vec::new();
    for request in Items::new(payload).filter_map(|item| decode(item.ok()?).ok()) {
        let answer = match request {
            Request::Heartbeat => Answer::Alive,
            Request::LowestUnanswered { .. } | Request::Holds { .. } => continue,
            Request::Submit { seq, .. } => Answer::Outcome {
                seq,
                outcome: Outcome::Done,
            },
            Request::ListOnline { query, .. } => Answer::Online {
                query,
                users: Bounded::first_of([]),
                more: false,
            },
            Request::Logout => Answer::LoggedOut,
        };
        answers.extend(payload_of(&answer));
    }
    answers
}

fn answer_to_peer(payload: &[u8]) -> Vec<u8> {
    let pushes = Items::new(payload).filter_map(|item| decode(item.ok()?).ok());
    let answer = match pushes.last() {
        Some(PeerPush::Hello { .. } | PeerPush::Probe { .. }) => PeerAnswer::Welcome,
        Some(PeerPush::Private(message)) => PeerAnswer::Taken { seq: message.seq },
        Some(PeerPush::Bye { .. }) | None => PeerAnswer::Bye,
    };
    payload_of(&answer)
}
