//! Who is online, by what the operator is told.

use std::net::SocketAddr;

use simplechat_core::server::event::Event as Operator;
use simplechat_core::time::Timestamp;

use super::Model;

/// What a user is at the server.
#[derive(Clone, Copy, Debug)]
pub struct Presence {
    /// Whether there is a session.
    pub online: bool,
    /// Since when.
    pub since: Timestamp,
    /// From where the last login came.
    pub from: Option<SocketAddr>,
}

impl Model {
    /// The server has crashed or ended: nobody is online.
    pub(super) fn server_is_gone(&mut self, at: Timestamp) {
        self.server_went = at;
        self.consents.server_is_gone();
        for presence in self.presence.values_mut() {
            *presence = Presence {
                online: false,
                since: at,
                from: None,
            };
        }
    }

    /// The operator is told something.
    pub(super) fn apply_operator(&mut self, at: Timestamp, event: &Operator) {
        let (user, from) = match event {
            Operator::AccountAdded { user } => {
                self.accounts.insert(*user);
                self.changed.insert(*user, at);
                return;
            }
            Operator::AccountRemoved { user } => return self.account_is_gone(at, *user),
            Operator::LoggedIn { user, from, .. } => (*user, Some(*from)),
            Operator::LoggedOut { user, .. } => (*user, None),
            Operator::LoginRefused { .. }
            | Operator::ListenerUnreachable { .. }
            | Operator::Refused { .. }
            | Operator::StoreFailing
            | Operator::StoreWorking
            | Operator::CredentialsChanged { .. }
            | Operator::AccountErased { .. }
            | Operator::Reloaded
            | Operator::Stopping
            | Operator::Stopped { .. } => return,
        };
        let online = from.is_some();
        let before = self.presence.get(&user);
        let since = before
            .filter(|before| before.online == online)
            .map_or(at, |before| before.since);
        let presence = Presence {
            online,
            since,
            from,
        };
        if online || before.is_some_and(|before| before.online) {
            self.presence.insert(user, presence);
        }
    }
}
