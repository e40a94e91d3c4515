//! A client alone with a server and peers that the fuzzer makes up, with genuine keys and without.

use std::net::SocketAddr;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use simplechat_core::channel::{Channel, OpenError, SessionKeys, plain};
use simplechat_core::client::command::{Command, Consent};
use simplechat_core::client::config::Config;
use simplechat_core::client::{Client, Done, Effect};
use simplechat_core::id::SessionId;
use simplechat_core::machine::{ConnId, Input};
use simplechat_core::rng::SeededSecrets;
use simplechat_core::wire::frame::{Frame, RefusalCode};
use simplechat_core::wire::item::{Items, decode, encode, payload_of};
use simplechat_core::wire::login::{LoginAnswer, LoginRequest};
use simplechat_core::wire::peer::{PeerAnswer, PeerPush};
use simplechat_core::wire::push::{Introduction, Push, PushAnswer};
use simplechat_core::wire::request::{Answer, Outcome, Request};

use crate::any;
use crate::rig::{Captured, Mood, Rig, perhaps_broken, some_bytes};

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
    let mut party = Party::new();
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
    /// None for a login.
    link: Option<SessionId>,
    payload: Vec<u8>,
}

struct Party {
    rig: Rig<Client>,
    /// The others' ends of sessions and pairs, the latest last.
    links: Vec<(Other, Channel)>,
    links_made: u64,
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
    fn new() -> Self {
        let servers = vec![server_address(), SocketAddr::from(([10, 0, 0, 3], 5150))];
        let config = Config::new(servers, own_address());
        let secrets = Box::new(SeededSecrets::new(100));
        Self {
            rig: Rig::new(|now| Client::new(config, [7; 32], secrets, now)),
            links: Vec::new(),
            // Other seeds than those of `any::keys`.
            links_made: 1_000,
            calls: Vec::new(),
            captured: Captured::default(),
            mood: Mood::Helpful,
        }
    }

    fn act(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.int_in_range(0..=14)? {
            0 => {
                let user = any::named("alice");
                let password = any::password("alice");
                let _ = self.rig.wish(Command::Login { user, password });
            }
            1..=3 => {
                let command = command(u)?;
                let _ = self.rig.wish(command);
            }
            4 => self.rig.babble(u)?,
            5 | 6 => self.push(u)?,
            7 => {
                let payload = payload_of(&any::peer_push(u)?);
                self.call_sealed(u, Other::Peer, &payload)?;
            }
            8 => {
                let other = *u.choose(&[Other::Server, Other::Peer])?;
                let payload = some_bytes(u)?;
                self.call_sealed(u, other, payload)?;
            }
            9 => {
                let frame = match u.arbitrary()? {
                    true => self.captured.any(u)?,
                    false => Some(Frame::Login(some_bytes(u)?).to_bytes()),
                };
                if let Some(frame) = frame {
                    self.call(u, frame)?;
                }
            }
            10 => self.answer(u)?,
            11 => self.rig.disturb(u)?,
            12 => self.rig.pass_a_while(u)?,
            13 => {
                if let Some(conn) = self.rig.any_wire(u)? {
                    self.rig.connect(conn, own_address());
                }
            }
            _ => match u.int_in_range(0..=3)? {
                0 => self.mood.turn(),
                _ => self.show(),
            },
        }
        Ok(())
    }

    fn call(&mut self, u: &mut Unstructured<'_>, frame: Vec<u8>) -> Result<()> {
        let remote = SocketAddr::from(([10, 0, 0, u.int_in_range(0..=3)?], 9));
        let conn = self.rig.accept(remote, own_address());
        let frame = perhaps_broken(u, frame)?;
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
    fn push(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let mut payload = Vec::new();
        if u.ratio(7, 8)? {
            let number = simplechat_core::id::BatchNumber(any::number(u)?);
            payload.extend(payload_of(&Push::Batch { number }));
        }
        for _ in 0..=u.int_in_range(0..=3)? {
            let mut push = any::push(u)?;
            if let Push::Introduced(Introduction { keys, .. }) = &mut push {
                *keys = self.make_link(Other::Peer);
            }
            payload.extend(payload_of(&push));
        }
        self.call_sealed(u, Other::Server, &payload)
    }

    /// Makes keys, and gives the client's end of them.
    fn make_link(&mut self, other: Other) -> SessionKeys {
        self.links_made += 1;
        let keys = SessionKeys::generate(&mut SeededSecrets::new(self.links_made));
        if self.links.len() == LINKS_MAX {
            self.links.remove(0);
        }
        self.links
            .push((other, Channel::new(keys.mirrored(), plain())));
        keys
    }

    /// An answer to a call of the client's: any but the right one, or the right one.
    fn answer(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
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
            1 => Frame::Login(&encode(&any::login_answer(u)?)).to_bytes(),
            2 => self.right_answer(&call),
            kind => {
                let payload = if kind == 3 {
                    some_bytes(u)?.to_vec()
                } else {
                    self.any_answer(u, &call)?
                };
                let channel = call.link.and_then(|link| self.channel(link));
                match channel {
                    Some((_, channel)) => channel.seal_answer(&payload),
                    None => payload,
                }
            }
        };
        let frame = perhaps_broken(u, frame)?;
        let cut = u.arbitrary::<u8>()?.into();
        self.rig.receive(call.conn, &frame, cut);
        Ok(())
    }

