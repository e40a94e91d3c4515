//! How the client says things: every event in the words that a person reads.
//!
//! Lines that start with a time are what people wrote; with `*` what happened to others; with `!` what went wrong; with
//! two blanks what came of the user's own commands. What others wrote is cleaned here, and nowhere else.

mod ledger;
mod outcome;
pub(super) mod past;

use std::fmt::Write as _;
use std::net::IpAddr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use simplechat_core::client::event::{
    AwayCause, BookEntry, End, Event, GoneCause, KeyMismatch, MessageEvent, Occasion, PeerEvent,
    PeerReach, SessionEvent, Uncallable, Verification,
};
use simplechat_core::client::ledger::MessageNumber;
use simplechat_core::name::Name;
use simplechat_core::safety_code::SafetyCode;
use simplechat_core::text::Text;
use simplechat_core::time::WallTime;
use simplechat_core::wire::login::LoginRefusal;
use simplechat_core::wire::push::{Audience, Presence};
use simplechat_core::wire::{EndReason, Term};

use crate::clean::clean_block;
use outcome::{leaves_open, outcome_of};

/// What stands before further lines of a text, so that none of them can look like a line of its own.
pub(super) const INDENT: &str = "    ";

/// Where and when something is said: times are shown as the clock on the wall shows them.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    pub(super) zone: TimeZone,
    pub(super) today: Date,
}

impl Clock {
    pub(super) fn now() -> Self {
        let now = Zoned::now();
        Self {
            zone: now.time_zone().clone(),
            today: now.date(),
        }
    }

    /// The time of day, with the date unless it is today.
    fn show(&self, time: WallTime) -> String {
        self.show_as(time, "%H:%M")
    }

    /// The same to the second, for what follows closely.
    fn show_exactly(&self, time: WallTime) -> String {
        self.show_as(time, "%H:%M:%S")
    }

    fn show_as(&self, time: WallTime, time_of_day: &str) -> String {
        let moment = i64::try_from(time.0)
            .ok()
            .and_then(|millis| Timestamp::from_millisecond(millis).ok())
            .map(|moment| moment.to_zoned(self.zone.clone()));
        match moment {
            Some(moment) if moment.date() == self.today => moment.strftime(time_of_day).to_string(),
            Some(moment) => {
                let day = moment.date();
                format!("{day} {}", moment.strftime(time_of_day))
            }
            None => "at some time".into(),
        }
    }
}

/// An event as lines of text, without the last newline. `None` if there is nothing to say.
pub(super) fn say(event: &Event, clock: &Clock) -> Option<String> {
    let said = match event {
        Event::Session(event) => session(event),
        Event::Message(event) => message(event, clock),
        Event::Peer(event) => peer(event),
        Event::Outcome {
            number,
            operation,
            outcome,
        } => {
            let number = number.filter(|_| leaves_open(*outcome));
            outcome_of(operation, *outcome).map(|said| numbered(said, number))?
        }
        Event::Presence { user, presence } => match presence {
            Presence::Online => format!("* {user} is online"),
            Presence::Offline => format!("* {user} is offline"),
        },
        Event::Online { users } => online(users),
        Event::AddressBook { entries } => address_book(entries),
        Event::Ledger(entry) => ledger::say(entry, clock),
        Event::SafetyCode {
            peer,
            code,
            verification,
        } => safety_code(*peer, code, *verification),
    };
    Some(said)
}

fn session(event: &SessionEvent) -> String {
    match event {
        SessionEvent::LoggedIn {
            user,
            kept,
            occasion,
            time: _,
        } => logged_in(*user, *kept, *occasion),
        SessionEvent::LoginRefused { refusal } => login_refused(*refusal),
        SessionEvent::ListenerUnreachable { port } => format!(
            "! The server cannot reach this client at port {port}: is there a firewall? Messages are kept until it can."
        ),
        SessionEvent::LinkHeld { port } => format!(
            "* The server cannot call this client at port {port}, so the connection to it stays open. Messages come as ever; \
             peers who cannot call either are out of reach."
        ),
        SessionEvent::ServerAway { cause, peers } => server_away(*cause, *peers),
        SessionEvent::Impostor { at, key } => format!(
            "! At {at} somebody else answers in the server's place, with a key whose fingerprint is {}; nothing was said to \
             them. Trying the server's other addresses.",
            key.fingerprint()
        ),
        SessionEvent::ServerBack => "! The server answers again.".into(),
        SessionEvent::Slowed => {
            "! That is more at once than the server takes. What waits is sent by and by, in order."
                .into()
        }
        SessionEvent::TimedOut => {
            "! The server has not heard from this client for too long. Logging in again.".into()
        }
        SessionEvent::PasswordNeeded => {
            "! The server asks for your password again: type login. What you write meanwhile waits."
                .into()
        }
        SessionEvent::Ended { end, unsent } => ended(*end, *unsent, Unsent::Lost),
    }
}

