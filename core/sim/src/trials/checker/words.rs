//! Each wish gets one final word, in order, and a true one.

use std::collections::{BTreeSet, VecDeque};

use simplechat_core::client::event::{Event, MessageEvent, PeerEvent, SessionEvent, Verification};
use simplechat_core::client::ledger::{Addressee, Entry, MessageState};
use simplechat_core::name::Name;
use simplechat_core::wire::request::{Operation, Outcome, Refusal};

use super::{Check, Promise, Sight, Watcher, promise};
use crate::trials::model::{Client, Model, Op};

#[derive(Debug)]
pub(super) struct Words;

impl Watcher for Words {
    fn on_sight(&mut self, sight: Sight<'_>, model: &Model) -> Check {
        let user = sight.user;
        let Some(client) = model.clients.get(&sight.client) else {
            return Ok(());
        };
        match sight.event {
            Event::Outcome {
                operation, outcome, ..
            } => {
                let op = client.next_op().ok_or_else(|| {
                    (
                        Promise::OneFinalWord,
                        format!("{user} is told {outcome:?}, and waits for nothing"),
                    )
                })?;
                promise!(
                    op.operation == *operation,
                    OneFinalWord,
                    "{user} is told of {operation:?} before {:?}",
                    op.operation
                );
                check_word(&sight, op, *outcome, model)
            }
            Event::Message(MessageEvent::PrivateDelivered { to }) => {
                let next = client.privates.get(to).and_then(|waiting| waiting.front());
                let letter = next.map(|id| model.letters.get(*id)).ok_or_else(|| {
                    (
                        Promise::OneFinalWord,
                        format!("{user} is told of a private text to {to}, and none waits"),
                    )
                })?;
                promise!(
                    letter.read,
                    OneFinalWord,
                    "{user} is told that {to} has {:?}, which is not shown",
                    letter.text
                );
                Ok(())
            }
            Event::Ledger(entry) => check_ledger(&sight, client, entry, model),
            Event::Peer(event) => check_given_up(user, client, event),
            Event::Session(SessionEvent::Ended { unsent, .. }) => {
                let open = client
                    .open
                    .iter()
                    .filter(|op| !matches!(op.operation, Operation::RemoveAddress { .. }))
                    .count();
                let waiting = client.privates.values().flatten();
                let private = waiting
                    .filter(|letter| !client.mailed.contains(letter))
                    .count();
                promise!(
                    *unsent >= open + private,
                    OneFinalWord,
                    "{user} is told that {unsent} are unsent, and {open} and {private} private texts are"
                );
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Private texts that are given up are counted to their author.
fn check_given_up(user: Name, client: &Client, event: &PeerEvent) -> Check {
    let waiting = |peer| client.privates.get(peer).map_or(0, VecDeque::len);
    let (peer, waiting, undelivered) = match event {
        PeerEvent::PeerGone {
            peer, undelivered, ..
        } => (peer, waiting(peer), undelivered),
        // What was written since the client said so, and before the screen does, waits for the new key.
        PeerEvent::KeyChanged {
            peer,
            was: Verification::Verified,
            undelivered,
        } => (peer, waiting(peer).min(*undelivered), undelivered),
        // What waits goes on waiting.
        PeerEvent::KeyChanged {
            peer,
            was: Verification::Unverified,
            undelivered,
        } => (peer, 0, undelivered),
        _ => return Ok(()),
    };
    promise!(
        waiting == *undelivered,
        OneFinalWord,
        "{user} is told that {undelivered} private texts to {peer} are undelivered, and {waiting} are: {event:?}"
    );
    Ok(())
}

/// Whether the ledger says of a text what its author was told, or what has come since.
fn check_ledger(sight: &Sight<'_>, client: &Client, entry: &Entry, model: &Model) -> Check {
    let letter = model.letters.numbered(sight.client, entry.number.0);
    let agrees = letter.is_some_and(|letter| match (entry.to, letter.word) {
        (Addressee::Peer(to), _) => {
            let id = model.letters.find(&letter.text);
            let waiting = client.privates.get(&to);
            let waits = waiting.is_some_and(|waiting| id.is_some_and(|id| waiting.contains(&id)));
            let is_waiting = matches!(entry.state, MessageState::Waiting | MessageState::Stored);
            waits == is_waiting && (letter.delivered || entry.state != MessageState::Delivered)
        }
        (_, Some((_, outcome))) => agrees_with_word(entry.state, outcome),
        (_, None) => true,
    });
    promise!(
        agrees,
        OneFinalWord,
        "{} is told that {entry:?}, and it was {letter:?}",
        sight.user
    );
    Ok(())
}

fn agrees_with_word(state: MessageState, word: Outcome) -> bool {
    match (state, word) {
        (MessageState::Delivered, Outcome::Delivered | Outcome::Stored)
        | (MessageState::Stored | MessageState::Expired, Outcome::Stored) => true,
        (MessageState::Refused(known), Outcome::Refused(told)) => known == told,
        (
            MessageState::Broadcast {
                delivered,
                stored,
                refused,
            },
            Outcome::Broadcast {
                delivered: has_it,
                stored: is_kept,
                refused: is_full,
            },
        ) => (delivered, stored, refused) == (has_it, is_kept, is_full),
        _ => false,
    }
}

/// Whether the final word can be true.
fn check_word(sight: &Sight<'_>, op: &Op, outcome: Outcome, model: &Model) -> Check {
    let user = sight.user;
    match (&op.operation, outcome) {
        (_, Outcome::Refused(refusal)) => check_refusal(user, op, refusal, model),
        (Operation::Message { to, .. }, Outcome::Delivered | Outcome::Stored) => {
            promise!(
                model.existed_since(*to, op.wished),
                OneFinalWord,
                "{user} is told {outcome:?} of a text to {to}, who does not exist"
            );
            let blocked = model
                .blocks
                .sure_since(*to, user)
                .filter(|since| *since <= op.wished);
            promise!(
                blocked.is_none(),
                Blocked,
                "{user} is told {outcome:?} of a text to {to}, who had blocked them"
            );
            let letter = op.letter.map(|id| model.letters.get(id));
            let is_read = letter.is_some_and(|letter| letter.read);
            let is_hidden = model.may_have_dropped(*to, user, op.wished);
            promise!(
                outcome == Outcome::Stored || is_read || is_hidden,
                OneFinalWord,
                "{user} is told that {to} has {:?}, which is not on a screen",
                letter.map(|letter| &letter.text)
            );
            Ok(())
        }
        (
            Operation::Broadcast { .. },
            Outcome::Broadcast {
                delivered,
                stored,
                refused,
            },
        ) => {
            let reached = usize::try_from(delivered + stored + refused).unwrap_or(usize::MAX);
            check_reached(user, op, reached, model)
        }
        (Operation::GetAddress { .. }, Outcome::Asked) => Ok(()),
        (
            Operation::Block { .. }
            | Operation::Unblock { .. }
            | Operation::Accept { .. }
            | Operation::Deny { .. },
            Outcome::Done,
        ) => Ok(()),
        (operation, outcome) => Err((
            Promise::OneFinalWord,
            format!("{user} is told {outcome:?} of {operation:?}"),
        )),
    }
}

/// A broadcast goes to all who were online all the time and have not blocked its author, and to nobody who was away.
fn check_reached(user: Name, op: &Op, reached: usize, model: &Model) -> Check {
    let others = || {
        let names = model.accounts.iter().chain(model.changed.keys());
        let names: BTreeSet<_> = names.filter(|other| **other != user).collect();
        names.into_iter()
    };
    let presence = |other: &Name| model.presence.get(other);
    let was_constant = |other: &Name| presence(other).is_none_or(|p| p.since < op.wished);
    let is_online = |other: &Name| presence(other).is_some_and(|presence| presence.online);
    let may_block = |other: &Name| model.blocks.was_possible_since(*other, user, op.wished);
    let blocks = |other: &Name| {
        let since = model.blocks.sure_since(*other, user);
        since.is_some_and(|since| since < op.wished)
    };
    let least = others()
        .filter(|other| was_constant(other) && is_online(other) && !may_block(other))
        .filter(|other| !model.was_changed_since(**other, op.wished))
        .count();
    let most = others()
        .filter(|other| (!was_constant(other) || is_online(other)) && !blocks(other))
        .count();
    promise!(
        (least..=most).contains(&reached),
        OneFinalWord,
        "{user} is told of {reached} recipients, and {least} to {most} were there"
    );
    Ok(())
}

/// Whether a refusal has a reason.
fn check_refusal(user: Name, op: &Op, refusal: Refusal, model: &Model) -> Check {
    let (operation, wished) = (&op.operation, op.wished);
    let other = other(operation);
    let exists = other.is_some_and(|other| model.accounts.contains(&other));
    let is_new = other.is_some_and(|other| model.was_changed_since(other, wished));
    let possibly_blocks = |one, other| model.blocks.was_possible_since(one, other, wished);
    let by_them = other.is_some_and(|other| possibly_blocks(other, user));
    let by_user = other.is_some_and(|other| possibly_blocks(user, other));
    let has_reason = match refusal {
        Refusal::NoSuchUser => !exists || is_new,
        Refusal::Blocked => by_them,
        Refusal::AlreadyBlocked => by_user,
        Refusal::BlockedByYou => by_user,
        Refusal::NotBlocked => is_unblock(operation),
        Refusal::MailboxFull => is_full(other, model),
        // In these worlds one sender may have all of it.
        Refusal::ShareFull => false,
        Refusal::TextTooLong { .. } => match operation {
            Operation::Message { text, .. } | Operation::Broadcast { text } => {
                text.len() > model.settings.max_text
            }
            _ => false,
        },
        Refusal::AlreadyAsked | Refusal::TooManyQuestions { .. } => {
            matches!(operation, Operation::GetAddress { .. })
        }
        Refusal::NoQuestion => {
            matches!(operation, Operation::Accept { .. } | Operation::Deny { .. })
        }
        Refusal::NotIntroduced => matches!(operation, Operation::RemoveAddress { .. }),
        // The store may have failed at any time.
        Refusal::NotKept => true,
        // That is between the server and the client, which tries again by itself.
        Refusal::Later { .. }
        | Refusal::Yourself
        | Refusal::BlacklistFull { .. }
        | Refusal::TooManyIntroductions { .. }
        | Refusal::Other { .. } => false,
    };
    promise!(
        has_reason,
        OneFinalWord,
        "{user} is refused {operation:?} for no reason: {refusal}"
    );
    Ok(())
}

const fn is_unblock(operation: &Operation) -> bool {
    matches!(operation, Operation::Unblock { .. })
}

const fn other(operation: &Operation) -> Option<Name> {
    match operation {
        Operation::Message { to, .. } | Operation::Mail { to, .. } => Some(*to),
        Operation::Block { user }
        | Operation::Unblock { user }
        | Operation::GetAddress { user, .. }
        | Operation::Accept { user, .. }
        | Operation::Deny { user }
        | Operation::RemoveAddress { user } => Some(*user),
        Operation::Broadcast { .. } | Operation::Skip => None,
    }
}

/// Whether so much was written to somebody, and not delivered as far as anybody was told, that their mailbox may be full.
fn is_full(user: Option<Name>, model: &Model) -> bool {
    let for_user = |to: Option<Name>| to.is_none() || to == user;
    let (mut count, mut bytes) = (0, 0);
    for letter in model.letters.iter() {
        // A private text may be there in a mail, and in another one after that was lost; and so may the answer to one.
        let is_mailed = letter.is_private() && (for_user(letter.to) || Some(letter.from) == user);
        let is_twice = model.was_done_before(letter);
        let times = match (is_mailed, for_user(letter.to)) {
            (false, false) => 0,
            (false, true) => 1 + usize::from(is_twice),
            (true, _) => 2,
        };
        count += times;
        bytes += times * (letter.text.len() + 300);
    }
    count > model.settings.mailbox_messages || bytes > model.settings.mailbox_bytes
}
