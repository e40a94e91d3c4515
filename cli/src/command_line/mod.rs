//! What a person types in the client, one line at a time: `message bob hi`, `/online`, or just `y`.
//!
//! [`parse`] turns a line into a [`Line`], or into a [`LineError`] that says in one line what would be right. The words,
//! their arguments and their help stand in one table, that of [`Command`]. Nothing is done here, and nothing that was typed by
//! mistake becomes a message: a line that starts with no known word is an error.

mod command;
mod error;
mod history;

use std::fmt;

use simplechat_core::client::ledger::MessageNumber;
use simplechat_core::name::Name;
use simplechat_core::text::{InvalidText, Text};
use simplechat_core::wire::Term;

pub use command::{Command, help, help_for};
pub use error::{Echo, LineError};
pub use history::{Format, Part, Past};

/// What follows `verify USER` when the code was compared.
const OK: &str = "ok";

/// What somebody types who wants an introduction to last.
const ALWAYS: &str = "always";

/// What a line asks for. Printed, it is the line in its plainest form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Line {
    /// Tell a user something, through the server.
    Message {
        /// Whom.
        to: Name,
        /// What.
        text: Text,
    },
    /// Tell everybody online something.
    Broadcast {
        /// What.
        text: Text,
    },
    /// Tell a peer something directly.
    Private {
        /// Whom.
        to: Name,
        /// What.
        text: Text,
    },
    /// What became of a message?
    Why {
        /// Which; without a number the last one.
        message: Option<MessageNumber>,
    },
    /// Something about messages of the past.
    Past(Past),
    /// Hear nothing of a user and be hidden from them.
    Block {
        /// Whom.
        user: Name,
    },
    /// Take that back.
    Unblock {
        /// Whom.
        user: Name,
    },
    /// Who is online?
    Online,
    /// Ask a user to exchange addresses.
    GetAddress {
        /// Whom.
        user: Name,
        /// For how long.
        term: Term,
    },
    /// Remove a peer from the address book, and be removed from theirs.
    RemoveAddress {
        /// Whom.
        user: Name,
    },
    /// Who is in the address book?
    AddressBook,
    /// What is there to compare with a peer?
    Verify {
        /// Whom.
        user: Name,
    },
    /// It was compared, and is the same.
    MarkVerified {
        /// With whom.
        user: Name,
    },
    /// Say yes to a user who asked for the address.
    Accept {
        /// To whom.
        user: Name,
        /// For how long.
        term: Term,
    },
    /// Say no to a user who asked for the address.
    Deny {
        /// To whom.
        user: Name,
    },
    /// What can be typed?
    Help {
        /// How one command is used; without it, all of them.
        topic: Option<Command>,
    },
    /// Give the password again.
    Login,
    /// Leave.
    Logout,
    /// Yes to the one question there is.
    Yes,
    /// No to the one question there is.
    No,
}

/// Reads a line; `None` when there is nothing on it.
///
/// # Errors
///
/// When it starts with no word that is known, or that word's arguments are wrong.
pub fn parse(line: &str) -> Result<Option<Line>, LineError> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(None);
    }
    let (typed, rest) = split_word(line);
    let word = without_slash(typed);
    if let Some(answer) = bare_answer(word) {
        if !rest.is_empty() {
            return Err(LineError::AnswerStandsAlone);
        }
        return Ok(Some(match answer {
            Answer::Yes => Line::Yes,
            Answer::No => Line::No,
        }));
    }
    let command = Command::from_word(word).ok_or_else(|| LineError::unknown(typed))?;
    read(command, rest).map(Some)
}

