//! What the server made of the user's wishes.

use std::fmt::Write as _;

use simplechat_core::wire::request::{Operation, Outcome, Refusal};

/// Whether a user may want to ask for more, and so is told the number of their message.
pub(super) const fn leaves_open(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Stored | Outcome::Refused(_) => true,
        Outcome::Broadcast {
            stored, refused, ..
        } => stored > 0 || refused > 0,
        Outcome::Delivered | Outcome::Asked | Outcome::Done => false,
    }
}

pub(super) fn outcome_of(operation: &Operation, outcome: Outcome) -> Option<String> {
    let said = match (operation, outcome) {
        (_, Outcome::Refused(refusal)) => refused(operation, refusal)?,
        (Operation::Message { to, .. }, Outcome::Stored) => {
            format!("  kept for {to}, who does not have it yet")
        }
        (Operation::Message { to, .. }, _) => format!("  delivered to {to}"),
        (
            Operation::Broadcast { .. },
            Outcome::Broadcast {
                delivered,
                stored,
                refused,
            },
        ) => broadcast(delivered, stored, refused),
        (Operation::Broadcast { .. }, _) => "  sent to everybody online".into(),
        (Operation::Block { user }, _) => format!("  {user} is blocked"),
        (Operation::Unblock { user }, _) => format!("  {user} is not blocked any more"),
        (Operation::GetAddress { user, .. }, _) => format!("  {user} has been asked"),
        (Operation::Deny { user }, _) => format!("  {user} is told that you said no"),
        // What follows says it.
        (
            Operation::Accept { .. }
            | Operation::RemoveAddress { .. }
            | Operation::Mail { .. }
            | Operation::Skip,
            _,
        ) => return None,
    };
    Some(said)
}

fn refused(operation: &Operation, refusal: Refusal) -> Option<String> {
    let said = match operation {
        Operation::Message { to, .. } => format!("  not sent to {to}: {refusal}"),
        Operation::Broadcast { .. } => format!("  not sent: {refusal}"),
        Operation::Block { user } if refusal == Refusal::AlreadyBlocked => {
            format!("  {user} is blocked already")
        }
        Operation::Block { user } => format!("  {user} was not blocked: {refusal}"),
        Operation::Unblock { user } if refusal == Refusal::NotBlocked => {
            format!("  {user} is not blocked")
        }
        Operation::Unblock { user } => format!("  {user} was not unblocked: {refusal}"),
        Operation::GetAddress { user, .. } => format!("  {user} was not asked: {refusal}"),
        Operation::Accept { user, .. } | Operation::Deny { user } => {
            format!("  nothing to answer to {user}: {refusal}")
        }
        Operation::RemoveAddress { .. } | Operation::Mail { .. } | Operation::Skip => return None,
    };
    Some(said)
}

pub(super) fn broadcast(delivered: u32, stored: u32, refused: u32) -> String {
    if delivered + stored + refused == 0 {
        return "  nobody else is online to hear it".into();
    }
    let people = |count: u32| match count {
        1 => "1 user".to_owned(),
        count => format!("{count} users"),
    };
    let mut said = format!("  delivered to {}", people(delivered));
    if stored > 0 {
        let _ = write!(said, "; kept for {}, not reached yet", people(stored));
    }
    if refused > 0 {
        let _ = write!(said, "; not for {}, whose mailbox is full", people(refused));
    }
    said
}
