//! Blocked is blocked, and presence is told of those who may be seen.

use std::collections::BTreeMap;

use simplechat_core::client::event::{Event, MessageEvent, PeerEvent};
use simplechat_core::name::Name;
use simplechat_core::server::event::{Arrival, Event as Operator};
use simplechat_core::time::Timestamp;
use simplechat_core::wire::push::Presence;

use super::{Check, Sight, Watcher, promise};
use crate::observation::{Observation, Observed};
use crate::trials::model::Model;

/// How often somebody may still be told of somebody's coming or going: once for each while they were not blocked.
#[derive(Debug, Default)]
pub(super) struct Blocking {
    untold: BTreeMap<(Name, Name), [usize; 2]>,
}

const fn place(presence: Presence) -> usize {
    match presence {
        Presence::Online => 0,
        Presence::Offline => 1,
    }
}

impl Watcher for Blocking {
    fn on(&mut self, observed: &Observed, model: &Model) -> Check {
        if let Observation::Operator(event) = &observed.what {
            match event {
                Operator::LoggedIn {
                    user,
                    arrival: Arrival::New,
                    ..
                } => self.note(*user, Presence::Online, model),
                Operator::LoggedOut { user, .. } => self.note(*user, Presence::Offline, model),
                _ => {}
            }
        }
        Ok(())
    }

    fn on_sight(&mut self, sight: Sight<'_>, model: &Model) -> Check {
        let user = sight.user;
        let other = match sight.event {
            Event::Presence {
                user: other,
                presence,
            } => return self.check_presence(user, *other, *presence, model),
            Event::Online { users } => return check_online(&sight, users, model),
            Event::Message(
                MessageEvent::Message { from, .. } | MessageEvent::Private { from, .. },
            ) => *from,
            Event::Peer(PeerEvent::AddressAsked { by, .. }) => *by,
            Event::Peer(PeerEvent::Introduced { peer, .. }) => *peer,
            _ => return Ok(()),
        };
        promise!(
            !model.hides(sight.client, other),
            Blocked,
            "{user} has blocked {other}, and is shown {:?}",
            sight.event
        );
        Ok(())
    }
}

impl Blocking {
    fn note(&mut self, user: Name, presence: Presence, model: &Model) {
        for other in model.accounts.iter().filter(|other| **other != user) {
            if model.blocks.sure_since(user, *other).is_none() {
                self.untold.entry((user, *other)).or_default()[place(presence)] += 1;
            }
        }
    }

    fn check_presence(
        &mut self,
        viewer: Name,
        user: Name,
        presence: Presence,
        model: &Model,
    ) -> Check {
        let untold = &mut self.untold.entry((user, viewer)).or_default()[place(presence)];
        let is_blocked = model.blocks.sure_since(user, viewer).is_some();
        promise!(
            *untold > 0 || !is_blocked,
            Blocked,
            "{user} has blocked {viewer}, who is told: {user} {presence:?}"
        );
        promise!(
            *untold > 0,
            Presence,
            "{viewer} is told that {user} is {presence:?}, which is not so"
        );
        *untold -= 1;
        Ok(())
    }
}

/// The list who is online has everybody who was there all the time since it was asked for, and nobody who was not.
fn check_online(sight: &Sight<'_>, users: &[Name], model: &Model) -> Check {
    let viewer = sight.user;
    let Some(asked) = model
        .clients
        .get(&sight.client)
        .and_then(|client| client.online_asked)
    else {
        promise!(
            false,
            OneFinalWord,
            "{viewer} is told who is online, and has not asked"
        );
        return Ok(());
    };
    let was_constant = |since: Timestamp| since < asked;
    for user in model.accounts.iter().filter(|user| **user != viewer) {
        let is_listed = users.contains(user);
        let blocked = model
            .blocks
            .sure_since(*user, viewer)
            .is_some_and(was_constant);
        promise!(
            !(blocked && is_listed),
            Blocked,
            "{user} has blocked {viewer}, who is told that they are online"
        );
        let may_be_blocked = model.blocks.was_possible_since(*user, viewer, asked);
        let presence = model.presence.get(user).copied();
        let is_online = presence.is_some_and(|presence| presence.online);
        if presence.is_none_or(|presence| was_constant(presence.since)) {
            promise!(
                is_online || !is_listed,
                Presence,
                "{viewer} is told that {user} is online, who is not"
            );
            promise!(
                !is_online || is_listed || may_be_blocked,
                Presence,
                "{viewer} is not told that {user} is online"
            );
        }
    }
    Ok(())
}
