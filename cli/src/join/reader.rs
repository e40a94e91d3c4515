//! The thread that reads what is typed until the user leaves, and hands it on: wishes to the machine, what is about messages
//! of the past to the conversation, which has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use simplechat_core::client::Client;
use simplechat_core::client::command::{Command, Consent};
use simplechat_core::name::Name;
use simplechat_core::text::Password;
use simplechat_core::wire::Term;
use simplechat_driver::Handle;

use super::console::{Entered, Input};
use super::wording::past;
use super::{Item, leave};
use crate::command_line::{self, Line, Part, Past};

/// Reads what is typed.
pub(super) struct Reader {
    pub(super) input: Input,
    pub(super) handle: Handle<Client>,
    pub(super) user: Name,
    pub(super) sender: Sender<Item>,
    pub(super) is_closing: Arc<AtomicBool>,
}

impl Reader {
    pub(super) fn read(mut self) {
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
                Ok(Some(line)) => match wish(line) {
                    Ok(command) => self.hand_in(command),
                    Err(Own::Leave) => return leave(&self.handle),
                    Err(Own::LogIn) => self.log_in(),
                    Err(Own::Help { topic }) => {
                        let help = topic.map_or_else(command_line::help, command_line::help_for);
                        self.say(help);
                    }
                    Err(Own::Recall(past)) => self.recall(past),
                },
                Ok(None) => {}
                Err(error) => self.say(format!("! {error}")),
            }
        }
    }

    fn hand_in(&self, command: Command) {
        if let Err(rejected) = self.handle.command(command) {
            self.say(format!("! {rejected}"));
        }
    }

    fn recall(&mut self, past: Past) {
        match &past {
            Past::Forget { what } if !self.is_sure(what) => self.say("  nothing is erased".into()),
            Past::History { .. }
            | Past::Search { .. }
            | Past::Export { .. }
            | Past::Forget { .. } => self.send(Item::Past(past)),
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

    /// A person is asked before something is erased; a script has said what it wants.
    fn is_sure(&mut self, what: &Part) -> bool {
        if !self.input.is_person() {
            return true;
        }
        let answer = self.input.ask(&past::warning(what), "Erase it? [yes/no] ");
        answer.is_some_and(|answer| answer.trim().eq_ignore_ascii_case("yes"))
    }

    fn say(&self, text: String) {
        self.send(Item::Text(text));
    }

    fn send(&self, item: Item) {
        let _ = self.sender.send(item);
    }
}

/// What the machine need not know, or cannot know yet.
enum Own {
    Leave,
    LogIn,
    Help {
        topic: Option<command_line::Command>,
    },
    Recall(Past),
}

/// The wish that a line expresses, or what else it asks for.
fn wish(line: Line) -> Result<Command, Own> {
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
        Line::Logout => return Err(Own::Leave),
        Line::Login => return Err(Own::LogIn),
        Line::Help { topic } => return Err(Own::Help { topic }),
        Line::Past(past) => return Err(Own::Recall(past)),
    };
    Ok(command)
}