fn message(event: &MessageEvent, clock: &Clock) -> String {
    match event {
        MessageEvent::KeptStart { count } => {
            format!("--- {} while you were away ---", messages(*count))
        }
        MessageEvent::KeptEnd => "--- that is all that was kept ---".into(),
        MessageEvent::Message {
            from,
            sent,
            audience,
            text,
        } => {
            let to = match audience {
                Audience::You => "",
                Audience::Everyone => " to all",
            };
            written(clock, *sent, *from, to, text)
        }
        MessageEvent::Private {
            from,
            sent,
            text,
            verification,
        } => {
            // The mark stands where nothing that somebody writes can stand.
            let how = match verification {
                Verification::Verified => " (verified) privately",
                Verification::Unverified => " privately",
            };
            written(clock, *sent, *from, how, text)
        }
        MessageEvent::Waiting { number } => {
            numbered("  waits until the server is back".into(), *number)
        }
        MessageEvent::PrivateDelivered { to } => format!("  delivered to {to}, privately"),
        MessageEvent::PrivateWaiting { to, uncallable } => {
            let why = self::uncallable(*to, *uncallable);
            format!("  {to} cannot be reached now{why}: private messages to {to} wait")
        }
        MessageEvent::PrivateStored { to } => {
            format!("  kept for {to} at the server, sealed: only {to} can read it")
        }
        MessageEvent::MailUnreadable { from } => format!(
            "! A private message that {from} has left at the server cannot be read: it was changed, or is not for this client."
        ),
        MessageEvent::Delivered { to, number } => {
            numbered(format!("  {to} has your message now"), *number)
        }
        MessageEvent::Expired { to, numbers, count } => expired(*to, numbers, *count),
        MessageEvent::Undelivered { to, count } => format!(
            "! The server ends before it could deliver {} to {to}.",
            messages(*count)
        ),
    }
}

fn expired(to: Name, numbers: &[MessageNumber], count: u32) -> String {
    let list: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    let list = match list.as_slice() {
        [] => String::new(),
        list => format!(" (#{})", list.join(", #")),
    };
    let messages = messages(count);
    format!(
        "! {to} has not fetched {messages} of yours{list} in time: the server keeps no message longer."
    )
}

fn peer(event: &PeerEvent) -> String {
    match event {
        PeerEvent::AddressAsked {
            by,
            expires_in_secs,
            term: Term::Lasting,
        } => format!(
            "* {by} asks to exchange addresses for private messages, and to stay in each other's address books \
             after a logout: accept {by} always, accept {by} (until a logout) or deny {by}? (open for {expires_in_secs} s)"
        ),
        PeerEvent::AddressAsked {
            by,
            expires_in_secs,
            term: Term::UntilLogout,
        } => format!(
            "* {by} asks to exchange addresses for private messages: accept {by} or deny {by}? \
             (open for {expires_in_secs} s)"
        ),
        PeerEvent::QuestionClosed { by } => {
            format!("* {by}'s question to exchange addresses is closed")
        }
        PeerEvent::Introduced { peer, term } => {
            let term = match term {
                Term::UntilLogout => "",
                Term::Lasting => ", and stays there when one of you leaves",
            };
            format!(
                "* {peer} is in your address book{term}: private {peer} TEXT goes straight to them"
            )
        }
        PeerEvent::IntroducedUnasked { peer } => format!(
            "! The server introduced {peer}, whom this client did not ask for and did not accept: nothing has changed. \
             A server that does this is not to be trusted."
        ),
        PeerEvent::KeyChanged {
            peer,
            was,
            undelivered,
        } => key_changed(*peer, *was, *undelivered),
        PeerEvent::Verified { peer } => {
            format!("  {peer} is verified, for as long as their key stays the same")
        }
        PeerEvent::AddressDenied { by } => format!("* {by} does not want to exchange addresses"),
        PeerEvent::NoAnswer { from } => format!("* {from} did not answer"),
        PeerEvent::PeerGone {
            peer,
            cause,
            undelivered,
        } => peer_gone(*peer, *cause, *undelivered),
        PeerEvent::PeerAway { peer } => {
            format!("* {peer} has left, and stays in your address book: what you write waits")
        }
        PeerEvent::PeerElsewhere { peer } => {
            format!("* {peer} is at another client now: getaddress {peer} to write there privately")
        }
        PeerEvent::RefusedFormerPeer { peer } => format!(
            "* {peer} wrote to you privately and was refused: {peer} is not in your address book"
        ),
        PeerEvent::KeyMismatch { peer, at, mismatch } => key_mismatch(*peer, *at, *mismatch),
        PeerEvent::RefusedStranger { from } => format!(
            "* somebody at {from} called this client and was refused: they are not in your address book"
        ),
    }
}

