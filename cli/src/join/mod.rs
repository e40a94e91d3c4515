//! `simplechat join`: the client, one line at a time.
//!
//! Three threads besides the driver's: one reads what is typed and hands it to the machine, one waits for signals, and
//! this one shows what happens, in the order in which the machine said it. What others wrote is reported as shown only
//! when it was written out, so nothing is acknowledged that the user could not have seen.

mod console;
pub(crate) mod doctor;
pub(crate) mod place;
mod trust;
mod wording;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::{fs, thread};

use simplechat_core::client::command::{Command, Consent};
use simplechat_core::client::config::Config;
use simplechat_core::client::event::{End, Event, Occasion, SessionEvent};
use simplechat_core::client::{Client, Done, Effect, Trust as ServerTrust};
use simplechat_core::id::EffectId;
use simplechat_core::key::PublicKey;
use simplechat_core::machine::Host;
use simplechat_core::name::Name;
use simplechat_core::text::Password;
use simplechat_core::wire::Term;
use simplechat_core::wire::frame::{Frame, RefusalCode};
use simplechat_core::wire::login::LoginRefusal;
use simplechat_driver::{Clock, Handle, Listener, Options};

use crate::args::Join;
use crate::command_line::{self, Line};
use crate::entropy::{OsSecrets, seed};
use crate::exit::{Exit, Failure};
use crate::settings::JoinSettings;
use crate::signals;
use crate::transport::Driver;
use console::{Entered, Input, Screen};
use trust::Trust;

/// Something to show.
enum Item {
    /// What the machine says of itself.
    Event(Event),
    /// What is to be kept: nothing, as there is no store yet.
    Store { id: EffectId },
    /// What others sent; it is reported back when it is shown.
    Show { id: EffectId, events: Vec<Event> },
    /// Whether the server with this key at this address is who the user means.
    Judge {
        id: EffectId,
        key: PublicKey,
        address: SocketAddr,
    },
    /// A word on what was typed.
    Text(String),
}

struct Reporter(Sender<Item>);

impl Host<Client> for Reporter {
    fn perform(&mut self, effect: Effect) {
        let item = match effect {
            Effect::Store { id, .. } => Item::Store { id },
            Effect::Show { id, events, .. } => Item::Show { id, events },
            Effect::JudgeServer { id, key, address } => Item::Judge { id, key, address },
        };
        // Nobody listens any more only when the program is ending.
        let _ = self.0.send(item);
    }

    fn show(&mut self, event: Event) {
        let _ = self.0.send(Item::Event(event));
    }
}

/// Chats until the user leaves or the session ends.
pub(crate) fn run(args: &Join) -> Result<Exit, Failure> {
    let listen = args.listen.map(|listen| listen.to_string());
    // Settings have words that RON can read.
    let link = args.link.as_ref().map(|link| link.replace('-', "_"));
    let flags = [
        ("--listen", "join.listen", listen),
        ("--data", "join.data", args.data.clone()),
        ("--transport", "join.transport", args.transport.clone()),
        ("--link", "join.link", link),
    ];
    let settings = args.common.settings(&flags, std::env::vars_os())?.join;
    let trust = Trust::new(args, &settings)?;
    let servers = place::resolve(trust.place())?;
    let listeners = place::listen(settings.listen, &servers)
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let Some(listener) = listeners.first().map(Listener::local_addr) else {
        return Err(Failure::new(Exit::Failed, "there is nowhere to listen"));
    };
    let (mut input, screen) = console::open()?;
    let user = name(args, &mut input)?;
    let password = password(args.password_file.as_deref(), &mut input)?;

    let config = Config {
        link: settings.link,
        ..Config::new(servers, listener)
    };
    let machine = Client::new(config, seed()?, Box::new(OsSecrets), Clock.now());
    let (sender, items) = channel();
    let reporter = Reporter(sender.clone());
    let (transport, options) = (settings.transport, options(&settings));
    let driver = Driver::start(transport, machine, listeners, options, |_| reporter)
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let handle = driver.handle();
    let leaving = handle.clone();
    signals::listen(move |_| leave(&leaving)).map_err(|error| Failure::new(Exit::Failed, error))?;
    // It can be refused only before the first one.
    let _ = handle.command(Command::Login { user, password });
    let conversation = Conversation {
        handle,
        screen,
        sender,
        input: Some(input),
        trust,
        untrusted: None,
        user,
        may_ask_again: args.password_file.is_none(),
        is_closing: Arc::new(AtomicBool::new(false)),
        refusal: None,
        is_unseen: false,
    };
    let exit = conversation.hold(&items);
    driver
        .wait()
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    exit
}

