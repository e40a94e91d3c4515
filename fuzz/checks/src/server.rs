//! A server alone with clients that the fuzzer makes up, with genuine keys and without.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use simplechat_core::channel::{Channel, plain};
use simplechat_core::id::{Seq, SessionId};
use simplechat_core::machine::{ConnId, Input, Machine as _};
use simplechat_core::rng::SeededSecrets;
use simplechat_core::server::config::Config;
use simplechat_core::server::{
    AccountEntry, Command, CredentialsDigest, Done, Effect, MailboxLimits, Server, StoreFailed,
    Verdict,
};
use simplechat_core::wire::frame::Frame;
use simplechat_core::wire::item::{Items, decode, encode, payload_of};
use simplechat_core::wire::login::LoginAnswer;
use simplechat_core::wire::push::{Push, PushAnswer};
use simplechat_core::wire::request::{Answer, Request};

use crate::any;
use crate::rig::{Captured, Mood, Rig, perhaps_broken, some_bytes};

/// Sessions whose keys the fuzzer goes on using.
const CLIENTS_MAX: usize = 8;

/// Any bytes in any cuts on any connections, from strangers and under genuine keys, with logins in between: the server
/// says nothing but legal things, keeps the contract of a machine, and once all is over holds nothing of it.
///
/// # Panics
///
/// When that does not hold.
pub fn server(data: &[u8]) {
    let mut party = Party::new();
    let mut u = Unstructured::new(data);
    while !u.is_empty() && !party.rig.stopped && party.act(&mut u).is_ok() {
        party.listen();
    }
    party.end();
}

struct Party {
    rig: Rig<Server>,
    /// The clients' ends of sessions, the latest last.
    clients: Vec<Channel>,
    /// The number that a good client would give its next operation.
    next: BTreeMap<SessionId, Seq>,
    /// Calls of the server to clients, and what they brought.
    calls: Vec<(ConnId, SessionId, Vec<u8>)>,
    captured: Captured,
    mood: Mood,
}

impl Party {
    fn new() -> Self {
        let config = Config {
            mailbox: MailboxLimits {
                messages: 4,
                bytes: 20_000,
            },
            ..Config::default()
        };
        let accounts = any::NAMES[..3].iter().map(|name| AccountEntry {
            name: any::named(name),
            credentials: CredentialsDigest([0; 32]),
        });
        let secrets = Box::new(SeededSecrets::new(100));
        Self {
            rig: Rig::new(|now| Server::new(config, accounts, [7; 32], secrets, now)),
            clients: Vec::new(),
            next: BTreeMap::new(),
            calls: Vec::new(),
            captured: Captured::default(),
            mood: Mood::Helpful,
        }
    }

    fn act(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.int_in_range(0..=13)? {
            0 => {
                self.accept(u)?;
            }
            1 => self.rig.babble(u)?,
            2 | 3 => {
                let login = any::login_request(u)?;
                self.say(u, Frame::Login(&encode(&login)).to_bytes())?;
            }
            4 => {
                let frame = Frame::Login(some_bytes(u)?).to_bytes();
                self.say(u, frame)?;
            }
            5..=7 => self.request(u)?,
            8 => {
                let payload = some_bytes(u)?;
                self.say_sealed(u, payload)?;
            }
            9 => {
                if let Some(frame) = self.captured.any(u)? {
                    self.say(u, frame)?;
                }
            }
            10 => self.answer_call(u)?,
            11 => self.rig.disturb(u)?,
            12 => self.rig.pass_a_while(u)?,
            _ => match u.arbitrary::<u8>()? {
                0xff => drop(self.rig.wish(Command::Shutdown)),
                even if even % 2 == 0 => self.mood.turn(),
                _ => self.perform_effects(),
            },
        }
        Ok(())
    }

    fn accept(&mut self, u: &mut Unstructured<'_>) -> Result<ConnId> {
        let remotes: [(IpAddr, u16); 5] = [
            ([10, 0, 0, 1].into(), 1),
            ([10, 0, 0, 2].into(), 65_535),
            ([127, 0, 0, 1].into(), 40_000),
            (Ipv6Addr::LOCALHOST.into(), 9),
            (Ipv4Addr::UNSPECIFIED.into(), 0),
        ];
        let remote = SocketAddr::from(*u.choose(&remotes)?);
        let local = SocketAddr::from(([10, 0, 0, 9], 5150));
        Ok(self.rig.accept(remote, local))
    }

    /// A call with a frame, which may break on the way.
    fn say(&mut self, u: &mut Unstructured<'_>, frame: Vec<u8>) -> Result<()> {
        let conn = self.accept(u)?;
        let frame = perhaps_broken(u, frame)?;
        self.captured.keep(&frame);
        let cut = u.arbitrary::<u8>()?.into();
        self.rig.receive(conn, &frame, cut);
        Ok(())
    }

    fn say_sealed(&mut self, u: &mut Unstructured<'_>, payload: &[u8]) -> Result<()> {
        let Some(session) = self.any_session(u)? else {
            return Ok(());
        };
        self.say_in(u, session, payload)
    }

    fn say_in(
        &mut self,
        u: &mut Unstructured<'_>,
        session: SessionId,
        payload: &[u8],
    ) -> Result<()> {
        match self.client(session).map(|client| client.seal_call(payload)) {
            Some(frame) => self.say(u, frame),
            None => Ok(()),
        }
    }

    fn any_session(&self, u: &mut Unstructured<'_>) -> Result<Option<SessionId>> {
        if self.clients.is_empty() {
            return Ok(None);
        }
        Ok(Some(u.choose(&self.clients)?.id()))
    }

