//! A server alone with clients that the fuzzer makes up, with genuine keys and without.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use simplechat_core::channel::{Calling, Channel, Met, Part, Protection};
use simplechat_core::id::{InstanceId, Seq, SessionId};
use simplechat_core::key::StaticKey;
use simplechat_core::machine::{ConnId, Input, Machine as _};
use simplechat_core::name::Name;
use simplechat_core::rng::SeededSecrets;
use simplechat_core::server::config::Config;
use simplechat_core::server::{
    AccountEntry, Command, CredentialsDigest, Done, Effect, MailboxLimits, Server, StoreFailed,
    Verdict,
};
use simplechat_core::text::Password;
use simplechat_core::wire::frame::{Frame, SealedFrame};
use simplechat_core::wire::item::{Items, decode, encode, payload_of};
use simplechat_core::wire::login::{Login, LoginAnswer, LoginRequest, Proof, Ticket};
use simplechat_core::wire::push::{Push, PushAnswer};
use simplechat_core::wire::request::{Answer, Request};
use simplechat_sim::test_channel::TestChannel;

use crate::any;
use crate::rig::{Captured, Mood, Rig, Way, perhaps_broken, some_bytes};

/// Sessions whose keys the fuzzer goes on using.
const CLIENTS_MAX: usize = 8;

/// Any bytes in any cuts on any connections, from strangers and under genuine keys, with logins in between: the server
/// says nothing but legal things, keeps the contract of a machine, and once all is over holds nothing of it.
///
/// # Panics
///
/// When that does not hold.
pub fn server(data: &[u8]) {
    let mut party = Party::new(Arc::new(TestChannel::new([7; 16])), perhaps_broken);
    let mut u = Unstructured::new(data);
    while !u.is_empty() && !party.rig.stopped && party.act(&mut u).is_ok() {
        party.listen();
    }
    party.end();
}

/// Who a login is of: an account, a client's outbox, and the place of its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Holder {
    name: Name,
    instance: InstanceId,
    key: usize,
}

/// A login that was sent, and has no answer yet.
struct Asked {
    channel: Channel,
    /// Whose it is, if it shows what lets them in.
    right: Option<Holder>,
}

