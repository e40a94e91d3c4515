//! What stands in the lines of a timeline.

use simplechat_core::machine::CloseReason;
use simplechat_core::name::Name;
use simplechat_core::server::Verdict;
use simplechat_core::server::event::{Arrival, Departure, Event};
use simplechat_core::server::record::Record;
use simplechat_core::server::recording::{Answered, Entrant, Items, ShownFacts, Texts};
use simplechat_core::text::Text;
use simplechat_core::wire::frame::RefusalCode;
use simplechat_core::wire::item::{Item, ItemError};
use simplechat_core::wire::login::LoginCause;
use simplechat_core::wire::mail::{Mail, Sealed};
use simplechat_core::wire::push::{
    Absence, Audience, Delivery, Expired, Presence, Push, SessionEnd, Whereabouts,
};
use simplechat_core::wire::request::{Answer, Held, Operation, Outcome, Reach, Request};
use simplechat_core::wire::{EndReason, Term};

use crate::clean::clean_line;

/// What is said, and who else it is about.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) text: String,
    pub(super) names: Vec<Name>,
}

impl Words {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            names: Vec::new(),
        }
    }

    fn about(name: Name, text: String) -> Self {
        Self {
            text,
            names: vec![name],
        }
    }

    fn concerning(self, name: Name) -> Self {
        self.concerning_all([name])
    }

    fn concerning_all(mut self, names: impl IntoIterator<Item = Name>) -> Self {
        self.names.extend(names);
        self
    }

    pub(super) fn and(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }
}

/// All items of a payload, one behind the other.
fn all<T: Item>(items: &Items, say: impl Fn(T) -> Words) -> Words {
    let mut all = Words::new("");
    for item in items.decoded::<T>() {
        let words = match item {
            Ok(item) => say(item),
            Err(error @ (ItemError::Unsupported(_) | ItemError::Malformed)) => {
                Words::new(error.to_string())
            }
        };
        if !all.text.is_empty() {
            all.text.push_str("; ");
        }
        all.text.push_str(&words.text);
        all.names.extend(words.names);
    }
    if all.text.is_empty() {
        all.text.push_str("nothing");
    }
    all
}

fn text(text: &Text, texts: Texts) -> String {
    match texts {
        Texts::Filled => format!("{} bytes", text.len()),
        Texts::Kept => format!("\"{}\"", clean_line(text.as_str())),
    }
}

pub(super) fn entrant(entrant: &Entrant, shown: ShownFacts) -> String {
    let by = match entrant.cause {
        LoginCause::Person => "",
        LoginCause::Automatic(_) => ", by itself",
    };
    let with = match shown {
        ShownFacts::Password => "a password",
        ShownFacts::Ticket(Verdict::Right) => "a good ticket",
        ShownFacts::Ticket(Verdict::Wrong) => "a bad ticket",
    };
    format!(
        "logs in{by} with {with}, as client {:?}, listening at port {}",
        entrant.instance, entrant.port
    )
}

pub(super) fn answered(answered: Answered) -> String {
    match answered {
        Answered::Forged => "answers without the session's keys".into(),
        Answered::Nonsense => "answers something unknown".into(),
        Answered::Proven => "proves its listener".into(),
        Answered::Disproven => "answers with another challenge".into(),
        Answered::Taken(number) => format!("has shown batch {}", number.0),
    }
}

pub(super) const fn close_reason(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Reset => "broken off",
        CloseReason::Deadline => "it took too long",
        CloseReason::Overflow => "it did not read what was sent",
        CloseReason::Shutdown => "the server's program ends",
    }
}

pub(super) fn refusal(code: RefusalCode) -> String {
    match code {
        RefusalCode::Busy => "busy".into(),
        RefusalCode::UnknownSession => "unknown session".into(),
        RefusalCode::Version => "another version".into(),
        RefusalCode::Malformed => "malformed".into(),
        RefusalCode::TooLong => "too long".into(),
        RefusalCode::Other(code) => format!("code {code}"),
    }
}

