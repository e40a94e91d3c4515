//! Who falls silent is gone a timeout later, and nobody else.

use std::collections::BTreeMap;
use std::time::Duration;

use simplechat_core::name::Name;
use simplechat_core::server::event::{Departure, Event as Operator};
use simplechat_core::time::Timestamp;

use super::{Check, Watcher, promise};
use crate::observation::{Observation, Observed};
use crate::trials::model::{Climate, Model};
use crate::world::{ATTACKER, ClientId, SERVER, is_the_attackers};

/// So much later than the timeout the server may notice.
const GRACE: Duration = Duration::from_secs(1);

/// A client that could not reach the server tries again after so long.
const LONGEST_RETRY: Duration = Duration::from_secs(45);

/// When bytes of each user last reached the server: nothing that it hears of them is later.
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    heard: BTreeMap<Name, Timestamp>,
    /// A server that sleeps notices nothing, and what it missed when it wakes.
    is_asleep: bool,
    woke: Timestamp,
}

impl Watcher for Heartbeat {
    fn on(&mut self, observed: &Observed, model: &Model) -> Check {
        let at = observed.at;
        match &observed.what {
            Observation::Slept { host } if *host == SERVER => self.is_asleep = true,
            Observation::Woke { host } if *host == SERVER => {
                self.is_asleep = false;
                self.woke = at;
            }
            Observation::ServerCrashed => self.is_asleep = false,
            // Whatever they bring may be what somebody said and what was lost.
            Observation::ServerHeard { from: ATTACKER } => {
                self.heard.values_mut().for_each(|heard| *heard = at);
            }
            Observation::ServerHeard { from } => {
                let Some(user) = ClientId::at(*from).and_then(|client| model.user(client)) else {
                    return Ok(());
                };
                self.check_silence(at, user, model)?;
                self.heard.insert(user, at);
            }
            Observation::Operator(Operator::LoggedIn { user, .. }) => {
                self.heard.insert(*user, at);
            }
            Observation::Operator(Operator::LoggedOut {
                user,
                departure: Departure::TimedOut,
            }) => {
                self.check_silence(at, *user, model)?;
                check_reason(at, *user, model)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn at_rest(&mut self, at: Timestamp, model: &Model) -> Check {
        self.heard
            .keys()
            .copied()
            .try_for_each(|user| self.check_silence(at, user, model))
    }
}

/// In a kind world nobody is taken for silent whose client runs. A session that the attacker brought about is nobody's.
fn check_reason(at: Timestamp, user: Name, model: &Model) -> Check {
    let Climate::Kind(since) = model.climate else {
        return Ok(());
    };
    let is_kind_for_long =
        at.since(since) > LONGEST_RETRY + 2 * Duration::from(model.settings.timeout);
    let runs = model.only_client(user).is_some();
    let presence = model.presence.get(&user);
    let is_own = presence
        .and_then(|presence| presence.from)
        .is_some_and(|from| !is_the_attackers(from.ip()));
    promise!(
        !(is_kind_for_long && runs && is_own),
        Heartbeat,
        "{user} is taken for silent, and nothing keeps their client from being heard"
    );
    Ok(())
}

impl Heartbeat {
    fn check_silence(&self, at: Timestamp, user: Name, model: &Model) -> Check {
        let is_online = model
            .presence
            .get(&user)
            .is_some_and(|presence| presence.online);
        let Some(heard) = self.heard.get(&user).filter(|_| is_online) else {
            return Ok(());
        };
        let silent = at.since(*heard);
        let gone = (*heard + Duration::from(model.settings.timeout)).max(self.woke);
        promise!(
            self.is_asleep || at <= gone + GRACE,
            Heartbeat,
            "{user} is silent for {silent:?}, and still online"
        );
        Ok(())
    }
}