/// What a command asks for with what was typed behind it.
fn read(command: Command, rest: &str) -> Result<Line, LineError> {
    let line = match command {
        Command::Message => {
            let (to, text) = user_and_text(command, rest)?;
            Line::Message { to, text }
        }
        Command::Broadcast => {
            let text = text(command, rest)?;
            Line::Broadcast { text }
        }
        Command::Private => {
            let (to, text) = user_and_text(command, rest)?;
            Line::Private { to, text }
        }
        Command::Why => {
            let message = message_number(rest)?;
            Line::Why { message }
        }
        Command::History => Line::Past(history::history(rest)?),
        Command::Search => Line::Past(history::search(rest)?),
        Command::Export => Line::Past(history::export(rest)?),
        Command::Forget => Line::Past(history::forget(rest)?),
        Command::Block => {
            let user = user_alone(command, rest)?;
            Line::Block { user }
        }
        Command::Unblock => {
            let user = user_alone(command, rest)?;
            Line::Unblock { user }
        }
        Command::Online => {
            nothing_more(command, rest)?;
            Line::Online
        }
        Command::GetAddress => {
            let (user, term) = user_and_term(command, rest)?;
            Line::GetAddress { user, term }
        }
        Command::RemoveAddress => {
            let user = user_alone(command, rest)?;
            Line::RemoveAddress { user }
        }
        Command::AddressBook => {
            nothing_more(command, rest)?;
            Line::AddressBook
        }
        Command::Verify => verify(rest)?,
        Command::Accept => {
            let (user, term) = user_and_term(command, rest)?;
            Line::Accept { user, term }
        }
        Command::Deny => {
            let user = user_alone(command, rest)?;
            Line::Deny { user }
        }
        Command::Help => {
            let topic = topic(rest)?;
            Line::Help { topic }
        }
        Command::Login => {
            nothing_more(command, rest)?;
            Line::Login
        }
        Command::Logout => {
            nothing_more(command, rest)?;
            Line::Logout
        }
    };
    Ok(line)
}

/// What `verify` asks for: to see the code, or to mark it.
fn verify(rest: &str) -> Result<Line, LineError> {
    let (user, rest) = user(Command::Verify, rest)?;
    if rest.eq_ignore_ascii_case(OK) {
        return Ok(Line::MarkVerified { user });
    }
    nothing_more(Command::Verify, rest)?;
    Ok(Line::Verify { user })
}

/// Which message is meant, if not the last one.
fn message_number(rest: &str) -> Result<Option<MessageNumber>, LineError> {
    let (given, rest) = split_word(rest);
    if given.is_empty() {
        return Ok(None);
    }
    let number = given.parse().map(MessageNumber);
    let number = number.map_err(|_| LineError::NoNumber(Echo::new(given)))?;
    nothing_more(Command::Why, rest)?;
    Ok(Some(number))
}

/// The first word of a text, and what comes after the white space behind it.
fn split_word(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace)
        .map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}

fn without_slash(word: &str) -> &str {
    word.strip_prefix('/').unwrap_or(word)
}

#[derive(Clone, Copy)]
enum Answer {
    Yes,
    No,
}

fn bare_answer(word: &str) -> Option<Answer> {
    let is_either = |known: [&str; 2]| known.iter().any(|known| known.eq_ignore_ascii_case(word));
    if is_either(["y", "yes"]) {
        Some(Answer::Yes)
    } else if is_either(["n", "no"]) {
        Some(Answer::No)
    } else {
        None
    }
}

fn user(command: Command, rest: &str) -> Result<(Name, &str), LineError> {
    let (given, rest) = split_word(rest);
    if given.is_empty() {
        return Err(LineError::NoUser(command));
    }
    Ok((name(given)?, rest))
}

fn name(given: &str) -> Result<Name, LineError> {
    given.parse().map_err(|why| LineError::BadName {
        given: Echo::new(given),
        why,
    })
}

fn user_alone(command: Command, rest: &str) -> Result<Name, LineError> {
    let (user, rest) = user(command, rest)?;
    nothing_more(command, rest)?;
    Ok(user)
}

