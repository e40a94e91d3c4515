//! What is wrong with a line that was typed, in one line that helps.

use std::fmt;

use simplechat_core::name::InvalidName;
use simplechat_core::text::InvalidText;

use super::command::Command;
use super::without_slash;
use crate::clean::clean_start;

/// So much is repeated of what was typed.
const ECHO_CHARS_MAX: usize = 32;

/// Why a line cannot be read. What it repeats of the line is clean and short.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LineError {
    /// It starts with a word that is no command, or asks for the help of one.
    #[error("there is no command {word}: {}", advice(*.nearest))]
    Unknown {
        /// The word.
        word: Echo,
        /// What may have been meant.
        nearest: Option<Command>,
    },
    /// The command is for somebody, and nobody is named.
    #[error("the user is missing: {}", .0.usage())]
    NoUser(Command),
    /// There is nothing to send.
    #[error("the text is missing: {}", .0.usage())]
    NoText(Command),
    /// The command is complete, and more was typed.
    #[error("{extra} is too much: the whole command is \"{}\"", .command.usage())]
    TooMuch {
        /// Which command.
        command: Command,
        /// What follows it.
        extra: Echo,
    },
    /// Nobody can have that name.
    #[error("nobody is called {given}: {why}")]
    BadName {
        /// What stands for a name.
        given: Echo,
        /// Why it is none.
        why: InvalidName,
    },
    /// Messages have numbers, and this is none.
    #[error("no message has the number {0}: say why 3, or why alone for the last one")]
    NoNumber(Echo),
    /// A number of messages is expected, and this is none.
    #[error(
        "{0} is no number of messages: history 50 shows the last 50, history USER 50 those to and by USER"
    )]
    NoCount(Echo),
    /// There is nothing to look for.
    #[error("the words are missing: search WORDS")]
    NoWords,
    /// A day is expected, and this is none.
    #[error("{0} is no day: write it as 2027-01-31")]
    NoDay(Echo),
    /// Nobody said how to write messages to a file.
    #[error(
        "say how to write them: export text FILE or export json FILE, with a user before it for only theirs"
    )]
    NoFormat,
    /// Nobody said to which file.
    #[error("the file is missing: export [USER] text|json FILE")]
    NoFile,
    /// Nobody said what to forget.
    #[error("say what to forget: a user, all from before a day such as 2027-01-31, or all")]
    NothingToForget,
    /// The text cannot be sent.
    #[error("{0}")]
    BadText(InvalidText),
    /// Something follows `y` or `n`.
    #[error("to answer the only question type y or n alone; of several: accept USER, deny USER")]
    AnswerStandsAlone,
}

/// A piece of what was typed: clean, on one line and shortened. Shown in quotes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Echo(String);

impl Echo {
    pub(super) fn new(typed: &str) -> Self {
        Self(clean_start(typed, ECHO_CHARS_MAX))
    }
}

impl fmt::Display for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl LineError {
    pub(super) fn unknown(typed: &str) -> Self {
        Self::Unknown {
            word: Echo::new(typed),
            nearest: Command::nearest(without_slash(typed)),
        }
    }
}

fn advice(nearest: Option<Command>) -> String {
    match nearest {
        Some(command) => format!("did you mean {:?}?", command.word()),
        None => "type \"help\" for the list of commands".into(),
    }
}
