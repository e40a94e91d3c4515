//! What can be asked of messages of the past: shown, found, written to a file, erased.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use simplechat_core::client::event::Verification;
use simplechat_core::client::ledger::MessageState;
use simplechat_core::name::Name;
use simplechat_core::time::WallTime;
use simplechat_store::client::{Author, Conversation, Forgotten, Message, Route, Search, Store};

use super::keeping::Keeping;
use super::wording::{Clock, past};
use crate::clean::clean_line;
use crate::command_line::{Format, Part, Past};

/// How many messages are shown unless somebody says so.
const SHOWN: usize = 20;
/// How many are shown of those that were found.
const FOUND_MAX: usize = 20;

/// What there is to say to what was asked, a text for each that is to be shown.
pub(super) fn answer(keeping: &mut Keeping, asked: &Past) -> Vec<String> {
    if keeping.keeps_nothing() {
        return vec![past::NOTHING_KEPT.into()];
    }
    // Before anything was kept there is no store.
    let Some(store) = keeping.store() else {
        return vec![past::EMPTY.into()];
    };
    recall(store, asked, &Clock::now()).unwrap_or_else(|why| vec![format!("! {why}")])
}

fn recall(store: &mut Store, asked: &Past, clock: &Clock) -> Result<Vec<String>, String> {
    let said = |error: &dyn ToString| error.to_string();
    match asked {
        Past::History { user, count } => {
            let count = count.map_or(SHOWN, std::num::NonZero::get);
            let messages = store.history(*user, count).map_err(|error| said(&error))?;
            let lines = messages.iter().map(|message| past::message(message, clock));
            Ok(or(lines.collect(), past::EMPTY))
        }
        Past::Search { words, user, since } => {
            let search = Search {
                words: words.clone(),
                user: *user,
                since: since.map(|day| start_of(day, &clock.zone)),
            };
            let found = store
                .search(&search, FOUND_MAX)
                .map_err(|error| said(&error))?;
            let mut lines = or(past::found(&found, clock), past::NOT_FOUND);
            if found.len() == FOUND_MAX {
                lines.push(past::there_are_more(FOUND_MAX));
            }
            Ok(lines)
        }
        Past::Export { user, format, file } => export(store, *user, *format, file, clock),
        Past::Forget { what } => {
            let what = match *what {
                Part::User(user) => Forgotten::User(user),
                Part::Before(day) => Forgotten::Before(start_of(day, &clock.zone)),
                Part::All => Forgotten::All,
            };
            let count = store.forget(what).map_err(|error| said(&error))?;
            Ok(vec![past::forgotten(count)])
        }
    }
}

fn or(lines: Vec<String>, nothing: &str) -> Vec<String> {
    if lines.is_empty() {
        return vec![nothing.into()];
    }
    lines
}

/// When a day begins, where the user is.
fn start_of(day: Date, zone: &TimeZone) -> WallTime {
    let start = day.to_zoned(zone.clone());
    let millis = start.map_or(0, |start| start.timestamp().as_millisecond());
    WallTime(u64::try_from(millis).unwrap_or(0))
}

fn export(
    store: &Store,
    user: Option<Name>,
    format: Format,
    file: &Path,
    clock: &Clock,
) -> Result<Vec<String>, String> {
    let file = at_home(file);
    let failed = |error: io::Error| {
        let name = file.display().to_string();
        let why = if error.kind() == io::ErrorKind::AlreadyExists {
            "there is such a file already: name a new one".into()
        } else {
            error.to_string()
        };
        format!("{} was not written: {why}", clean_line(&name))
    };
    let mut out = BufWriter::new(make(&file).map_err(failed)?);
    // A day that is never today: a file is read on other days.
    let clock = Clock {
        zone: clock.zone.clone(),
        today: Date::MIN,
    };
    let written = store
        .export(user, |message| match format {
            Format::Text => writeln!(out, "{}", past::message(message, &clock)),
            Format::Json => writeln!(out, "{}", object(message)),
        })
        .map_err(|error| error.to_string())
        .and_then(|written| written.map_err(failed))
        .and_then(|count| {
            let file = out
                .into_inner()
                .map_err(|error| failed(error.into_error()))?;
            file.sync_all().map_err(failed)?;
            Ok(count)
        });
    if written.is_err() {
        // A part of it is worth nothing.
        let _ = fs::remove_file(&file);
    }
    Ok(vec![past::exported(written?, &file)])
}

/// A path as people write it who are used to a shell.
fn at_home(file: &Path) -> PathBuf {
    match (file.strip_prefix("~"), etcetera::home_dir()) {
        (Ok(rest), Ok(home)) => home.join(rest),
        _ => file.into(),
    }
}

fn make(file: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

/// A message for programs: nothing in it is cleaned but what JSON escapes.
fn object(message: &Message) -> Value {
    let with = match message.conversation {
        Conversation::With(user) => Value::from(user.as_str()),
        Conversation::Everyone => Value::Null,
    };
    let (from, state) = match message.author {
        Author::Own(state) => (Value::Null, Value::from(state_word(state))),
        Author::Other(from) => (Value::from(from.as_str()), Value::Null),
    };
    let (route, is_verified) = match message.route {
        Route::Server => ("server", false),
        Route::Broadcast => ("broadcast", false),
        Route::Private(verification) => ("private", verification == Verification::Verified),
    };
    let at = i64::try_from(message.at.0).ok();
    let at = at.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    json!({
        "at": at.map(|at| at.to_string()),
        "with": with,
        "from": from,
        "route": route,
        "verified": is_verified,
        "state": state,
        "text": message.text,
    })
}

const fn state_word(state: MessageState) -> &'static str {
    match state {
        MessageState::Waiting => "waiting",
        MessageState::Delivered => "delivered",
        MessageState::Stored => "stored",
        MessageState::Broadcast { .. } => "sent",
        MessageState::Refused(_) => "refused",
        MessageState::Expired => "expired",
        MessageState::GivenUp => "given_up",
    }
}
