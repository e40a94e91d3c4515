//! A client goes on until its user leaves, or until there is a reason: nothing that anybody says who is not who they seem ends it.

use std::collections::{BTreeMap, BTreeSet};

use simplechat_core::client::command::Command;
use simplechat_core::client::event::{End, Event, SessionEvent};
use simplechat_core::name::Name;
use simplechat_core::server::event::Event as Operator;
use simplechat_core::time::Timestamp;

use super::{Check, Sight, Watcher, promise};
use crate::observation::{Observation, Observed};
use crate::trials::model::{Climate, Life, Model};
use crate::world::{ClientId, SERVER};

#[derive(Debug, Default)]
pub(super) struct Endings {
    /// Who has ever logged in, and who has more than once.
    logged_in: BTreeSet<Name>,
    again: BTreeSet<Name>,
    /// Whose account was ever removed or changed.
    changed: BTreeSet<Name>,
    /// When somebody began to log in.
    began: BTreeMap<ClientId, Timestamp>,
    /// Whether somebody else ever answered in the server's place.
    is_server_intercepted: bool,
}

impl Watcher for Endings {
    fn on(&mut self, observed: &Observed, _model: &Model) -> Check {
        match &observed.what {
            Observation::Operator(Operator::LoggedIn { user, .. }) => {
                let is_again = !self.logged_in.insert(*user);
                self.again.extend(is_again.then_some(*user));
            }
            Observation::Operator(
                Operator::AccountRemoved { user } | Operator::CredentialsChanged { user },
            ) => {
                self.changed.insert(*user);
            }
            Observation::Wished {
                client,
                command: Command::Login { .. },
                ..
            } => {
                self.began.insert(*client, observed.at);
            }
            Observation::Intercepted { host: SERVER } => self.is_server_intercepted = true,
            _ => {}
        }
        Ok(())
    }

    fn on_sight(&mut self, sight: Sight<'_>, model: &Model) -> Check {
        let Event::Session(SessionEvent::Ended { end, .. }) = sight.event else {
            return Ok(());
        };
        let user = sight.user;
        let Some(client) = model.clients.get(&sight.client) else {
            return Ok(());
        };
        let is_leaving = client.life == Life::Leaving;
        let has_reason = match end {
            End::Left => is_leaving,
            End::TakenOver => self.again.contains(&user),
            End::Removed => self.changed.contains(&user),
            End::LoginRefused(_) => is_leaving || self.changed.contains(&user),
            End::Unreachable(_) => {
                is_leaving || !client.was_logged_in && !self.is_reachable(sight.client, model)
            }
            End::ServerNotTrusted => !client.was_logged_in && self.is_server_intercepted,
        };
        promise!(
            has_reason,
            Staying,
            "the client of {user} ends for no reason: {end:?}"
        );
        Ok(())
    }
}

impl Endings {
    /// Whether nothing kept a client from the server since it began to log in: everybody has an address of it.
    fn is_reachable(&self, client: ClientId, model: &Model) -> bool {
        let began = self.began.get(&client);
        matches!((model.climate, began), (Climate::Kind(since), Some(began)) if since <= *began)
    }
}