fn messages(count: u32) -> String {
    match count {
        1 => "1 message".into(),
        count => format!("{count} messages"),
    }
}

fn logged_in(user: Name, kept: u32, occasion: Occasion) -> String {
    match (occasion, kept) {
        (Occasion::First, 0) => format!(
            "Logged in as {user}. Type help for the commands.\nNo messages while you were away."
        ),
        (Occasion::First, _) => format!("Logged in as {user}. Type help for the commands."),
        (Occasion::Again, _) => format!("! The server is back. Logged in again as {user}."),
    }
}

fn login_refused(refusal: LoginRefusal) -> String {
    match refusal {
        LoginRefusal::WrongCredentials { attempts_left: 0 } => {
            "! Wrong name or password. That was the last attempt for now.".into()
        }
        LoginRefusal::WrongCredentials { attempts_left: 1 } => {
            "! Wrong name or password. One more attempt is left.".into()
        }
        LoginRefusal::WrongCredentials { attempts_left } => {
            format!("! Wrong name or password. {attempts_left} attempts are left.")
        }
        LoginRefusal::Locked { .. }
        | LoginRefusal::TicketRefused
        | LoginRefusal::TakenOver
        | LoginRefusal::Port(_)
        | LoginRefusal::Busy { .. }
        | LoginRefusal::Stopping
        | LoginRefusal::Other { .. } => format!("! Not logged in: {refusal}."),
    }
}

fn server_away(cause: AwayCause, peers: usize) -> String {
    let what = match cause {
        AwayCause::Stopping => "The server is shutting down.".into(),
        AwayCause::Unreachable(failure) => format!("The server cannot be reached: {failure}."),
        AwayCause::Silent => "The server does not answer.".into(),
        AwayCause::OtherKey(key) => format!(
            "Somebody else answers in the server's place, with a key whose fingerprint is {}; nothing was said to them.",
            key.fingerprint()
        ),
    };
    let then = if peers > 0 {
        "Private messages go on; the rest waits until it is back."
    } else {
        "Waiting until it is back; logout ends that."
    };
    format!("! {what} {then}")
}

fn written(clock: &Clock, sent: WallTime, from: Name, how: &str, text: &Text) -> String {
    let time = clock.show(sent);
    let text = clean_block(text.as_str(), INDENT);
    format!("[{time}] {from}{how}: {text}")
}

/// What is said of a message, with its number.
fn numbered(said: String, number: Option<MessageNumber>) -> String {
    match number {
        Some(number) => format!("{said} (message {number})"),
        None => said,
    }
}

fn peer_gone(peer: Name, cause: GoneCause, undelivered: usize) -> String {
    let mut said = match cause {
        GoneCause::Own => format!("* {peer} is not in your address book any more"),
        GoneCause::Theirs(EndReason::Removed) => {
            format!("* {peer} has taken you out of the address book, and so is out of yours")
        }
        GoneCause::Theirs(EndReason::LoggedOut) => {
            format!("* {peer} has logged out, and is out of your address book")
        }
        GoneCause::Theirs(EndReason::OtherClient) => {
            format!("* {peer} is at another client, and is out of your address book")
        }
    };
    if undelivered > 0 {
        let _ = write!(said, "; {}", not_delivered(peer, undelivered));
    }
    said
}

fn key_changed(peer: Name, was: Verification, undelivered: usize) -> String {
    let before = match was {
        Verification::Verified => "than the one that you verified",
        Verification::Unverified => "than before",
    };
    let mut said = format!(
        "! {peer} has another key {before}: they use another device, or somebody is in between. \
         To find out: verify {peer}."
    );
    if undelivered > 0 {
        let _ = write!(said, "\n! {}.", not_delivered(peer, undelivered));
    }
    said
}

/// Says no more than is known: whoever is on the way can spoil an answer.
fn key_mismatch(peer: Name, at: IpAddr, mismatch: KeyMismatch) -> String {
    match mismatch {
        KeyMismatch::Answers => format!(
            "! Somebody answers at {at} who is not {peer}: their key is another one, or somebody on the way spoils it.\n\
             ! Private messages to {peer} wait. To be introduced again, with the key of now: getaddress {peer}."
        ),
        KeyMismatch::Refuses => format!(
            "! {peer} answers at {at} and does not take this client's key: the server told {peer} another one, or somebody \
             on the way spoils it.\n\
             ! Private messages to {peer} wait. To be introduced again: getaddress {peer}."
        ),
        KeyMismatch::Calls => format!(
            "! Somebody called from {at} as {peer} and was refused: their key is not the one that the server told.\n\
             ! Ask {peer}. To be introduced again: getaddress {peer}."
        ),
    }
}