fn options(settings: &JoinSettings) -> Options {
    Options {
        worker_threads: settings.worker_threads,
        connections_max: settings.connections_max,
        dial_timeout: settings.dial_timeout,
        connection_deadline: settings.connection_deadline,
        refusal: Frame::Refusal(RefusalCode::Busy).to_bytes(),
        ..Options::default()
    }
}

fn name(args: &Join, input: &mut Input) -> Result<Name, Failure> {
    let given = match &args.user {
        Some(user) => user.clone(),
        None => input.ask_name()?,
    };
    given
        .trim()
        .parse()
        .map_err(|error| Failure::new(Exit::Usage, error))
}

fn password(file: Option<&Path>, input: &mut Input) -> Result<Password, Failure> {
    let given = match file {
        Some(path) => {
            let file = fs::read_to_string(path).map_err(|error| {
                let path = path.display();
                let message = format!("the password file {path} cannot be read: {error}");
                Failure::new(Exit::Usage, message)
            })?;
            file.lines().next().unwrap_or_default().to_owned()
        }
        None => input.ask_password()?,
    };
    Password::new(given).map_err(|error| Failure::new(Exit::Usage, error))
}

fn leave(handle: &Handle<Client>) {
    // Leaving is never refused.
    let _ = handle.command(Command::Leave);
}

/// What the user sees, from the login to the end.
struct Conversation {
    handle: Handle<Client>,
    screen: Screen,
    sender: Sender<Item>,
    /// Until the login has succeeded; then a thread reads from it.
    input: Option<Input>,
    trust: Trust,
    /// Why the server is not trusted.
    untrusted: Option<Failure>,
    user: Name,
    may_ask_again: bool,
    is_closing: Arc<AtomicBool>,
    refusal: Option<LoginRefusal>,
    /// Something could not be written out, and for this it has begun to leave.
    is_unseen: bool,
}

impl Conversation {
    fn hold(mut self, items: &Receiver<Item>) -> Result<Exit, Failure> {
        for item in items {
            match item {
                Item::Event(Event::Session(SessionEvent::Ended { end, unsent })) => {
                    return self.end(end, unsent);
                }
                Item::Event(event) => {
                    self.show(&event);
                    self.react(&event);
                }
                Item::Store { id } => self.handle.effect_done(Done::Stored { id }),
                Item::Show { id, events } => {
                    if events.iter().all(|event| self.show(event)) {
                        self.handle.effect_done(Done::Shown { id });
                    }
                }
                Item::Judge { id, key, address } => {
                    let trust = self.judge(&key, address);
                    let done = Done::ServerJudged { id, trust };
                    self.handle.effect_done(done);
                }
                Item::Text(text) => {
                    self.print(&text);
                }
            }
        }
        // The machine ended without a word: it cannot, as its last event is the end.
        Ok(Exit::Failed)
    }