pub(super) fn requests(items: &Items, texts: Texts) -> Words {
    all(items, |request| match request {
        Request::Heartbeat => Words::new("heartbeat"),
        Request::LowestUnanswered { seq } => {
            Words::new(format!("knows the outcomes below #{}", seq.0))
        }
        Request::Submit { seq, operation } => {
            let mut words = self::operation(&operation, texts);
            words.text.insert_str(0, &format!("#{} ", seq.0));
            words
        }
        Request::ListOnline { after: None, .. } => Words::new("who is online?"),
        Request::ListOnline {
            after: Some(name), ..
        } => Words::new(format!("who is online after {name}?")),
        Request::Logout => Words::new("logs out"),
        Request::Holds { entries } => Words::new(address_book(entries.as_slice())),
    })
}

fn address_book(entries: &[Held]) -> String {
    if entries.is_empty() {
        return "has nobody in the address book".into();
    }
    let peers: Vec<_> = entries.iter().map(|held| held.peer.to_string()).collect();
    format!("has in the address book: {}", peers.join(", "))
}

fn operation(operation: &Operation, texts: Texts) -> Words {
    let about = |name: &Name, what: &str| Words::about(*name, format!("{what} {name}"));
    match operation {
        Operation::Message { to, text } => {
            about(to, "message").and(&format!(": {}", self::text(text, texts)))
        }
        Operation::Broadcast { text } => {
            Words::new(format!("broadcast: {}", self::text(text, texts)))
        }
        Operation::Block { user } => about(user, "block"),
        Operation::Unblock { user } => about(user, "unblock"),
        Operation::GetAddress { user, term } => about(user, "getaddress").and(self::term(*term)),
        Operation::Accept { user, term } => about(user, "accept").and(self::term(*term)),
        Operation::Deny { user } => about(user, "deny"),
        Operation::RemoveAddress { user } => about(user, "removeaddress"),
        Operation::Mail { to, sealed, .. } => {
            about(to, "mail").and(&format!(": {}", bytes(sealed)))
        }
        Operation::Skip => Words::new("skip"),
    }
}

const fn term(term: Term) -> &'static str {
    match term {
        Term::UntilLogout => "",
        Term::Lasting => " always",
    }
}

pub(super) fn answers(items: &Items) -> Words {
    all(items, |answer| match answer {
        Answer::Alive => Words::new("heartbeat heard"),
        Answer::Outcome { seq, outcome } => {
            Words::new(format!("#{} {}", seq.0, self::outcome(outcome)))
        }
        Answer::Online { users, more, .. } => {
            let names: Vec<_> = users.as_slice().iter().map(Name::as_str).collect();
            let more = if more { " and more" } else { "" };
            Words::new(format!("online: {}{more}", names.join(" ")))
        }
        Answer::ListenerChecked { reach } => Words::new(match reach {
            Reach::Reachable => "the listener is reachable",
            Reach::Unreachable => "the listener is unreachable",
            Reach::Held => "this connection stays open",
        }),
        Answer::LoggedOut => Words::new("logged out"),
        Answer::Stopping => Words::new("shutting down, nothing was taken"),
        Answer::Unsupported => Words::new("not supported"),
        Answer::Unreached => Words::new("the listener cannot be reached any more: log in again"),
        Answer::OnlineLater { milliseconds, .. } => {
            Words::new(format!("who is online: in {milliseconds} ms"))
        }
    })
}

fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Delivered => "delivered".into(),
        Outcome::Stored => "stored".into(),
        Outcome::Broadcast {
            delivered,
            stored,
            refused,
        } => format!("broadcast: {delivered} delivered, {stored} stored, {refused} refused"),
        Outcome::Asked => "asked".into(),
        Outcome::Done => "done".into(),
        Outcome::Refused(refusal) => format!("refused: {refusal}"),
    }
}

pub(super) fn pushes(items: &Items, texts: Texts) -> Words {
    all(items, |push| self::push(&push, texts))
}

