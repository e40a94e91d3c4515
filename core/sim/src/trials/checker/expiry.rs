//! What was stored and is not fetched expires, no sooner than it may and not much later, and its author is told.

use std::collections::BTreeMap;
use std::time::Duration;

use simplechat_core::client::event::{Event, MessageEvent};
use simplechat_core::client::ledger::MessageNumber;
use simplechat_core::name::Name;
use simplechat_core::time::Timestamp;
use simplechat_core::wire::request::Outcome;

use super::{Check, Watcher, promise};
use crate::observation::{Observation, Observed};
use crate::trials::model::letters::{Letter, Route};
use crate::trials::model::{Life, Model};
use crate::world::ClientId;

/// So much later than its time at most, in a kind world: it is taken, the server looks now and then, the store keeps it, and
/// the author's client is told.
const LATE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Expiry;

impl Watcher for Expiry {
    fn on(&mut self, observed: &Observed, model: &Model) -> Check {
        let Observation::Shown { client, events, .. } = &observed.what else {
            return Ok(());
        };
        for event in events {
            if let Event::Message(MessageEvent::Expired { to, numbers, count }) = event {
                check_word(observed.at, *client, *to, numbers, *count, model)?;
            }
        }
        Ok(())
    }

    fn at_rest(&mut self, at: Timestamp, model: &Model) -> Check {
        let mut untold: BTreeMap<(Name, Name), u32> = BTreeMap::new();
        for letter in model.letters.iter() {
            if let Some(to) = letter.to
                && is_lost(letter, to, at, model)
            {
                *untold.entry((letter.from, to)).or_default() += 1;
            }
        }
        for ((from, to), count) in untold {
            // Of those of earlier clients it is only known how many they are.
            let told = model.expired_elsewhere.get(&(from, to)).copied();
            promise!(
                count <= told.unwrap_or_default(),
                Kept,
                "{count} texts of {from} to {to} were stored, are not kept any more or should not be, and {from} was not told"
            );
        }
        Ok(())
    }
}

/// Whether what a user is told can be true.
fn check_word(
    at: Timestamp,
    client: ClientId,
    to: Name,
    numbers: &[MessageNumber],
    count: u32,
    model: &Model,
) -> Check {
    let Some(user) = model.user(client) else {
        return Ok(());
    };
    let can_be = |letter: &Letter| {
        letter.from == user
            && letter.route == Route::Server
            && letter.to.is_none_or(|reader| reader == to)
            && model.may_have_expired(letter, at)
            // What was on its way when the account was replaced came from the later one.
            && letter.word.is_none_or(|(told, _)| !was_replaced(user, told, at, model))
    };
    for number in numbers {
        let letter = model.letters.numbered(client, number.0);
        let is_true = letter.is_some_and(|letter| {
            let was_stored = matches!(
                letter.word,
                None | Some((_, Outcome::Stored | Outcome::Broadcast { .. }))
            );
            can_be(letter) && was_stored && !letter.delivered
        });
        promise!(
            is_true,
            OneFinalWord,
            "{user} is told that message {number} to {to} has expired, and it was {letter:?}"
        );
    }
    let numbered = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
    promise!(
        count > 0 && count >= numbered,
        OneFinalWord,
        "{user} is told that {count} texts expired, which are {numbers:?}"
    );
    promise!(
        count == numbered || model.letters.iter().any(can_be),
        OneFinalWord,
        "{user} is told that {count} texts to {to} expired, and none has"
    );
    Ok(())
}

/// Whether a user surely has another account than at that time. Of the last moment nobody knows which of the two was told.
fn was_replaced(user: Name, since: Timestamp, now: Timestamp, model: &Model) -> bool {
    let removed = model.surely_removed(user);
    removed.is_some_and(|removed| removed >= since && now.since(removed) > LATE)
}

/// Whether a text was stored and is not there any more, or should not be, and its author was not told by its number.
fn is_lost(letter: &Letter, to: Name, at: Timestamp, model: &Model) -> bool {
    if !matches!(letter.word, Some((_, Outcome::Stored)))
        || letter.read
        || letter.expired.is_some()
        || model.may_have_dropped(to, letter.from, letter.wished)
        || model.was_changed_since(to, letter.wished)
        || model.was_changed_since(letter.from, letter.wished)
        || !is_there(letter.from, model)
        || model.may_be_another(letter.from)
    {
        return false;
    }
    // Who is there has been given all that was kept.
    let is_away = !is_there(to, model);
    let is_gone_long = model
        .presence
        .get(&to)
        .is_none_or(|presence| !presence.online && presence.since + LATE < at);
    let is_overdue = model.must_have_expired(letter, at, LATE);
    if is_away {
        is_gone_long && is_overdue
    } else {
        model.may_have_expired(letter, at)
    }
}

/// Whether a client of this user is logged in, at rest.
pub(super) fn is_there(user: Name, model: &Model) -> bool {
    let is_online = model
        .presence
        .get(&user)
        .is_some_and(|presence| presence.online);
    let has_client = model
        .clients
        .values()
        .any(|client| client.user == Some(user) && client.logged_in && client.life != Life::Over);
    is_online && has_client
}