    /// Whether the server is who the user means. Nobody types commands yet, so a person can be asked.
    fn judge(&mut self, key: &PublicKey, address: SocketAddr) -> ServerTrust {
        let person = self.input.as_mut().filter(|input| input.is_person());
        let mut ask =
            person.map(|input| move |question: &str, prompt: &str| input.ask(question, prompt));
        let ask = ask.as_mut().map(|ask| -> trust::Ask<'_> { ask });
        let settled = self.trust.settle(*key, address, ask);
        match settled.and_then(|()| self.trust.own_key(key, self.user)) {
            Ok(own) => ServerTrust::Trusted(own),
            Err(failure) => {
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

    fn end(mut self, end: End, unsent: usize) -> Result<Exit, Failure> {
        self.is_closing.store(true, Ordering::Relaxed);
        self.screen.close();
        if let Some(failure) = self.untrusted {
            return Err(failure);
        }
        // Who was not let in has read why, and nobody says goodbye to them.
        let is_told = end == End::Left && self.refusal.is_some();
        let event = SessionEvent::Ended { end, unsent }.into();
        if let Some(text) = wording::say(&event, &wording::Clock::now())
            && !is_told
        {
            console::print_last(&text);
        }
        Ok(match (end, self.refusal) {
            (End::ServerNotTrusted, _) => Exit::Untrusted,
            (End::Left, Some(_)) | (End::LoginRefused(_) | End::Removed, _) => Exit::LoginRefused,
            (End::TakenOver, _) => Exit::TakenOver,
            (End::Unreachable(_), _) => Exit::Unreachable,
            (End::Left, None) if unsent > 0 => Exit::Failed,
            (End::Left, None) => Exit::Ok,
        })
    }
}

/// Reads what is typed until the user leaves.
struct Reader {
    input: Input,
    handle: Handle<Client>,
    user: Name,
    sender: Sender<Item>,
    is_closing: Arc<AtomicBool>,
}

impl Reader {
    fn read(mut self) {
        while !self.is_closing.load(Ordering::Relaxed) {
            let line = match self.input.read_command() {
                Entered::Line(line) => line,
                Entered::TooLong { bytes } => {
                    self.say(format!(
                        "! a line of {bytes} bytes is too long, and was dropped"
                    ));
                    continue;
                }
                Entered::End if !self.input.is_person() => {
                    let _ = self.handle.command(Command::EndOfInput);
                    return;
                }
                Entered::End | Entered::Interrupt => return leave(&self.handle),
            };
            match command_line::parse(&line) {
                Ok(Some(Line::Logout)) => return leave(&self.handle),
                Ok(Some(Line::Login)) => self.log_in(),
                Ok(Some(Line::Help { topic })) => {
                    let help = topic.map_or_else(command_line::help, command_line::help_for);
                    self.say(help);
                }
                Ok(Some(line)) => self.obey(line),
                Ok(None) => {}
                Err(error) => self.say(format!("! {error}")),
            }
        }
    }

    /// Asks for the password again.
    fn log_in(&mut self) {
        let given = self.input.ask_password().map_err(|failure| failure.message);
        let password =
            given.and_then(|given| Password::new(given).map_err(|error| error.to_string()));
        let user = self.user;
        let said = match password {
            Ok(password) => self
                .handle
                .command(Command::Login { user, password })
                .map_err(|rejected| rejected.to_string()),
            Err(said) => Err(said),
        };
        if let Err(said) = said {
            self.say(format!("! {said}"));
        }
    }

    fn obey(&self, line: Line) {
        let Some(command) = command(line) else {
            return;
        };
        if let Err(rejected) = self.handle.command(command) {
            self.say(format!("! {rejected}"));
        }
    }

    fn say(&self, text: String) {
        let _ = self.sender.send(Item::Text(text));
    }
}

/// The wish that a line expresses. `None` for what the machine needs more for, or nothing.
fn command(line: Line) -> Option<Command> {
    let command = match line {
        Line::Message { to, text } => Command::Message { to, text },
        Line::Broadcast { text } => Command::Broadcast { text },
        Line::Private { to, text } => Command::Private { to, text },
        Line::Block { user } => Command::Block { user },
        Line::Unblock { user } => Command::Unblock { user },
        Line::Online => Command::Online,
        Line::GetAddress { user, term } => Command::GetAddress { user, term },
        Line::RemoveAddress { user } => Command::RemoveAddress { user },
        Line::AddressBook => Command::AddressBook,
        Line::Why { message } => Command::Why { message },
        Line::Verify { user } => Command::Verify { user },
        Line::MarkVerified { user } => Command::MarkVerified { user },
        Line::Accept { user, term } => Command::Answer {
            user,
            consent: Consent::Yes(term),
        },
        Line::Deny { user } => Command::Answer {
            user,
            consent: Consent::No,
        },
        Line::Yes => Command::BareAnswer(Consent::Yes(Term::UntilLogout)),
        Line::No => Command::BareAnswer(Consent::No),
        Line::Help { .. } | Line::Login | Line::Logout => return None,
    };
    Some(command)
}
