//! The model: the obvious truth of a world, kept from what an onlooker sees, slowly and plainly.
//!
//! It knows what people wished and were told, never what the machines have in their tables. So where something happens on
//! the way it only knows bounds: a block counts from when its user was told that it is done, until they wish to end it.

mod accounts;
pub mod age;
pub mod blocks;
pub mod consents;
pub mod kept;
pub mod letters;
pub mod presence;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use simplechat_core::client::command::{Command, Consent};
use simplechat_core::client::event::{Event, MessageEvent, PeerEvent, SessionEvent};
use simplechat_core::id::{EffectId, Seq};
use simplechat_core::name::Name;
use simplechat_core::time::Timestamp;
use simplechat_core::wire::Term;
use simplechat_core::wire::request::{Operation, Outcome};

use crate::net::Listening;
use crate::observation::{Observation, Observed};
use crate::world::ClientId;

use super::plan::Settings;
use age::ClockChanges;
use blocks::Blocks;
use consents::Consents;
use kept::Kept;
use letters::{Letter, LetterId, Letters, Route};
use presence::Presence;

/// Where a client is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// Somebody sits before it.
    Running,
    /// It was asked to leave, and takes no more wishes.
    Leaving,
    /// It is gone.
    Over,
}

/// Something that the server was asked to do.
#[derive(Clone, Debug)]
pub struct Op {
    /// What.
    pub operation: Operation,
    /// The text that it carries.
    pub letter: Option<LetterId>,
    /// When it was wished.
    pub wished: Timestamp,
    /// Its number, once the client's store has it.
    pub kept: Option<Seq>,
    /// Whether its final word was told, before the client started again and had not kept it.
    pub was_told: bool,
}

/// A client, as its user sees it.
#[derive(Debug)]
pub struct Client {
    /// Whom it was last asked to log in as.
    pub user: Option<Name>,
    /// Where in its life it is.
    pub life: Life,
    /// When its user wished to log in, before it was started again.
    pub login_wished: Option<Timestamp>,
    /// When they last did.
    pub last_login: Option<Timestamp>,
    /// When it was first logged in.
    pub entered: Option<Timestamp>,
    /// Whether it goes on where it was before.
    pub has_started_again: bool,
    /// What its store has, if it has one.
    pub kept: Kept,
    /// Whether it is logged in, as far as it can be: since its first login, but for when it asks for the password again.
    pub logged_in: bool,
    /// Whether it ever was.
    pub was_logged_in: bool,
    /// What has no final word yet, in order.
    pub open: VecDeque<Op>,
    /// Private texts that have not arrived, in order, for each peer.
    pub privates: BTreeMap<Name, VecDeque<LetterId>>,
    /// Private texts that may be in a mail at the server, too.
    pub mailed: BTreeSet<LetterId>,
    /// Who asks for the user's address.
    pub questions: BTreeSet<Name>,
    /// Who is in the address book.
    pub book: BTreeMap<Name, Entry>,
    /// When the question who is online was put, while it has no answer.
    pub online_asked: Option<Timestamp>,
    /// Whether others can connect to it.
    pub listening: Listening,
    /// What is on its way to the screen.
    showing: BTreeMap<EffectId, Vec<LetterId>>,
}

/// Somebody in an address book.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Since when.
    pub since: Timestamp,
    /// For how long.
    pub term: Term,
    /// Whether the user was told that they are at another client.
    pub is_elsewhere: bool,
}

/// Whether anything keeps clients from being heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Climate {
    /// Something may.
    Rough,
    /// Nothing does, since then.
    Kind(Timestamp),
}

/// The truth.
#[derive(Debug)]
pub struct Model {
    /// The settings that the world is promised to run with.
    pub settings: Settings,
    /// Who has an account.
    pub accounts: BTreeSet<Name>,
    /// When an account of each name was last added or removed.
    pub changed: BTreeMap<Name, Timestamp>,
    /// When one was last removed.
    pub removed: BTreeMap<Name, Timestamp>,
    /// All clients that ever were.
    pub clients: BTreeMap<ClientId, Client>,
    /// All texts that were ever written.
    pub letters: Letters,
    /// Who has blocked whom.
    pub blocks: Blocks,
    /// Who agreed to exchange addresses with whom.
    pub consents: Consents,
    /// Who is online, as the server told its operator.
    pub presence: BTreeMap<Name, Presence>,
    /// How the world is to its clients.
    pub climate: Climate,
    /// How many texts of somebody to another were told to have expired that earlier clients of theirs had sent.
    pub expired_elsewhere: BTreeMap<(Name, Name), u32>,
    /// How the server's wall clock was set.
    pub clock_changes: ClockChanges,
    /// When a server last went.
    server_went: Timestamp,
}

