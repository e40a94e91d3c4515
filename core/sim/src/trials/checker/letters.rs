//! Once, in order, as written, to whom it was written, and kept.

use std::collections::{BTreeMap, BTreeSet};

use simplechat_core::client::event::{Event, MessageEvent};
use simplechat_core::time::Timestamp;
use simplechat_core::wire::push::Audience;
use simplechat_core::wire::request::{Outcome, Refusal};

use super::expiry::is_there;
use super::{Check, Sight, Watcher, promise};
use crate::trials::model::Model;
use crate::trials::model::letters::{Letter, LetterId, Route};
use crate::world::ClientId;

/// What each client was shown last of each other client, by route.
#[derive(Debug, Default)]
pub(super) struct Letters {
    last: BTreeMap<(ClientId, ClientId, Route), LetterId>,
}

impl Watcher for Letters {
    fn on_sight(&mut self, sight: Sight<'_>, model: &Model) -> Check {
        let (from, text, route, to) = match sight.event {
            Event::Message(MessageEvent::Message {
                from,
                audience,
                text,
                ..
            }) => {
                let to = (*audience == Audience::You).then_some(sight.user);
                (from, text, Route::Server, to)
            }
            Event::Message(MessageEvent::Private { from, text, .. }) => {
                (from, text, Route::Direct, Some(sight.user))
            }
            Event::Message(MessageEvent::MailUnreadable { from }) => {
                let user = sight.user;
                let what = format!("{user} has mail of {from} that they cannot read");
                return Err((super::Promise::Once, what));
            }
            _ => return Ok(()),
        };
        let user = sight.user;
        let Some(id) = model.letters.find(text.as_str()) else {
            return Err((
                super::Promise::Once,
                format!(
                    "{user} is shown {:?} of {from}, which nobody wrote",
                    text.as_str()
                ),
            ));
        };
        let letter = model.letters.get(id);
        let title = title(letter);
        promise!(
            letter.from == *from,
            Once,
            "{user} is shown {title} as if {from} had written it"
        );
        promise!(
            letter.route == route && letter.to == to,
            Once,
            "{user} is shown {title}, for {to:?} by {route:?}"
        );
        promise!(
            letter.from != user,
            Once,
            "{user} is shown {title}, of their own"
        );
        promise!(
            !letter.is_lost,
            Once,
            "{user} is shown {title}, which its author's client had lost"
        );
        check_once(letter, &sight, model)?;
        self.check_order(id, &sight, model)
    }

    fn at_rest(&mut self, at: Timestamp, model: &Model) -> Check {
        model
            .letters
            .iter()
            .try_for_each(|letter| check_kept(letter, at, model))
    }
}

impl Letters {
    fn check_order(&mut self, id: LetterId, sight: &Sight<'_>, model: &Model) -> Check {
        let letter = model.letters.get(id);
        let before = self
            .last
            .insert((sight.client, letter.by, letter.route), id);
        if let Some(before) = before {
            let before_title = title(model.letters.get(before));
            let (user, title) = (sight.user, title(letter));
            promise!(
                before < id,
                InOrder,
                "{user} is shown {title} after {before_title}, which was written later"
            );
        }
        Ok(())
    }
}

fn title(letter: &Letter) -> String {
    let (from, to) = (letter.from, letter.to);
    let to = to.map_or_else(|| "everybody".to_owned(), |to| to.to_string());
    let id: String = letter.text.chars().take(8).collect();
    format!("{id:?} of {from} to {to}")
}

/// A text is shown once at each client, and at another client of the same user only while its author does not know that it
/// has arrived.
fn check_once(letter: &Letter, sight: &Sight<'_>, model: &Model) -> Check {
    let (user, title) = (sight.user, title(letter));
    promise!(
        !letter.shown.contains(&sight.client),
        Once,
        "{user} is shown {title} again"
    );
    let elsewhere = letter
        .shown
        .iter()
        .any(|client| model.user(*client) == Some(user));
    let is_delivered = letter.delivered || matches!(letter.word, Some((_, Outcome::Delivered)));
    promise!(
        !(elsewhere && is_delivered),
        Once,
        "{user} is shown {title} at another client, after it was delivered"
    );
    let login = model
        .clients
        .get(&sight.client)
        .and_then(|client| client.login_wished);
    promise!(
        letter
            .expired
            .is_none_or(|told| login.is_some_and(|login| login <= told)),
        Once,
        "{user} is shown {title}, of which its author was told that it had expired"
    );
    if let Some((_, Outcome::Refused(refusal))) = letter.word {
        promise!(
            model.was_done_before(letter) || was_for_another(letter, model),
            Once,
            "{user} is shown {title}, which was refused ({refusal})"
        );
    }
    Ok(())
}

/// Whether a text was on its way to an account that is no more: it may be on a screen, and nobody was left to say so.
fn was_for_another(letter: &Letter, model: &Model) -> bool {
    letter
        .to
        .is_some_and(|to| model.was_changed_since(to, letter.wished))
}

/// What its author was told to be accepted is shown to whom it is for, if they are there.
fn check_kept(letter: &Letter, at: Timestamp, model: &Model) -> Check {
    let Some((_, outcome)) = letter.word else {
        return Ok(());
    };
    let title = title(letter);
    // Whether its author was told is another promise.
    let is_expired = model.may_have_expired(letter, at);
    let may_have_blocked = |user| model.may_have_dropped(user, letter.from, letter.wished);
    match (outcome, letter.to) {
        (Outcome::Delivered | Outcome::Stored, Some(to)) => {
            let is_excused = may_have_blocked(to)
                || !is_there(to, model)
                || was_for_another(letter, model)
                || is_expired;
            promise!(
                is_excused || letter.read,
                Kept,
                "{title} was {outcome:?}, and is not shown"
            );
        }
        (
            Outcome::Broadcast {
                delivered, stored, ..
            },
            None,
        ) => {
            let readers: BTreeSet<_> = letter
                .shown
                .iter()
                .filter_map(|client| model.user(*client))
                .collect();
            let others = || model.accounts.iter().filter(|name| **name != letter.from);
            let all_there = others().all(|name| is_there(*name, model) && !may_have_blocked(*name));
            let promised = usize::try_from(delivered + stored).unwrap_or(usize::MAX);
            let shown = readers.len();
            // What was for an account that is no more is gone with it.
            let are_others_the_same = !model.was_any_changed_since(letter.wished);
            // What is on a screen when its reader's block is done counts as refused.
            let sure = readers.iter().filter(|user| !may_have_blocked(**user));
            promise!(
                sure.count() <= promised || model.was_done_before(letter) || !are_others_the_same,
                Kept,
                "{title} was accepted for {promised}, and is shown to {shown}"
            );
            promise!(
                !all_there || shown >= promised || !are_others_the_same || is_expired,
                Kept,
                "{title} was accepted for {promised}, and is shown to {shown}"
            );
        }
        (Outcome::Refused(Refusal::Blocked), Some(_)) => {}
        (Outcome::Refused(refusal), _) => {
            promise!(
                letter.shown.is_empty()
                    || model.was_done_before(letter)
                    || was_for_another(letter, model),
                Once,
                "{title} was refused ({refusal}), and is shown"
            );
        }
        _ => {}
    }
    Ok(())
}
