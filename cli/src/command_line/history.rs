//! What is typed about messages of the past: which of them, and what is to be done with them.

use std::fmt;
use std::num::NonZero;
use std::path::PathBuf;

use jiff::civil::Date;
use simplechat_core::name::Name;

use super::command::Command;
use super::error::{Echo, LineError};
use super::{name, nothing_more, split_word, write_with};

/// What a line asks of messages of the past.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Past {
    /// What was said last?
    History {
        /// To and by whom; without it, all of it.
        user: Option<Name>,
        /// How many messages, if somebody said so.
        count: Option<NonZero<usize>>,
    },
    /// Where was that said?
    Search {
        /// All of these, or how they begin.
        words: String,
        /// By or to whom.
        user: Option<Name>,
        /// Not before that day.
        since: Option<Date>,
    },
    /// Write what was said to a file.
    Export {
        /// To and by whom; without it, all of it.
        user: Option<Name>,
        /// How.
        format: Format,
        /// Where to.
        file: PathBuf,
    },
    /// Erase what was said.
    Forget {
        /// What of it.
        what: Part,
    },
}

/// How messages are written to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// As they are shown.
    Text,
    /// An object of JSON on each line.
    Json,
}

/// Some of the messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Those by and to a user.
    User(Name),
    /// Those from before that day.
    Before(Date),
    /// All.
    All,
}

impl Format {
    fn from_word(word: &str) -> Option<Self> {
        let is = |format: &Self| format.to_string().eq_ignore_ascii_case(word);
        [Self::Text, Self::Json].into_iter().find(is)
    }
}

impl fmt::Display for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::History { user, count } => {
                let count = count.map(|count| count.to_string());
                let count = count.as_deref().unwrap_or("");
                write_with(f, Command::History, user.as_ref(), count)
            }
            Self::Search { words, user, since } => {
                let user = user.map(|user| format!(" {USER} {user}"));
                let since = since.map(|day| format!(" {SINCE} {day}"));
                let (user, since) = (user.unwrap_or_default(), since.unwrap_or_default());
                write_with(f, Command::Search, None, &format!("{words}{user}{since}"))
            }
            Self::Export { user, format, file } => {
                let rest = format!("{format} {}", file.display());
                write_with(f, Command::Export, user.as_ref(), &rest)
            }
            Self::Forget { what } => write_with(f, Command::Forget, None, &what.to_string()),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Before(day) => day.fmt(f),
            Self::All => f.write_str(ALL),
        }
    }
}

const ALL: &str = "all";
const USER: &str = "--user";
const SINCE: &str = "--since";

/// One word is a number of messages if it can be; a user whose name is a number is found with another number behind it.
pub(super) fn history(rest: &str) -> Result<Past, LineError> {
    let (first, rest) = split_word(rest);
    let (second, rest) = split_word(rest);
    nothing_more(Command::History, rest)?;
    let (user, count) = match (first, second) {
        ("", _) => (None, None),
        (only, "") => match only.parse() {
            Ok(count) => (None, Some(count)),
            Err(_) if only.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(LineError::NoCount(Echo::new(only)));
            }
            Err(_) => (Some(name(only)?), None),
        },
        (user, count) => (Some(name(user)?), Some(self::count(count)?)),
    };
    Ok(Past::History { user, count })
}

fn count(given: &str) -> Result<NonZero<usize>, LineError> {
    given
        .parse()
        .map_err(|_| LineError::NoCount(Echo::new(given)))
}

pub(super) fn search(rest: &str) -> Result<Past, LineError> {
    let (mut words, mut user, mut since) = (Vec::new(), None, None);
    let mut given = rest.split_whitespace();
    while let Some(word) = given.next() {
        match word {
            USER => {
                let given = given.next().ok_or(LineError::NoUser(Command::Search))?;
                user = Some(name(given)?);
            }
            SINCE => {
                let given = given.next().unwrap_or_default();
                since = Some(day(given).ok_or_else(|| LineError::NoDay(Echo::new(given)))?);
            }
            word => words.push(word),
        }
    }
    if words.is_empty() {
        return Err(LineError::NoWords);
    }
    let words = words.join(" ");
    Ok(Past::Search { words, user, since })
}

/// A user can be called as a format is: what is behind it decides.
pub(super) fn export(rest: &str) -> Result<Past, LineError> {
    let (first, behind) = split_word(rest);
    let (second, file) = split_word(behind);
    let (user, format, file) = match (Format::from_word(first), Format::from_word(second)) {
        (_, Some(format)) if !file.is_empty() => (Some(name(first)?), format, file),
        (Some(format), _) => (None, format, behind),
        (None, Some(format)) => (Some(name(first)?), format, file),
        (None, None) => return Err(LineError::NoFormat),
    };
    if file.is_empty() {
        return Err(LineError::NoFile);
    }
    let file = PathBuf::from(file);
    Ok(Past::Export { user, format, file })
}

/// What looks like a day is one, and all is all: nobody should lose more than they meant by a name.
pub(super) fn forget(rest: &str) -> Result<Past, LineError> {
    let (given, rest) = split_word(rest);
    if given.is_empty() {
        return Err(LineError::NothingToForget);
    }
    nothing_more(Command::Forget, rest)?;
    let what = match day(given) {
        Some(day) => Part::Before(day),
        None if given.eq_ignore_ascii_case(ALL) => Part::All,
        None => Part::User(name(given)?),
    };
    Ok(Past::Forget { what })
}

/// A day as it is written in numbers, and in no other of the ways that there are.
fn day(given: &str) -> Option<Date> {
    let day: Date = given.parse().ok()?;
    (day.to_string() == given).then_some(day)
}