fn not_delivered(peer: Name, undelivered: usize) -> String {
    let count = u32::try_from(undelivered).unwrap_or(u32::MAX);
    format!("{} to {peer} not delivered", private_messages(count))
}

fn private_messages(count: u32) -> String {
    match count {
        1 => "1 private message".into(),
        count => format!("{count} private messages"),
    }
}

fn online(users: &[Name]) -> String {
    if users.is_empty() {
        return "  nobody else is online".into();
    }
    let names: Vec<_> = users.iter().map(Name::as_str).collect();
    format!("  online ({}): {}", users.len(), names.join(", "))
}

/// Which of two does not get calls, where that is why they do not reach each other.
fn uncallable(peer: Name, uncallable: Uncallable) -> String {
    match uncallable {
        Uncallable::Neither => String::new(),
        Uncallable::Us => " (you cannot be called from outside)".into(),
        Uncallable::Them => format!(" ({peer} cannot be called from outside, and has to call you)"),
        Uncallable::Both => format!(" (neither you nor {peer} can be called from outside)"),
    }
}

fn address_book(entries: &[BookEntry]) -> String {
    if entries.is_empty() {
        return "  your address book is empty: getaddress USER asks somebody".into();
    }
    let width = entries
        .iter()
        .map(|entry| entry.peer.as_str().len())
        .max()
        .unwrap_or(0);
    let mut said = String::from("  in your address book:");
    for entry in entries {
        let reach: String = match entry.reach {
            PeerReach::Reachable => "reachable".into(),
            PeerReach::Unknown => "being looked for".into(),
            PeerReach::Unreachable(uncallable) => {
                format!(
                    "not reachable now{}",
                    self::uncallable(entry.peer, uncallable)
                )
            }
            PeerReach::Away => "away".into(),
            PeerReach::Elsewhere => "at another client".into(),
            PeerReach::OtherKey => "not reachable: the key there is another one".into(),
        };
        let _ = write!(said, "\n    {:width$}  {reach}", entry.peer);
        if entry.term == Term::Lasting {
            said.push_str(", lasting");
        }
        if entry.verification == Verification::Verified {
            said.push_str(", verified");
        }
        if entry.waiting > 0 {
            let count = u32::try_from(entry.waiting).unwrap_or(u32::MAX);
            let _ = write!(said, ", {} waiting", private_messages(count));
        }
    }
    said
}

/// Groups of a safety code on a line.
const CODE_GROUPS: usize = 4;

fn safety_code(peer: Name, code: &SafetyCode, verification: Verification) -> String {
    let mut said = match verification {
        Verification::Verified => format!("  your safety code with {peer}, who is verified:"),
        Verification::Unverified => format!("  your safety code with {peer}:"),
    };
    let code = code.to_string();
    let groups: Vec<_> = code.split(' ').collect();
    for line in groups.chunks(CODE_GROUPS) {
        let _ = write!(said, "\n    {}", line.join(" "));
    }
    let _ = write!(
        said,
        "\n  Compare it by voice or in person with {peer}, who sees it with verify and your name.\
         \n  The same digits: verify {peer} ok. Others: somebody may be in between."
    );
    said
}

/// What becomes of messages that were not sent when a client ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unsent {
    /// They are gone.
    Lost,
    /// They are kept.
    Kept,
}

pub(super) fn ended(end: End, count: usize, unsent: Unsent) -> String {
    let mut said: String = match end {
        End::Left => "Goodbye.".into(),
        End::TakenOver => {
            "! Your account was logged in from another client, so this one ends.".into()
        }
        End::Removed => "! Your account was removed, so this client ends.".into(),
        End::LoginRefused(refusal) => format!("! The server does not let you in again: {refusal}."),
        End::Unreachable(AwayCause::Unreachable(failure)) => {
            format!("! The server cannot be reached: {failure}.")
        }
        End::Unreachable(AwayCause::Silent | AwayCause::Stopping) => {
            "! The server does not answer.".into()
        }
        End::Unreachable(AwayCause::OtherKey(key)) => format!(
            "! Somebody else answers in the server's place, with a key whose fingerprint is {}.",
            key.fingerprint()
        ),
        End::ServerNotTrusted => "! The server is not trusted.".into(),
    };
    let messages = messages(u32::try_from(count).unwrap_or(u32::MAX));
    let _ = match (count, unsent) {
        (0, _) => Ok(()),
        (_, Unsent::Lost) => write!(said, "\n! {messages} not sent."),
        (1, Unsent::Kept) => write!(
            said,
            "\n! 1 message is not sent yet: it is kept, and sent when you join again."
        ),
        (_, Unsent::Kept) => write!(
            said,
            "\n! {messages} are not sent yet: they are kept, and sent when you join again."
        ),
    };
    said
}

#[cfg(test)]
mod tests;
