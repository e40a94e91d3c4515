//! Texts that were sent, and who has them: made, recognised and checked.

use std::time::Duration;

use simplechat_core::client::command::Rejected;
use simplechat_core::client::event::{Event, MessageEvent};
use simplechat_core::name::Name;
use simplechat_core::text::Text;
use simplechat_core::time::Timestamp;
use simplechat_core::wire::request::{Operation, Outcome};

use super::super::crowd::{Crowd, UserId};
use super::super::payload::{Payload, Run};
use super::super::verify::{Check, Faults};

/// Each user hears one other at most; see [`Check`].
#[derive(Debug)]
pub(super) struct Texts {
    run: Run,
    size: usize,
    /// How many each user has sent.
    sent: Vec<u64>,
    /// What came to each user.
    checks: Vec<Check>,
}

/// A text has arrived where it should.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Arrival {
    pub(super) from: UserId,
    pub(super) number: u64,
    pub(super) took: Duration,
}

impl Texts {
    pub(super) fn new(run: Run, size: usize, users: u32) -> Self {
        Self {
            run,
            size,
            sent: (0..users).map(|_| 0).collect(),
            checks: (0..users).map(|_| Check::default()).collect(),
        }
    }

    pub(super) fn sent(&self, from: UserId) -> u64 {
        self.sent.get(from.index()).copied().unwrap_or_default()
    }

    pub(super) fn outstanding(&self, from: UserId, to: UserId) -> u64 {
        self.checks
            .get(to.index())
            .map_or(0, |check| check.outstanding(self.sent(from)))
    }

    /// Has a user send the next text, unless that is refused. `due` is when it was to be sent.
    pub(super) fn send(
        &mut self,
        from: UserId,
        due: Timestamp,
        submit: impl FnOnce(Text) -> Result<(), Rejected>,
    ) -> Result<(), Rejected> {
        let number = self.sent(from);
        let payload = Payload {
            run: self.run,
            from,
            number,
            sent: due,
        };
        submit(payload.to_text(self.size))?;
        if let Some(sent) = self.sent.get_mut(from.index()) {
            *sent = number + 1;
        }
        Ok(())
    }

    /// What a user is shown: is it a text of ours?
    pub(super) fn arrived(&mut self, crowd: &Crowd, to: UserId, event: &Event) -> Option<Arrival> {
        let (from, text) = received(event)?;
        let payload = Payload::of(self.run, text)?;
        let sender = crowd.who(from).filter(|sender| *sender == payload.from);
        let sent = sender.map_or(0, |sender| self.sent(sender));
        let check = self.checks.get_mut(to.index())?;
        check.arrived(payload.number, sent);
        Some(Arrival {
            from: payload.from,
            number: payload.number,
            took: crowd.now().since(payload.sent),
        })
    }

    /// The final word on a text of ours, and which it was.
    pub(super) fn outcome<'a>(&self, event: &'a Event) -> Option<(Payload, &'a Outcome)> {
        let Event::Outcome {
            operation, outcome, ..
        } = event
        else {
            return None;
        };
        let (Operation::Message { text, .. } | Operation::Broadcast { text }) = operation else {
            return None;
        };
        Some((Payload::of(self.run, text)?, outcome))
    }

    /// The sender was told that this one does not arrive.
    pub(super) fn refused(&mut self, to: UserId, number: u64) {
        if let Some(check) = self.checks.get_mut(to.index()) {
            check.refused(number);
        }
    }

    /// What went wrong with what one sent to the other.
    pub(super) fn faults(&self, from: UserId, to: UserId) -> Faults {
        self.checks
            .get(to.index())
            .map_or_else(Faults::default, |check| check.faults(self.sent(from)))
    }
}

fn received(event: &Event) -> Option<(Name, &Text)> {
    match event {
        Event::Message(
            MessageEvent::Message { from, text, .. } | MessageEvent::Private { from, text, .. },
        ) => Some((*from, text)),
        Event::Message(
            MessageEvent::KeptStart { .. }
            | MessageEvent::KeptEnd
            | MessageEvent::Waiting { .. }
            | MessageEvent::PrivateDelivered { .. }
            | MessageEvent::PrivateWaiting { .. }
            | MessageEvent::PrivateStored { .. }
            | MessageEvent::MailUnreadable { .. }
            | MessageEvent::Delivered { .. }
            | MessageEvent::Expired { .. }
            | MessageEvent::Undelivered { .. },
        )
        | Event::Session(_)
        | Event::Peer(_)
        | Event::Outcome { .. }
        | Event::Presence { .. }
        | Event::Online { .. }
        | Event::AddressBook { .. }
        | Event::Ledger(_)
        | Event::SafetyCode { .. } => None,
    }
}