/// Whom an introduction is with, and for how long.
fn user_and_term(command: Command, rest: &str) -> Result<(Name, Term), LineError> {
    let (user, rest) = user(command, rest)?;
    if rest.eq_ignore_ascii_case(ALWAYS) {
        return Ok((user, Term::Lasting));
    }
    nothing_more(command, rest)?;
    Ok((user, Term::UntilLogout))
}

const fn term_word(term: Term) -> &'static str {
    match term {
        Term::UntilLogout => "",
        Term::Lasting => ALWAYS,
    }
}

fn user_and_text(command: Command, rest: &str) -> Result<(Name, Text), LineError> {
    let (user, rest) = user(command, rest)?;
    Ok((user, text(command, rest)?))
}

fn text(command: Command, rest: &str) -> Result<Text, LineError> {
    match rest.parse() {
        Ok(text) => Ok(text),
        Err(InvalidText::Empty) => Err(LineError::NoText(command)),
        Err(why @ InvalidText::TooLong(_)) => Err(LineError::BadText(why)),
    }
}

fn nothing_more(command: Command, rest: &str) -> Result<(), LineError> {
    if rest.is_empty() {
        return Ok(());
    }
    Err(LineError::TooMuch {
        command,
        extra: Echo::new(rest),
    })
}

/// Which command somebody wants to know more of. The bare answers are explained with what they are short for.
fn topic(rest: &str) -> Result<Option<Command>, LineError> {
    let (typed, rest) = split_word(rest);
    if typed.is_empty() {
        return Ok(None);
    }
    nothing_more(Command::Help, rest)?;
    let word = without_slash(typed);
    let known = Command::from_word(word).or_else(|| {
        bare_answer(word).map(|answer| match answer {
            Answer::Yes => Command::Accept,
            Answer::No => Command::Deny,
        })
    });
    known.map(Some).ok_or_else(|| LineError::unknown(typed))
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { to, text } => write_with(f, Command::Message, Some(to), text.as_str()),
            Self::Broadcast { text } => write_with(f, Command::Broadcast, None, text.as_str()),
            Self::Private { to, text } => write_with(f, Command::Private, Some(to), text.as_str()),
            Self::Why { message } => {
                let number = message.map(|number| number.to_string());
                write_with(f, Command::Why, None, number.as_deref().unwrap_or(""))
            }
            Self::Past(past) => past.fmt(f),
            Self::Block { user } => write_with(f, Command::Block, Some(user), ""),
            Self::Unblock { user } => write_with(f, Command::Unblock, Some(user), ""),
            Self::Online => write_with(f, Command::Online, None, ""),
            Self::GetAddress { user, term } => {
                write_with(f, Command::GetAddress, Some(user), term_word(*term))
            }
            Self::RemoveAddress { user } => write_with(f, Command::RemoveAddress, Some(user), ""),
            Self::AddressBook => write_with(f, Command::AddressBook, None, ""),
            Self::Verify { user } => write_with(f, Command::Verify, Some(user), ""),
            Self::MarkVerified { user } => write_with(f, Command::Verify, Some(user), OK),
            Self::Accept { user, term } => {
                write_with(f, Command::Accept, Some(user), term_word(*term))
            }
            Self::Deny { user } => write_with(f, Command::Deny, Some(user), ""),
            Self::Help { topic } => {
                let topic = topic.map_or("", Command::word);
                write_with(f, Command::Help, None, topic)
            }
            Self::Login => write_with(f, Command::Login, None, ""),
            Self::Logout => write_with(f, Command::Logout, None, ""),
            Self::Yes => f.write_str("yes"),
            Self::No => f.write_str("no"),
        }
    }
}

fn write_with(
    f: &mut fmt::Formatter<'_>,
    command: Command,
    user: Option<&Name>,
    rest: &str,
) -> fmt::Result {
    f.write_str(command.word())?;
    if let Some(user) = user {
        write!(f, " {user}")?;
    }
    if !rest.is_empty() {
        write!(f, " {rest}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
