//! Verified is who was compared: a mark is shown while it holds, with what comes under the key that was marked, and with
//! nothing else.
//!
//! An onlooker sees no keys. But each client has one of its own, so whatever is shown as verified by one mark was written at one
//! client; and the code of two keys stays the same until the user is told that a key has changed.

use std::collections::{BTreeMap, BTreeSet};

use simplechat_core::client::command::Command;
use simplechat_core::client::event::{Event, MessageEvent, PeerEvent, Verification};
use simplechat_core::name::Name;
use simplechat_core::safety_code::SafetyCode;

use super::{Check, Sight, Watcher, promise};
use crate::observation::{Observation, Observed};
use crate::trials::model::Model;
use crate::world::ClientId;

/// A client, and somebody whom its user knows there.
type Acquaintance = (ClientId, Name);

#[derive(Debug, Default)]
pub(super) struct Verified {
    /// Who is marked, and at which client they wrote what was shown so far.
    marks: BTreeMap<Acquaintance, Option<ClientId>>,
    codes: BTreeMap<Acquaintance, SafetyCode>,
    /// Who was asked for the code, which may have been on its way to the screen when they said that it is right.
    compared: BTreeSet<Acquaintance>,
    /// Somebody else was where a peer should be, and may answer in their place.
    has_been_intercepted: bool,
}

impl Watcher for Verified {
    fn on(&mut self, observed: &Observed, model: &Model) -> Check {
        if let Observation::Intercepted { .. } = observed.what {
            self.has_been_intercepted = true;
        }
        if let Observation::StartedAgain { client } = observed.what
            && let Some(known) = model.clients.get(&client)
        {
            self.go_back_to(client, &known.kept.marked);
        }
        if let Observation::Wished {
            client,
            command: Command::Verify { user },
            result: Ok(()),
        } = &observed.what
        {
            self.compared.insert((*client, *user));
        }
        if let Observation::Wished {
            client,
            command: Command::MarkVerified { user },
            result: Ok(()),
        } = &observed.what
        {
            let was_shown = self.compared.contains(&(*client, *user));
            promise!(
                was_shown,
                Verified,
                "{user} is marked, and was not compared"
            );
        }
        Ok(())
    }

    fn on_sight(&mut self, sight: Sight<'_>, model: &Model) -> Check {
        match sight.event {
            Event::Message(MessageEvent::Private {
                from,
                text,
                verification,
                ..
            }) => {
                self.check_mark(sight, *from, *verification)?;
                let letter = model.letters.find(text.as_str());
                self.check_author(sight, *from, letter.map(|id| model.letters.get(id).by))
            }
            Event::AddressBook { entries } => entries
                .iter()
                .try_for_each(|entry| self.check_mark(sight, entry.peer, entry.verification)),
            Event::SafetyCode {
                peer,
                code,
                verification,
            } => {
                self.check_mark(sight, *peer, *verification)?;
                let before = self.codes.insert((sight.client, *peer), *code);
                promise!(
                    before.is_none_or(|before| before == *code),
                    Verified,
                    "{} is shown another code with {peer}, and was not told why",
                    sight.user
                );
                Ok(())
            }
            // What the client had to say before that may have waited for its screen.
            Event::Peer(PeerEvent::Verified { peer }) => {
                self.marks.entry((sight.client, *peer)).or_default();
                Ok(())
            }
            Event::Peer(PeerEvent::KeyChanged { peer, was, .. }) => {
                self.check_mark(sight, *peer, *was)?;
                self.marks.remove(&(sight.client, *peer));
                self.codes.remove(&(sight.client, *peer));
                self.compared.remove(&(sight.client, *peer));
                Ok(())
            }
            Event::Peer(PeerEvent::KeyMismatch { peer, .. }) => {
                promise!(
                    self.has_been_intercepted,
                    Verified,
                    "{} is told that {peer} has another key, and all have the one that was introduced",
                    sight.user
                );
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Verified {
    /// A client has the marks that it has kept, and what was to be compared is not on its screen any more.
    fn go_back_to(&mut self, client: ClientId, marked: &BTreeSet<Name>) {
        let is_elsewhere = |(at, _): &Acquaintance| *at != client;
        self.codes.retain(|whose, _| is_elsewhere(whose));
        self.compared.retain(is_elsewhere);
        self.marks
            .retain(|whose, _| is_elsewhere(whose) || marked.contains(&whose.1));
        for peer in marked {
            self.marks.entry((client, *peer)).or_default();
        }
    }

    fn check_mark(&self, sight: Sight<'_>, peer: Name, shown: Verification) -> Check {
        let is_marked = self.marks.contains_key(&(sight.client, peer));
        promise!(
            is_marked == (shown == Verification::Verified),
            Verified,
            "{} is shown {peer} as {shown:?} (marked: {is_marked})",
            sight.user
        );
        Ok(())
    }

    fn check_author(&mut self, sight: Sight<'_>, from: Name, by: Option<ClientId>) -> Check {
        let (Some(author), Some(by)) = (self.marks.get_mut(&(sight.client, from)), by) else {
            return Ok(());
        };
        let before = *author.get_or_insert(by);
        promise!(
            before == by,
            Verified,
            "{} is shown two clients of {from} as verified by one mark",
            sight.user
        );
        Ok(())
    }
}
