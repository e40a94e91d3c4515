//! What the user sees, from the login to the end, in the order in which the machine said it.
//!
//! What others wrote is reported as shown only when it was kept and written out, so nothing is acknowledged that the user could
//! not have seen, now or the next time.

use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;

use simplechat_core::client::command::Command;
use simplechat_core::client::config::Start;
use simplechat_core::client::event::{End, Event, Occasion, SessionEvent};
use simplechat_core::client::{Client, Done, Trust as ServerTrust};
use simplechat_core::id::EffectId;
use simplechat_core::key::PublicKey;
use simplechat_core::name::Name;
use simplechat_core::text::Password;
use simplechat_core::wire::login::LoginRefusal;
use simplechat_driver::Handle;
use simplechat_store::client::{Kept, Recent};

use super::console::{Input, Screen, print_last};
use super::keeping::{Keeping, Outcome};
use super::reader::Reader;
use super::trust::{self, Trust, Untrusted};
use super::wording::{Unsent, past};
use super::{Item, leave, recall, wording};
use crate::exit::{Exit, Failure};

/// So much of what waits to be shown is kept at once.
const AT_ONCE: usize = 256;

/// What the user sees.
pub(super) struct Conversation {
    pub(super) handle: Handle<Client>,
    pub(super) screen: Screen,
    pub(super) sender: Sender<Item>,
    /// Until the login has succeeded; then a thread reads from it.
    pub(super) input: Option<Input>,
    pub(super) trust: Trust,
    /// Why the server is not trusted.
    pub(super) untrusted: Option<Failure>,
    /// The server has a past here that this client did not go on from.
    pub(super) other_past: Option<PublicKey>,
    pub(super) user: Name,
    pub(super) may_ask_again: bool,
    pub(super) start: Start,
    pub(super) is_closing: Arc<AtomicBool>,
    pub(super) refusal: Option<LoginRefusal>,
    /// Something could not be written out, and for this it has begun to leave.
    pub(super) is_unseen: bool,
    pub(super) keeping: Keeping,
    /// What was said last, until the user is let in.
    pub(super) recent: Vec<Recent>,
    /// Effects that could not be kept, in order.
    pub(super) waiting: Vec<Item>,
}

/// How it ended.
pub(super) enum Ended {
    /// When the driver has ended too.
    InOrder(Result<Exit, Failure>),
    /// At once: another client goes on with the store.
    TakenOver,
    /// It is to be begun anew, with what is kept for this server.
    Again(Box<Again>),
}

/// What another beginning needs.
pub(super) struct Again {
    /// The server, if it is known.
    pub(super) server: Option<PublicKey>,
    pub(super) trust: Trust,
    pub(super) input: Input,
    pub(super) screen: Screen,
}

impl Conversation {
    pub(super) fn hold(mut self, items: &Receiver<Item>) -> Ended {
        if self.start == Start::Offline {
            self.show_recent();
            self.start_reading();
        }
        loop {
            let next = match self.keeping.pause_after() {
                Some(time) => items.recv_timeout(time),
                None => items.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let mut batch = mem::take(&mut self.waiting);
            match next {
                Ok(item) => batch.push(item),
                Err(RecvTimeoutError::Timeout) => self.keeping.use_pause(),
                // The machine ended without a word: it cannot, as its last event is the end.
                Err(RecvTimeoutError::Disconnected) => return Ended::InOrder(Ok(Exit::Failed)),
            }
            batch.extend(items.try_iter().take(AT_ONCE));
            let is_kept = self.keep(&batch);
            for item in batch {
                match item {
                    Item::Event(Event::Session(SessionEvent::Ended { end, unsent })) => {
                        return self.end(end, unsent);
                    }
                    Item::Successor(successor) => {
                        self.hand_over();
                        drop(successor);
                        return Ended::TakenOver;
                    }
                    Item::Store { .. } | Item::Show { .. } if !is_kept => self.waiting.push(item),
                    item @ (Item::Event(_)
                    | Item::Store { .. }
                    | Item::Show { .. }
                    | Item::Judge { .. }
                    | Item::Text(_)
                    | Item::Past(_)) => self.take(item),
                }
            }
            if is_kept && !self.is_unseen {
                self.keeping.saw_all();
            }
        }
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Event(event) => {
                self.react_first(&event);
                self.show(&event);
                self.react(&event);
            }
            Item::Store { id, .. } => self.handle.effect_done(Done::Stored { id }),
            Item::Show { id, events, .. } => {
                if events.iter().all(|event| self.show(event)) {
                    self.handle.effect_done(Done::Shown { id });
                }
            }
            Item::Judge { id, key, address } => self.answer_judge(id, &key, address),
            Item::Text(text) => {
                self.print(&text);
            }
            Item::Past(line) => {
                for text in recall::answer(&mut self.keeping, &line) {
                    self.print(&text);
                }
            }
            // It ends the loop.
            Item::Successor(_) => {}
        }
    }

    /// Keeps what goes with these effects, and says so when that begins to fail or succeeds again.
    fn keep(&mut self, batch: &[Item]) -> bool {
        let kept: Vec<_> = batch.iter().filter_map(kept).collect();
        let outcome = self.keeping.keep(&kept);
        match &outcome {
            Outcome::Kept | Outcome::StillFailing => {}
            Outcome::KeptAgain => {
                self.print(past::KEPT_AGAIN);
            }
            Outcome::Failed(why) => {
                self.print(&past::not_kept(why));
            }
        }
        outcome.is_kept()
    }

    fn answer_judge(&mut self, id: EffectId, key: &PublicKey, address: SocketAddr) {
        let trust = self.judge(key, address);
        let done = Done::ServerJudged { id, trust };
        self.handle.effect_done(done);
    }