impl Model {
    /// A world before anything happened.
    pub fn new(settings: Settings, accounts: impl IntoIterator<Item = Name>) -> Self {
        Self {
            settings,
            accounts: accounts.into_iter().collect(),
            changed: BTreeMap::new(),
            removed: BTreeMap::new(),
            clients: BTreeMap::new(),
            letters: Letters::default(),
            blocks: Blocks::default(),
            consents: Consents::new(settings.question_expiry.into()),
            presence: BTreeMap::new(),
            climate: Climate::Rough,
            expired_elsewhere: BTreeMap::new(),
            clock_changes: ClockChanges::default(),
            server_went: Timestamp::ZERO,
        }
    }

    /// The user of a client.
    #[must_use]
    pub fn user(&self, client: ClientId) -> Option<Name> {
        self.clients.get(&client)?.user
    }

    /// Whether a text may have been done before it got its final word: by another server, which went without a word, or by this one
    /// for an account that is no more, whose client goes on in a later one of the name.
    #[must_use]
    pub fn was_done_before(&self, letter: &Letter) -> bool {
        self.server_went >= letter.wished || self.was_changed_since(letter.from, letter.wished)
    }

    /// Whether nothing of `other` may be shown at a client.
    #[must_use]
    pub fn hides(&self, client: ClientId, other: Name) -> bool {
        let login = self
            .clients
            .get(&client)
            .and_then(|c| Some((c.user?, c.login_wished?)));
        login.is_some_and(|(user, login)| self.blocks.hides(client, user, login, other))
    }

    /// Takes in what happened, once it was checked.
    pub fn apply(&mut self, observed: &Observed) {
        let at = observed.at;
        match &observed.what {
            Observation::ServerCrashed | Observation::ServerEnded => self.server_is_gone(at),
            Observation::Operator(event) => self.apply_operator(at, event),
            Observation::SatDown { client } => {
                self.clients.insert(*client, Client::new());
            }
            Observation::Wished {
                client,
                command,
                result: Ok(()),
            } => {
                self.apply_wish(at, *client, command);
            }
            Observation::Read { client, effect } => {
                let client = self.clients.get_mut(client);
                let read = client.and_then(|client| client.showing.remove(effect));
                for letter in read.unwrap_or_default() {
                    self.letters.get_mut(letter).read = true;
                }
            }
            Observation::Listens { client, listening } => {
                if let Some(client) = self.clients.get_mut(client) {
                    client.listening = *listening;
                }
            }
            Observation::ClientCrashed { client } | Observation::ClientEnded { client } => {
                if let Some(client) = self.clients.get_mut(client) {
                    client.life = Life::Over;
                }
            }
            // Events are taken in one by one.
            Observation::Kept { client, records } => self.keep(at, *client, records),
            Observation::StartedAgain { client } => self.starts_again(at, *client),
            Observation::Told { .. }
            | Observation::Moved { .. }
            | Observation::Shown { .. }
            | Observation::ServerStarted
            | Observation::Slept { .. }
            | Observation::Woke { .. }
            | Observation::PasswordChecked { .. }
            | Observation::LoginSent { .. }
            | Observation::AttackerLogsIn { .. }
            | Observation::Intercepted { .. }
            | Observation::Breach { .. }
            | Observation::ServerHeard { .. }
            | Observation::Dialled { .. }
            | Observation::Wished { result: Err(_), .. } => {}
        }
    }

    /// Everything is mended, and there was time enough: what is on the screen of a client that runs was acknowledged.
    pub fn at_rest(&mut self) {
        let (clients, letters) = (&self.clients, &mut self.letters);
        let runs = |id: &ClientId| {
            clients
                .get(id)
                .is_some_and(|client| client.life == Life::Running)
        };
        for letter in letters.iter_mut() {
            letter.delivered |= letter.to.is_some() && letter.shown.iter().any(runs);
        }
    }

