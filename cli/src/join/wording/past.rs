//! How messages of the past are shown, and what is said of keeping them.
//!
//! They look as they did when they came. The user's own say `you > bob`: no name has a `>`, so nobody else's can look so.

use std::path::Path;

use simplechat_core::client::event::Verification;
use simplechat_core::client::ledger::MessageState;
use simplechat_store::client::{Author, Conversation, Found, Message, Recent, Route};

use super::{Clock, INDENT, ledger, messages};
use crate::clean::{clean_block, clean_start};
use crate::command_line::Part;

/// So much is shown of what stands around a message that was found.
const AROUND_CHARS_MAX: usize = 60;

pub(in crate::join) const KEPT_AGAIN: &str = "! What you write and get is kept again.";
pub(in crate::join) const HANDED_OVER: &str =
    "! Another client on this device goes on with your account, so this one ends.";
pub(in crate::join) const NOTHING_KEPT: &str =
    "! nothing is kept: this client was started with --no-history, or join.store is memory";
pub(in crate::join) const EMPTY: &str = "  there are no messages";
pub(in crate::join) const NOT_FOUND: &str = "  nothing was found";

pub(in crate::join) fn not_kept(why: &str) -> String {
    format!(
        "! What you write and get cannot be kept: {why}\n{INDENT}Until it can, nothing is sent to anybody, and nobody is told that \
         you have theirs. It is tried again by itself."
    )
}

/// A message, as it is shown in the conversation.
pub(in crate::join) fn message(message: &Message, clock: &Clock) -> String {
    let (time, who) = (clock.show(message.at), who(message));
    let text = clean_block(&message.text, INDENT);
    format!("[{time}] {who}: {text}")
}

fn who(message: &Message) -> String {
    let how = match message.route {
        Route::Server | Route::Broadcast => "",
        Route::Private(Verification::Unverified) => " privately",
        Route::Private(Verification::Verified) => " (verified) privately",
    };
    match (message.author, message.conversation) {
        (Author::Own(state), conversation) => {
            format!("you > {}{how}{}", name(conversation), stands(state))
        }
        (Author::Other(from), Conversation::With(_)) => format!("{from}{how}"),
        (Author::Other(from), Conversation::Everyone) => format!("{from} to all"),
    }
}

fn name(conversation: Conversation) -> String {
    match conversation {
        Conversation::With(user) => user.to_string(),
        Conversation::Everyone => "all".into(),
    }
}

/// Where a message stands, unless it has simply arrived.
fn stands(state: MessageState) -> String {
    match state {
        MessageState::Delivered | MessageState::Broadcast { .. } => String::new(),
        MessageState::Waiting
        | MessageState::Stored
        | MessageState::Refused(_)
        | MessageState::Expired
        | MessageState::GivenUp => format!(" ({})", ledger::state(state)),
    }
}

fn heading(conversation: Conversation) -> String {
    match conversation {
        Conversation::With(user) => format!("--- with {user} ---"),
        Conversation::Everyone => "--- to all ---".into(),
    }
}

/// The ends of conversations, a text for each line.
pub(in crate::join) fn recent(recent: &[Recent], clock: &Clock) -> Vec<String> {
    let mut said = Vec::new();
    for recent in recent {
        let seen = recent.messages.len().saturating_sub(recent.unseen);
        for (place, message) in recent.messages.iter().enumerate() {
            if place == 0 {
                said.push(heading(message.conversation));
            }
            if place == seen {
                said.push("--- not seen yet ---".into());
            }
            said.push(self::message(message, clock));
        }
    }
    said
}

/// Messages that were found, a text for each line.
pub(in crate::join) fn found(found: &[Found], clock: &Clock) -> Vec<String> {
    let around = |message: &Option<Message>| {
        message.as_ref().map(|message| {
            let (time, who) = (clock.show(message.at), who(message));
            let text = clean_start(&message.text, AROUND_CHARS_MAX);
            format!("  [{time}] {who}: {text}")
        })
    };
    let block = |found: &Found| {
        [
            Some(heading(found.message.conversation)),
            around(&found.before),
            Some(message(&found.message, clock)),
            around(&found.after),
        ]
    };
    found.iter().flat_map(block).flatten().collect()
}

pub(in crate::join) fn there_are_more(count: usize) -> String {
    format!(
        "  these are the last {}; --user USER and --since DATE leave out others",
        messages(u32::try_from(count).unwrap_or(u32::MAX))
    )
}

/// What a person is told before something is erased.
pub(in crate::join) fn warning(what: &Part) -> String {
    let what = match what {
        Part::User(user) => format!("All that was written to and by {user}"),
        Part::Before(day) => format!("All that was written before {day}"),
        Part::All => "All that was written".into(),
    };
    format!("{what} is erased from this machine for good.")
}

pub(in crate::join) fn forgotten(count: usize) -> String {
    format!(
        "  {} erased",
        messages(u32::try_from(count).unwrap_or(u32::MAX))
    )
}

pub(in crate::join) fn exported(count: u64, file: &Path) -> String {
    let count = messages(u32::try_from(count).unwrap_or(u32::MAX));
    format!(
        "  {} has {count}",
        clean_start(&file.display().to_string(), usize::MAX)
    )
}

#[cfg(test)]
mod tests;