pub(crate) struct Party {
    pub(crate) rig: Rig<Server>,
    protection: Arc<dyn Protection>,
    way: Way,
    /// Where the keys of callers come from.
    secrets: SeededSecrets,
    keys: [StaticKey; 3],
    /// Callers, by how far they have come.
    calling: BTreeMap<ConnId, Calling>,
    met: BTreeMap<ConnId, Met>,
    asked: BTreeMap<ConnId, Asked>,
    tickets: Vec<(Ticket, Holder)>,
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
    pub(crate) fn new(protection: Arc<dyn Protection>, way: Way) -> Self {
        let config = Config {
            mailbox: MailboxLimits {
                messages: 4,
                bytes: 20_000,
                sender_percent: 50,
                ..MailboxLimits::default()
            },
            ..Config::default()
        };
        let accounts = any::NAMES[..3].iter().map(|name| AccountEntry {
            name: any::named(name),
            credentials: CredentialsDigest([0; 32]),
        });
        let secrets = Box::new(SeededSecrets::new(100));
        let make = |now| {
            Server::new(config, accounts, [7; 32], secrets, now)
                .protected_by(Arc::clone(&protection))
        };
        Self {
            rig: Rig::new(make),
            protection,
            way,
            secrets: SeededSecrets::new(200),
            keys: any::keys(),
            calling: BTreeMap::new(),
            met: BTreeMap::new(),
            asked: BTreeMap::new(),
            tickets: Vec::new(),
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
            2 | 3 => self.log_in(u)?,
            4 => self.greet_with_bytes(u)?,
            5..=7 => self.request(u)?,
            8 => {
                let payload = some_bytes(u)?;
                self.say_sealed(u, payload)?;
            }
            9 => self.repeat(u)?,
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

    /// The first message of a handshake, made up.
    pub(crate) fn greet_with_bytes(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let frame = Frame::Handshake(some_bytes(u)?).to_bytes();
        self.say(u, frame)
    }

    /// Something that was said before, as another call.
    pub(crate) fn repeat(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match self.captured.any(u)? {
            Some(frame) => self.say(u, frame),
            None => Ok(()),
        }
    }

    /// A whole handshake with a login behind it, or something else.
    pub(crate) fn log_in(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let mut key = u.choose_index(self.keys.len())?;
        let ticket = if u.ratio(1, 4)? && !self.tickets.is_empty() {
            let (ticket, holder) = u.choose(&self.tickets)?.clone();
            if u.ratio(3, 4)? {
                key = holder.key;
            }
            Some((ticket, holder))
        } else {
            None
        };
        let conn = self.accept(u)?;
        let Some(met) = self.shake_hands(u, conn, key)? else {
            return Ok(());
        };
        if u.ratio(1, 8)? {
            let payload = some_bytes(u)?;
            return self.introduce(u, conn, met, payload, None);
        }
        let mut login = any::login(u)?;
        let is_right = match &ticket {
            Some((ticket, holder)) => {
                login.proof = Proof::Ticket(ticket.clone());
                if u.ratio(3, 4)? {
                    (login.name, login.instance) = (holder.name, holder.instance);
                }
                *holder == holder_of(&login, key)
            }
            None => is_right_password(&login),
        };
        let right = is_right.then(|| holder_of(&login, key));
        let request = encode(&LoginRequest::Login(login));
        self.introduce(u, conn, met, &request, right)
    }

    /// Calls, and takes the answer if there is one.
    fn shake_hands(
        &mut self,
        u: &mut Unstructured<'_>,
        conn: ConnId,
        key: usize,
    ) -> Result<Option<Met>> {
        let part = Part::LoginInitiator;
        let key = &self.keys[key];
        let (calling, first) =
            Calling::start(&*self.protection, part, key, &mut self.secrets, &[]).expect("a call");
        self.calling.insert(conn, calling);
        self.say_on(u, conn, first)?;
        self.hear_all();
        Ok(self.met.remove(&conn))
    }

    /// The last message of a handshake.
    fn introduce(
        &mut self,
        u: &mut Unstructured<'_>,
        conn: ConnId,
        met: Met,
        payload: &[u8],
        right: Option<Holder>,
    ) -> Result<()> {
        let (channel, third) = met.say(payload);
        self.asked.insert(conn, Asked { channel, right });
        self.say_on(u, conn, third)
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
        self.say_on(u, conn, frame)
    }

    fn say_on(&mut self, u: &mut Unstructured<'_>, conn: ConnId, frame: Vec<u8>) -> Result<()> {
        let frame = (self.way)(u, frame)?;
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
    pub(crate) fn listen(&mut self) {
        loop {
            if self.mood == Mood::Helpful {
                self.perform_effects();
            }
            if self.hear_all() == 0 {
                return;
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

    fn hear_all(&mut self) -> usize {
        let frames = self.rig.take_frames();
        for (conn, frame) in &frames {
            self.hear(*conn, frame);
        }
        frames.len()
    }

    fn hear(&mut self, conn: ConnId, frame: &[u8]) {
        match Frame::parse(frame).expect("a frame") {
            Frame::Handshake(message) => {
                assert!(matches!(conn, ConnId::Accepted(_)), "a server calls nobody");
                let calling = self.calling.remove(&conn);
                // If not, the call was spoiled on its way.
                if let Some(met) = calling.and_then(|calling| calling.answered(message).ok()) {
                    assert_eq!(met.remote(), self.rig.machine.key(), "its own key");
                    self.met.insert(conn, met);
                }
            }
            Frame::Session(sealed)
                if self
                    .asked
                    .get(&conn)
                    .is_some_and(|asked| asked.channel.id() == sealed.session) =>
            {
                self.hear_login_answer(conn, &sealed);
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

    fn hear_login_answer(&mut self, conn: ConnId, sealed: &SealedFrame<'_>) {
        let Some(mut asked) = self.asked.remove(&conn) else {
            return;
        };
        let opened = asked.channel.open_answer(sealed);
        let payload = opened.expect("genuine, and new").payload;
        match decode(&payload).expect("an answer to a login") {
            LoginAnswer::Welcome(welcome) => {
                let holder = asked
                    .right
                    .expect("only who shows the right thing is let in");
                if self.clients.len() == CLIENTS_MAX {
                    self.clients.remove(0);
                    self.tickets.remove(0);
                }
                self.clients.push(asked.channel);
                self.tickets.push((welcome.ticket, holder));
            }
            LoginAnswer::Refused(_) => {}
        }
    }

    /// Checks passwords, and stores, which fails now and then.
    pub(crate) fn perform_effects(&mut self) {
        for effect in std::mem::take(&mut self.rig.effects) {
            let done = match effect {
                Effect::CheckPassword { id, name, password } => {
                    let verdict = if is_right(name, &password) {
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
    pub(crate) fn end(&mut self) {
        self.rig.pass(Duration::from_secs(3_600));
        self.settle();
        if self.rig.stopped {
            return;
        }
        assert_eq!(self.rig.machine.online(), 0, "silent clients are gone");
        // What nobody fetched expires weeks later.
        let next = self.rig.machine.poll_timeout();
        let is_done = next.is_none_or(|next| next.kind == "expire messages");
        assert!(is_done, "nothing is left to do: {next:?}");
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

fn holder_of(login: &Login, key: usize) -> Holder {
    Holder {
        name: login.name,
        instance: login.instance,
        key,
    }
}

/// The rule of [`Party::perform_effects`].
fn is_right_password(login: &Login) -> bool {
    match &login.proof {
        Proof::Password(password) => is_right(login.name, password),
        Proof::Ticket(_) => false,
    }
}

fn is_right(name: Name, password: &Password) -> bool {
    name.as_str() == password.reveal() && name.as_str() != any::NAMES[3]
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
