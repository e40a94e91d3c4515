//! Nobody has the server do more in a time than their account's allowance: what is slowed down, is.

use std::collections::BTreeMap;

use simplechat_core::client::event::Event;
use simplechat_core::server::event::Event as Operator;
use simplechat_core::time::Timestamp;

use super::{Check, Watcher, promise};
use crate::observation::{Observation, Observed};
use crate::trials::model::Model;
use crate::world::ClientId;

#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When each client's user wished what has its final word by now.
    done: BTreeMap<ClientId, Vec<Timestamp>>,
    /// A server that starts has full buckets, and a new account has.
    starts: Vec<Timestamp>,
}

impl Watcher for Pace {
    fn on(&mut self, observed: &Observed, model: &Model) -> Check {
        match &observed.what {
            Observation::ServerStarted | Observation::Operator(Operator::AccountAdded { .. }) => {
                self.starts.push(observed.at)
            }
            Observation::Told {
                client,
                event: Event::Outcome { .. },
            } => {
                let op = model
                    .clients
                    .get(client)
                    .and_then(|client| client.next_op());
                if let Some(op) = op.filter(|op| !op.was_told) {
                    self.done.entry(*client).or_default().push(op.wished);
                    return self.check(observed.at, *client, model);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Pace {
    /// All that was wished since some time and has its word was done between then and now.
    fn check(&self, now: Timestamp, client: ClientId, model: &Model) -> Check {
        let rate = model.settings.config().allowance.operations;
        let done = self.done.get(&client).map_or(&[][..], Vec::as_slice);
        for (place, since) in done.iter().enumerate() {
            let count = u128::try_from(done.len() - place).unwrap_or(u128::MAX);
            let starts = self.starts.iter().filter(|at| *at >= since).count() + 1;
            let bursts = u128::from(rate.burst) * u128::try_from(starts).unwrap_or(u128::MAX);
            let back = now.since(*since).as_micros() / rate.interval.as_micros().max(1);
            promise!(
                count <= bursts + back,
                Paced,
                "{client:?} had {count} wishes done since {since:?}, and {bursts} and {back} are the most"
            );
        }
        Ok(())
    }
}
