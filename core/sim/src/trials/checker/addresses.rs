//! Consent first: nobody is introduced, asked about, or dialled without the yes that it takes.

use simplechat_core::client::event::{Event, GoneCause, PeerEvent};
use simplechat_core::wire::{EndReason, Term};

use super::{Check, Sight, Watcher, promise};
use crate::net::HostId;
use crate::observation::{Observation, Observed};
use crate::trials::model::Model;
use crate::world::{ATTACKER, ClientId, SERVER};

#[derive(Debug)]
pub(super) struct Addresses;

impl Watcher for Addresses {
    fn on(&mut self, observed: &Observed, model: &Model) -> Check {
        let Observation::Dialled { from, to: Some(to) } = observed.what else {
            return Ok(());
        };
        if to == ATTACKER {
            return check_call_of_attacker(from, model);
        }
        let Some(called) = ClientId::at(to) else {
            return Ok(());
        };
        let user = model.user(called);
        let called = user.map_or_else(
            || "a client of nobody's".to_owned(),
            |user| format!("a client of {user}'s"),
        );
        if from == SERVER {
            promise!(user.is_some(), Consent, "the server dials {called}");
            return Ok(());
        }
        let caller = ClientId::at(from).and_then(|caller| model.user(caller));
        let agreed = caller
            .zip(user)
            .is_some_and(|(caller, user)| model.consents.agreed(caller, user));
        promise!(
            agreed,
            Consent,
            "{caller:?} dials {called}, and they have not both agreed"
        );
        Ok(())
    }

    fn on_sight(&mut self, sight: Sight<'_>, model: &Model) -> Check {
        let user = sight.user;
        match sight.event {
            Event::Peer(PeerEvent::Introduced { peer, term }) => {
                let may = model.consents.may_introduce(sight.client, user, *peer);
                promise!(
                    may,
                    Consent,
                    "{user} is introduced to {peer}, and they have not both agreed"
                );
                promise!(
                    *term == Term::UntilLogout || model.consents.may_last(user, *peer),
                    Consent,
                    "{user} is introduced to {peer} for ever, and they have not both chosen that"
                );
            }
            Event::Peer(PeerEvent::PeerGone {
                peer,
                cause: GoneCause::Theirs(EndReason::LoggedOut),
                ..
            }) => {
                let client = model.clients.get(&sight.client);
                let entry = client.and_then(|client| client.book.get(peer));
                let lasts = entry.is_some_and(|entry| entry.term == Term::Lasting);
                promise!(
                    !lasts || model.removed.contains_key(peer),
                    Books,
                    "{peer} has logged out and is gone from the address book of {user}, and both chose that it lasts"
                );
            }
            Event::Peer(PeerEvent::AddressAsked { by, .. }) => {
                promise!(
                    model.consents.has_asked(*by, user),
                    Consent,
                    "{user} is told that {by} asks for the address, who does not"
                );
            }
            Event::Peer(PeerEvent::AddressDenied { by }) => {
                promise!(
                    model.consents.has_asked(user, *by),
                    Consent,
                    "{user} is told that {by} said no, and has not asked"
                );
            }
            Event::Peer(PeerEvent::NoAnswer { from }) => {
                promise!(
                    model.consents.has_agreed(user, *from),
                    Consent,
                    "{user} is told that {from} did not answer, and has neither asked nor said yes"
                );
            }
            Event::AddressBook { entries } => {
                let client = model.clients.get(&sight.client);
                let known = client
                    .into_iter()
                    .flat_map(|client| client.book.keys().copied());
                let named = entries.iter().map(|entry| entry.peer);
                promise!(
                    known.eq(named),
                    Books,
                    "the address book of {user} has {entries:?}, and they were told of others"
                );
            }
            _ => {}
        }
        Ok(())
    }
}

/// A login that never arrived opens when the attacker brings it later, and then the server looks for the client there:
/// that is known, and a channel of one round trip cannot do better. Nobody else has any business with them.
fn check_call_of_attacker(from: HostId, model: &Model) -> Check {
    promise!(
        from == SERVER,
        Consent,
        "{:?} dials the attacker",
        ClientId::at(from).and_then(|caller| model.user(caller))
    );
    Ok(())
}