    fn any_answer(&mut self, u: &mut Unstructured<'_>, call: &Call) -> Result<Vec<u8>> {
        let other = call.link.and_then(|link| self.channel(link));
        if other.is_some_and(|(other, _)| *other == Other::Peer) {
            return Ok(payload_of(&any::peer_answer(u)?));
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
        let Some(link) = call.link else {
            let keys = self.make_link(Other::Server);
            let welcome = any::welcome(keys);
            return Frame::Login(&encode(&LoginAnswer::Welcome(welcome))).to_bytes();
        };
        let Some((other, channel)) = self.channel(link) else {
            return Frame::Refusal(RefusalCode::UnknownSession).to_bytes();
        };
        let payload = match other {
            Other::Server => answers_to_requests(&call.payload),
            Other::Peer => answer_to_peer(&call.payload),
        };
        channel.seal_answer(&payload)
    }

    /// Hears what the client says, which must be legal, and does what others would, if the mood is so.
    fn listen(&mut self) {
        for _ in 0..ROUNDS_MAX {
            if self.mood == Mood::Helpful {
                self.show();
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
            Frame::Login(body) => {
                let _: LoginRequest = decode(body).expect("a login");
                self.calls.push(Call {
                    conn,
                    link: None,
                    payload: Vec::new(),
                });
            }
            Frame::Session(sealed) => {
                let link = sealed.session;
                let Some((other, channel)) = self.channel(link) else {
                    return;
                };
                let opened = match conn {
                    ConnId::Dialled(_) => channel.open_call(&sealed),
                    ConnId::Accepted(_) => channel.open_answer(&sealed),
                };
                let payload = match opened {
                    Ok(opened) => opened.payload.to_vec(),
                    // The fuzzer has spoiled the keys on their way to the client.
                    Err(OpenError::Forged) => return,
                    Err(OpenError::Replayed) => panic!("the client seals each frame anew"),
                };
                for item in Items::new(&payload) {
                    let item = item.expect("an item");
                    match (conn, &other) {
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
                    let link = Some(link);
                    self.calls.push(Call {
                        conn,
                        link,
                        payload,
                    });
                }
            }
            Frame::Refusal(_) => {
                assert!(
                    matches!(conn, ConnId::Accepted(_)),
                    "only callers are refused"
                );
            }
        }
    }

    fn show(&mut self) {
        for Effect::Show { id, .. } in std::mem::take(&mut self.rig.effects) {
            self.rig.hand_in(Input::EffectDone(Done::Shown { id }));
        }
    }

    /// Ten minutes of silence, in which it may try again and again but not all the time; then the user leaves.
    fn end(&mut self) {
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
            Request::LowestUnanswered { .. } => continue,
            Request::Submit { seq, .. } => Answer::Outcome {
                seq,
                outcome: Outcome::Done,
            },
            Request::ListOnline { query, .. } => Answer::Online {
                query,
                users: simplechat_core::wire::item::Bounded::first_of([]),
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
        Some(PeerPush::Probe { challenge }) => PeerAnswer::Probed { challenge },
        Some(PeerPush::Private(message)) => PeerAnswer::Taken { seq: message.seq },
        Some(PeerPush::Bye { .. }) | None => PeerAnswer::Bye,
    };
    payload_of(&answer)
}

/// Any wish but the login.
pub(crate) fn command(u: &mut Unstructured<'_>) -> Result<Command> {
    let consents = [Consent::Yes, Consent::No];
    Ok(match u.int_in_range(0..=15)? {
        0 => Command::Broadcast {
            text: any::text(u)?,
        },
        1 => Command::Block {
            user: any::name(u)?,
        },
        2 => Command::Unblock {
            user: any::name(u)?,
        },
        3 => Command::Online,
        4 => Command::GetAddress {
            user: any::name(u)?,
        },
        5 => Command::RemoveAddress {
            user: any::name(u)?,
        },
        6 => Command::AddressBook,
        7 => Command::Answer {
            user: any::name(u)?,
            consent: *u.choose(&consents)?,
        },
        8 => Command::BareAnswer(*u.choose(&consents)?),
        9 if u.ratio(1, 8)? => Command::Leave,
        10 if u.ratio(1, 8)? => Command::EndOfInput,
        11..=13 => Command::Private {
            to: any::name(u)?,
            text: any::text(u)?,
        },
        _ => Command::Message {
            to: any::name(u)?,
            text: any::text(u)?,
        },
    })
}