    /// The client of a user that runs and was logged in, if there is exactly one.
    #[must_use]
    pub fn only_client(&self, user: Name) -> Option<(ClientId, &Client)> {
        let mut running = self.clients.iter().filter(|(_, client)| {
            client.user == Some(user) && client.logged_in && client.life == Life::Running
        });
        let first = running.next()?;
        running.next().is_none().then_some((*first.0, first.1))
    }

    /// This is the one place that says what is lost with a server: its sessions, and nothing else that it ever said.
    #[allow(clippy::too_many_lines, reason = "a row for each command")]
    fn apply_wish(&mut self, at: Timestamp, id: ClientId, command: &Command) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        if let Command::Login { user, .. } = command {
            client.user = Some(*user);
            client.last_login = Some(at);
            if !client.has_started_again {
                client.login_wished = Some(at);
            }
        }
        let Some(user) = client.user else {
            return;
        };
        let bare = client.questions.first().copied();
        match command {
            Command::Message { to, text } => {
                let letter =
                    self.letters
                        .write(text.as_str(), user, id, Route::Server, Some(*to), at);
                self.open_op(
                    at,
                    id,
                    Operation::Message {
                        to: *to,
                        text: text.clone(),
                    },
                    Some(letter),
                );
            }
            Command::Broadcast { text } => {
                let letter = self
                    .letters
                    .write(text.as_str(), user, id, Route::Server, None, at);
                self.open_op(
                    at,
                    id,
                    Operation::Broadcast { text: text.clone() },
                    Some(letter),
                );
            }
            Command::Private { to, text } => {
                let letter =
                    self.letters
                        .write(text.as_str(), user, id, Route::Direct, Some(*to), at);
                client.privates.entry(*to).or_default().push_back(letter);
            }
            Command::Block { user: other } => {
                client.questions.remove(other);
                self.blocks.wish_block(user, *other);
                self.open_op(at, id, Operation::Block { user: *other }, None);
            }
            Command::Unblock { user: other } => {
                self.blocks.wish_unblock(user, *other);
                self.open_op(at, id, Operation::Unblock { user: *other }, None);
            }
            Command::GetAddress { user: other, term } => {
                self.consents.ask(at, user, *other, *term);
                let (user, term) = (*other, *term);
                self.open_op(at, id, Operation::GetAddress { user, term }, None);
            }
            Command::RemoveAddress { user: other } => {
                self.open_op(at, id, Operation::RemoveAddress { user: *other }, None);
            }
            Command::Answer {
                user: asker,
                consent,
            } => self.answer(at, id, user, *asker, *consent),
            Command::BareAnswer(consent) => {
                if let Some(asker) = bare {
                    self.answer(at, id, user, asker, *consent);
                }
            }
            Command::Online => {
                client.online_asked.get_or_insert(at);
            }
            Command::Leave | Command::EndOfInput => client.life = Life::Leaving,
            Command::Login { .. }
            | Command::AddressBook
            | Command::Why { .. }
            | Command::Verify { .. }
            | Command::MarkVerified { .. } => {}
        }
    }

    fn answer(&mut self, at: Timestamp, id: ClientId, user: Name, asker: Name, consent: Consent) {
        let operation = match consent {
            Consent::Yes(term) => {
                self.consents.say_yes(at, user, asker, term);
                Operation::Accept { user: asker, term }
            }
            Consent::No => Operation::Deny { user: asker },
        };
        if let Some(client) = self.clients.get_mut(&id) {
            client.questions.remove(&asker);
        }
        self.open_op(at, id, operation, None);
    }

    fn open_op(
        &mut self,
        wished: Timestamp,
        id: ClientId,
        operation: Operation,
        letter: Option<LetterId>,
    ) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.open.push_back(Op {
                operation,
                letter,
                wished,
                kept: None,
                was_told: false,
            });
        }
    }

    /// Takes in what a user is shown, once it was checked.
    pub fn apply_event(
        &mut self,
        at: Timestamp,
        id: ClientId,
        event: &Event,
        effect: Option<EffectId>,
    ) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        match event {
            Event::Session(SessionEvent::LoggedIn { .. }) => {
                client.logged_in = true;
                client.entered.get_or_insert(at);
                client.was_logged_in = true;
            }
            Event::Session(SessionEvent::PasswordNeeded) => client.logged_in = false,
            Event::Message(
                MessageEvent::Message { text, .. } | MessageEvent::Private { text, .. },
            ) => {
                if let Some(letter) = self.letters.find(text.as_str()) {
                    self.letters.show(letter, id, at);
                    if let Some(effect) = effect {
                        client.showing.entry(effect).or_default().push(letter);
                    }
                }
            }
            Event::Message(MessageEvent::Expired { to, numbers, count }) => {
                let user = client.user;
                self.apply_expired(at, id, user, *to, numbers, *count);
            }
            Event::Message(MessageEvent::PrivateDelivered { to }) => {
                let letter = client.privates.get_mut(to).and_then(VecDeque::pop_front);
                if let Some(letter) = letter {
                    self.letters.get_mut(letter).delivered = true;
                }
            }
            Event::Message(MessageEvent::PrivateStored { to }) => {
                let waiting = client.privates.get(to).into_iter().flatten();
                client.mailed.extend(waiting.copied());
            }
            Event::Peer(event) => self.apply_peer_event(at, id, event),
            Event::Outcome { outcome, .. } => self.apply_outcome(at, id, *outcome),
            Event::Online { .. } => client.online_asked = None,
            Event::Session(_)
            | Event::Message(_)
            | Event::Presence { .. }
            | Event::AddressBook { .. }
            | Event::Ledger(_)
            | Event::SafetyCode { .. } => {}
        }
    }

    fn apply_peer_event(&mut self, at: Timestamp, id: ClientId, event: &PeerEvent) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        match event {
            PeerEvent::AddressAsked { by, .. } => {
                client.questions.insert(*by);
            }
            PeerEvent::QuestionClosed { by } => {
                client.questions.remove(by);
            }
            PeerEvent::Introduced { peer, term } => {
                client.questions.remove(peer);
                client.book.insert(
                    *peer,
                    Entry {
                        since: at,
                        term: *term,
                        is_elsewhere: false,
                    },
                );
                if let Some(user) = client.user {
                    self.consents.introduced(id, user, *peer);
                }
            }
            PeerEvent::PeerGone { peer, .. } => {
                client.book.remove(peer);
                client.privates.remove(peer);
            }
            PeerEvent::KeyChanged {
                peer, undelivered, ..
            } => {
                if let Some(waiting) = client.privates.get_mut(peer) {
                    waiting.drain(..waiting.len().min(*undelivered));
                }
            }
            PeerEvent::PeerElsewhere { peer } => {
                if let Some(entry) = client.book.get_mut(peer) {
                    entry.is_elsewhere = true;
                }
            }
            PeerEvent::Verified { .. }
            | PeerEvent::PeerAway { .. }
            | PeerEvent::AddressDenied { .. }
            | PeerEvent::NoAnswer { .. }
            | PeerEvent::RefusedFormerPeer { .. }
            | PeerEvent::KeyMismatch { .. }
            | PeerEvent::IntroducedUnasked { .. }
            | PeerEvent::RefusedStranger { .. } => {}
        }
    }

    fn apply_outcome(&mut self, at: Timestamp, id: ClientId, outcome: Outcome) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let (Some(user), Some(op)) = (client.user, client.pop_op()) else {
            return;
        };
        match op.operation {
            Operation::Message { .. } | Operation::Broadcast { .. } => {
                if let Some(letter) = op.letter {
                    self.letters.get_mut(letter).word = Some((at, outcome));
                }
            }
            Operation::Block { user: other } => {
                self.blocks.block_done(at, id, user, other, outcome)
            }
            Operation::Unblock { user: other } => {
                self.blocks.unblock_done(at, user, other, outcome)
            }
            Operation::GetAddress { user: other, .. } => {
                self.consents.asked(at, user, other, op.wished, outcome);
            }
            Operation::Accept { user: other, .. } => {
                self.consents.said_yes(at, user, other, op.wished, outcome);
            }
            Operation::Deny { user: other } => {
                self.consents.said_no(at, user, other, op.wished, outcome);
            }
            Operation::RemoveAddress { .. } | Operation::Mail { .. } | Operation::Skip => {}
        }
    }
}

impl Client {
    fn new() -> Self {
        Self {
            user: None,
            life: Life::Running,
            login_wished: None,
            last_login: None,
            entered: None,
            has_started_again: false,
            kept: Kept::default(),
            logged_in: false,
            was_logged_in: false,
            open: VecDeque::new(),
            privates: BTreeMap::new(),
            mailed: BTreeSet::new(),
            questions: BTreeSet::new(),
            book: BTreeMap::new(),
            online_asked: None,
            listening: Listening::There,
            showing: BTreeMap::new(),
        }
    }
}