    /// Whether the server is who the user means. Nobody types commands yet, so a person can be asked.
    fn judge(&mut self, key: &PublicKey, address: SocketAddr) -> ServerTrust {
        let person = self.input.as_mut().filter(|input| input.is_person());
        let mut ask =
            person.map(|input| move |question: &str, prompt: &str| input.ask(question, prompt));
        let ask = ask.as_mut().map(|ask| -> trust::Ask<'_> { ask });
        let settled = self.trust.settle(*key, address, ask);
        let own_key = || self.trust.own_key(key, self.user);
        match settled.and_then(|()| own_key().map_err(Untrusted::Unknown)) {
            Ok(_) if !self.keeping.belongs_in(self.trust.store(key, self.user)) => {
                self.other_past = Some(*key);
                ServerTrust::Refused
            }
            Ok(own) => {
                self.untrusted = None;
                ServerTrust::Trusted(own)
            }
            Err(Untrusted::OtherKey(failure)) => {
                self.untrusted.get_or_insert(failure);
                ServerTrust::OtherKey
            }
            Err(Untrusted::Unknown(failure)) => {
                self.untrusted = Some(failure);
                ServerTrust::Refused
            }
        }
    }

    /// Whether it could be shown.
    fn show(&mut self, event: &Event) -> bool {
        match wording::say(event, &wording::Clock::now()) {
            Some(text) => self.print(&text),
            None => true,
        }
    }

    fn print(&mut self, text: &str) -> bool {
        let printed = self.screen.print(text).is_ok();
        // Nobody can read any more: what is not acknowledged is kept for the next login. Only once, as to ask twice is
        // to end without goodbye.
        if !printed && !self.is_unseen {
            self.is_unseen = true;
            leave(&self.handle);
        }
        printed
    }

    fn react(&mut self, event: &Event) {
        if let Event::Session(SessionEvent::LoggedIn { occasion, .. }) = event
            && *occasion == Occasion::First
        {
            self.start_reading();
        }
        if let Event::Session(SessionEvent::LoginRefused { refusal }) = event {
            // Who has been in before can type login again.
            if self.input.is_some() {
                self.on_refused(*refusal);
            }
        }
    }

    /// A person may try another password, as long as the account is not locked.
    fn on_refused(&mut self, refusal: LoginRefusal) {
        self.refusal = Some(refusal);
        let may_try = matches!(
            refusal,
            LoginRefusal::WrongCredentials { attempts_left: 1.. }
        );
        let password = self
            .input
            .as_mut()
            .filter(|input| may_try && self.may_ask_again && input.is_person())
            .and_then(|input| Password::new(input.ask_password().ok()?).ok());
        match password {
            Some(password) => {
                let user = self.user;
                let _ = self.handle.command(Command::Login { user, password });
            }
            None => leave(&self.handle),
        }
    }

    fn start_reading(&mut self) {
        self.refusal = None;
        let Some(input) = self.input.take() else {
            return;
        };
        let reader = Reader {
            input,
            handle: self.handle.clone(),
            user: self.user,
            sender: self.sender.clone(),
            is_closing: Arc::clone(&self.is_closing),
        };
        let started = thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || reader.read());
        if started.is_err() {
            leave(&self.handle);
        }
    }

    /// Before the user reads that they are logged in, they see where they were.
    fn react_first(&mut self, event: &Event) {
        if let Event::Session(SessionEvent::LoggedIn { .. }) = event {
            self.show_recent();
        }
    }

    fn show_recent(&mut self) {
        for text in past::recent(&mem::take(&mut self.recent), &wording::Clock::now()) {
            self.print(&text);
        }
    }

    fn end(mut self, end: End, unsent: usize) -> Ended {
        let input = self.input.take();
        if let (Some(server), Some(input)) = (self.other_past, input) {
            return Ended::Again(Box::new(Again {
                server: Some(server),
                trust: self.trust,
                input,
                screen: self.screen,
            }));
        }
        self.is_closing.store(true, Ordering::Relaxed);
        self.screen.close();
        if let Some(failure) = self.untrusted {
            return Ended::InOrder(Err(failure));
        }
        let fate = if self.keeping.keeps_nothing() || !self.waiting.is_empty() {
            Unsent::Lost
        } else {
            Unsent::Kept
        };
        self.keeping.close();
        // Who was not let in has read why, and nobody says goodbye to them.
        if end != End::Left || self.refusal.is_none() {
            print_last(&wording::ended(end, unsent, fate));
        }
        let is_lost = unsent > 0 && fate == Unsent::Lost;
        Ended::InOrder(Ok(match (end, self.refusal) {
            (End::ServerNotTrusted, _) => Exit::Untrusted,
            (End::Left, Some(_)) | (End::LoginRefused(_) | End::Removed, _) => Exit::LoginRefused,
            (End::TakenOver, _) => Exit::TakenOver,
            (End::Unreachable(_), _) => Exit::Unreachable,
            (End::Left, None) if is_lost => Exit::Failed,
            (End::Left, None) => Exit::Ok,
        }))
    }

    /// Ends for another client on this device. All that was acknowledged is kept, so nothing need be waited for.
    fn hand_over(mut self) {
        self.is_closing.store(true, Ordering::Relaxed);
        self.screen.close();
        self.keeping.close();
        print_last(past::HANDED_OVER);
    }
}

/// What is to be kept with an item.
fn kept(item: &Item) -> Option<Kept<'_>> {
    match item {
        Item::Store { records, .. } => Some(Kept {
            records,
            shown: &[],
        }),
        Item::Show {
            events, records, ..
        } => Some(Kept {
            records,
            shown: events,
        }),
        Item::Event(_)
        | Item::Judge { .. }
        | Item::Text(_)
        | Item::Past(_)
        | Item::Successor(_) => None,
    }
}