fn push(push: &Push, texts: Texts) -> Words {
    match push {
        Push::Probe { .. } => Words::new("is this the listener?"),
        Push::Batch { number } => Words::new(format!("batch {}", number.0)),
        Push::Message(delivery) => message(delivery, texts),
        Push::KeptStart { count } => Words::new(format!("messages that were kept: {count}")),
        Push::KeptEnd => Words::new("those were all"),
        Push::Presence { user, presence } => Words::about(
            *user,
            match presence {
                Presence::Online => format!("{user} is online"),
                Presence::Offline => format!("{user} is offline"),
            },
        ),
        Push::AddressAsked { by, term, .. } => {
            Words::about(*by, format!("{by} asks for the address")).and(self::term(*term))
        }
        Push::QuestionClosed { by } => Words::about(*by, format!("{by} asks no more")),
        Push::Introduced(introduction) => {
            let peer = &introduction.peer;
            let at = addresses(&introduction.whereabouts);
            let term = term(introduction.term);
            Words::about(*peer, format!("introduced to {peer}{term} at {at}"))
        }
        Push::AddressDenied { by } => Words::about(*by, format!("{by} says no")),
        Push::NoAnswer { from } => Words::about(*from, format!("no answer from {from}")),
        Push::IntroductionEnded { peer, reason, .. } => {
            let reason = match reason {
                EndReason::Removed => "removed",
                EndReason::LoggedOut => "logged out",
                EndReason::OtherClient => "other client",
            };
            let text = format!("the introduction to {peer} is over: {reason}");
            Words::about(*peer, text)
        }
        Push::Delivered { seq, to } => Words::about(*to, format!("#{} has reached {to}", seq.0)),
        Push::SessionEnded { reason } => Words::new(match reason {
            SessionEnd::TakenOver => "the session is over: taken over",
            SessionEnd::TimedOut => "the session is over: silent for too long",
            SessionEnd::Removed => "the session is over: the account is no more",
            SessionEnd::CredentialsChanged => {
                "the session is over: the password is another one now"
            }
        }),
        Push::Stopping => Words::new("shutting down"),
        Push::Undelivered { to, count } => Words::about(
            *to,
            format!("messages to {to} that stay undelivered: {count}"),
        ),
        Push::Absent { peer, absence } => Words::about(
            *peer,
            match absence {
                Absence::Away => format!("{peer} is away"),
                Absence::Elsewhere => format!("{peer} is at another client"),
            },
        ),
        Push::Expired(word) => expired(word),
        Push::Mail(mail) => self::mail(mail),
        Push::MailExpired { to, seq } => {
            Words::about(*to, format!("mail #{} to {to} expired", seq.0))
        }
        Push::Addresses { peer, whereabouts } => {
            let at = addresses(whereabouts);
            Words::about(*peer, format!("{peer} is at {at}"))
        }
    }
}

fn expired(word: &Expired) -> Words {
    let (to, count) = (word.to, word.count());
    let numbers = word.numbers.as_slice().iter();
    let numbers: String = numbers.map(|seq| format!(" #{}", seq.0)).collect();
    Words::about(
        to,
        format!("messages to {to} that expired: {count}{numbers}"),
    )
}

fn mail(mail: &Mail) -> Words {
    let (from, number) = (mail.from, mail.seq.0);
    let length = bytes(&mail.sealed);
    Words::about(from, format!("mail #{number} of {from}: {length}"))
}

fn bytes(sealed: &Sealed) -> String {
    format!("{} sealed bytes", sealed.as_bytes().len())
}