    /// Requests, with operations in order mostly.
    fn request(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let Some(session) = self.any_session(u)? else {
            return Ok(());
        };
        let mut payload = Vec::new();
        for _ in 0..=u.int_in_range(0..=3)? {
            let mut request = any::request(u)?;
            if let Request::Submit { seq, .. } = &mut request
                && u.ratio(7, 8)?
            {
                let next = self.next.entry(session).or_insert(Seq::FIRST);
                *seq = *next;
                *next = next.next();
            }
            payload.extend(payload_of(&request));
        }
        self.say_in(u, session, &payload)
    }

    /// An answer to a call of the server's: a right one, a wrong one, or no answer at all.
    fn answer_call(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if self.calls.is_empty() {
            return Ok(());
        }
        let (conn, session, call) = self.calls.remove(u.choose_index(self.calls.len())?);
        let payload = match u.int_in_range(0..=2)? {
            0 => some_bytes(u)?.to_vec(),
            1 => payload_of(&any::push_answer(u)?),
            _ => right_answer(&call).unwrap_or_default(),
        };
        if let Some(client) = self.client(session) {
            let frame = client.seal_answer(&payload);
            let frame = perhaps_broken(u, frame)?;
            let cut = u.arbitrary::<u8>()?.into();
            self.rig.receive(conn, &frame, cut);
        }
        Ok(())
    }

    fn client(&mut self, session: SessionId) -> Option<&mut Channel> {
        self.clients
            .iter_mut()
            .find(|client| client.id() == session)
    }

    /// Hears what the server says, which must be legal, and does what a good client would, if the mood is so.
    fn listen(&mut self) {
        loop {
            if self.mood == Mood::Helpful {
                self.perform_effects();
            }
            let frames = self.rig.take_frames();
            if frames.is_empty() {
                return;
            }
            for (conn, frame) in frames {
                self.hear(conn, &frame);
            }
            while self.mood == Mood::Helpful
                && let Some((conn, session, call)) = self.calls.pop()
            {
                self.rig.connect(conn, SocketAddr::from(([10, 0, 0, 9], 9)));
                if let Some(payload) = right_answer(&call)
                    && let Some(client) = self.client(session)
                {
                    let frame = client.seal_answer(&payload);
                    self.rig.receive(conn, &frame, frame.len());
                }
            }
        }
    }

    fn hear(&mut self, conn: ConnId, frame: &[u8]) {
        match Frame::parse(frame).expect("a frame") {
            Frame::Login(body) => {
                let answer = decode(body).expect("an answer to a login");
                if let LoginAnswer::Welcome(welcome) = answer {
                    if self.clients.len() == CLIENTS_MAX {
                        self.clients.remove(0);
                    }
                    self.clients.push(Channel::new(welcome.keys, plain()));
                }
            }
            Frame::Session(sealed) => {
                let session = sealed.session;
                let Some(client) = self.client(session) else {
                    return;
                };
                let opened = match conn {
                    ConnId::Dialled(_) => client.open_call(&sealed),
                    ConnId::Accepted(_) => client.open_answer(&sealed),
                };
                let opened = opened.expect("genuine, and new");
                let payload = opened.payload.to_vec();
                for item in Items::new(&payload) {
                    let item = item.expect("an item");
                    match conn {
                        ConnId::Accepted(_) => drop(decode::<Answer>(item).expect("an answer")),
                        ConnId::Dialled(_) => drop(decode::<Push>(item).expect("a push")),
                    }
                }
                if let ConnId::Dialled(_) = conn {
                    self.calls.push((conn, session, payload));
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

    /// Checks passwords, and stores, which fails now and then.
    fn perform_effects(&mut self) {
        for effect in std::mem::take(&mut self.rig.effects) {
            let done = match effect {
                Effect::CheckPassword { id, name, password } => {
                    let is_right =
                        name.as_str() == password.reveal() && name.as_str() != any::NAMES[3];
                    let verdict = if is_right {
                        Verdict::Right
                    } else {
                        Verdict::Wrong
                    };
                    Done::PasswordChecked { id, verdict }
                }
                Effect::Store { id, .. } => {
                    let result = if id.0 % 4 == 3 {
                        Err(StoreFailed)
                    } else {
                        Ok(())
                    };
                    Done::Stored { id, result }
                }
            };
            self.rig.hand_in(Input::EffectDone(done));
        }
    }

    /// Lets things happen until no work is left.
    fn settle(&mut self) {
        while !self.rig.effects.is_empty() {
            self.perform_effects();
            self.rig.pass(Duration::from_secs(60));
        }
        self.rig.pass(Duration::from_secs(60));
    }

    /// Everybody is silent for an hour.
    fn end(&mut self) {
        self.rig.pass(Duration::from_secs(3_600));
        self.settle();
        if self.rig.stopped {
            return;
        }
        assert_eq!(self.rig.machine.online(), 0, "silent clients are gone");
        assert_eq!(
            self.rig.machine.poll_timeout(),
            None,
            "nothing is left to do"
        );
        let held = format!("{:?}", self.rig.machine);
        for empty in [
            "online: {}",
            "sessions: {}",
            "connections: {}",
            "checks: {}",
        ] {
            assert!(held.contains(empty), "{empty} in {held}");
        }
        let _ = self.rig.wish(Command::Shutdown);
        self.settle();
        assert!(self.rig.stopped, "a shutdown ends");
    }
}

/// What a good client says to a push.
fn right_answer(call: &[u8]) -> Option<Vec<u8>> {
    let first = Items::new(call).next()?.ok()?;
    let push = decode(first).ok()?;
    let answer = if let Push::Probe { challenge } = push {
        PushAnswer::Probed { challenge }
    } else if let Push::Batch { number } = push {
        PushAnswer::Taken { number }
    } else {
        return None;
    };
    Some(payload_of(&answer))
}