fn addresses(whereabouts: &Whereabouts) -> String {
    let all = whereabouts.candidates.as_slice().iter();
    all.map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// What is kept for a server that starts again, and what the server does with it.
pub(super) fn record(verb: &str, record: &Record, texts: Texts) -> Words {
    let one = |name: &Name, text: String| Words::about(*name, format!("{verb}: {text}"));
    let two = |a: &Name, b: &Name, text: String| one(a, text).concerning(*b);
    match record {
        Record::Kept { to, message, .. } => {
            let said = self::message(message, texts).text;
            two(to, &message.from, format!("for {to}, {said}"))
        }
        Record::KeptMail { to, mail, .. } => {
            let said = self::mail(mail).text;
            two(to, &mail.from, format!("for {to}, {said}"))
        }
        Record::Taken { to, .. } => one(to, format!("{to} has the messages so far")),
        Record::Expired { to, untold, .. } => {
            let authors = untold.iter().map(|(author, _)| *author);
            one(to, format!("messages to {to} expired")).concerning_all(authors)
        }
        Record::ToldExpired { user, told } => {
            let told = expired(told);
            one(user, format!("{user} has heard: {}", told.text)).concerning_all(told.names)
        }
        Record::Outcomes { user, outcomes, .. } => {
            let outcomes: Vec<_> = outcomes
                .iter()
                .map(|(seq, outcome)| format!("#{} {}", seq.0, self::outcome(*outcome)))
                .collect();
            one(user, format!("outcomes of {user}: {}", outcomes.join(", ")))
        }
        Record::LoggedIn { user, from, .. } => one(user, format!("{user} logged in from {from}")),
        Record::LockedOut { name, from, .. } => {
            let from = from.map_or_else(|| "everywhere".into(), |from| from.to_string());
            one(name, format!("{name} is locked out from {from}"))
        }
        Record::Blocked { by, user } => two(by, user, format!("{by} has blocked {user}")),
        Record::Unblocked { by, user } => two(by, user, format!("{by} has unblocked {user}")),
        Record::Asked { asker, asked, .. } => two(asker, asked, format!("{asker} asks {asked}")),
        Record::QuestionClosed { asker, asked } => {
            two(asker, asked, format!("{asker} asks {asked} no more"))
        }
        Record::Introduced { a, b, .. } => two(a, b, format!("{a} and {b} are introduced")),
        Record::Parted { a, b } => two(a, b, format!("{a} and {b} are introduced no more")),
        Record::Notice { to, push, .. } => {
            let push = self::push(push, texts);
            one(to, format!("{to} has to hear: {}", push.text)).concerning_all(push.names)
        }
        Record::Told { to, .. } => one(to, format!("{to} has heard")),
        Record::Removed { user } => one(user, format!("{user} is no account any more")),
    }
}

fn message(delivery: &Delivery, texts: Texts) -> Words {
    let Delivery {
        from,
        seq,
        audience,
        ..
    } = delivery;
    let to = match audience {
        Audience::You => "",
        Audience::Everyone => " to all",
    };
    let text = text(&delivery.text, texts);
    Words::about(*from, format!("message of {from}{to} (#{}): {text}", seq.0))
}

pub(super) fn event(event: &Event) -> String {
    match event {
        Event::LoggedIn { arrival, .. } => match arrival {
            Arrival::New => "log: logged in".into(),
            Arrival::Again => "log: logged in again".into(),
            Arrival::TookOver => "log: logged in, in place of another client".into(),
        },
        Event::LoginRefused { refusal, .. } => format!("log: login refused: {refusal}"),
        Event::ListenerUnreachable { listener, .. } => {
            format!("log: the listener at {listener} does not answer")
        }
        Event::LoggedOut { departure, .. } => match departure {
            Departure::LoggedOut => "log: logged out".into(),
            Departure::TimedOut => "log: silent for too long, and logged out".into(),
            Departure::Removed => "log: logged out, as there is no such account any more".into(),
            Departure::CredentialsChanged => {
                "log: logged out, as the password is another one now".into()
            }
        },
        Event::Refused { from, fault } => format!("log: connection of {from} refused: {fault}"),
        Event::AccountAdded { .. } => "log: a new account".into(),
        Event::AccountRemoved { .. } => "log: account removed".into(),
        Event::AccountErased { .. } => "log: what was kept for it is erased".into(),
        Event::CredentialsChanged { .. } => "log: a new password".into(),
        Event::Reloaded => "log: the accounts are as given".into(),
        Event::StoreFailing => "log: the store keeps nothing".into(),
        Event::StoreWorking => "log: the store works again".into(),
        Event::Stopping => "log: shutting down".into(),
        Event::Stopped { undelivered, kept } => {
            format!("log: ended, {undelivered} undelivered, {kept} kept")
        }
    }
}
