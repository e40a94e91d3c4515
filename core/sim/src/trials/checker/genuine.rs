//! Nobody is impersonated and nobody listens: no machine takes in an attacker, and nothing is on the network that shows what was
//! said, or that a channel is bad. What that is, the attacker and the ear on the network know.

use super::{Check, Watcher, promise};
use crate::observation::{Observation, Observed};
use crate::trials::model::Model;

#[derive(Debug)]
pub(super) struct Genuine;

impl Watcher for Genuine {
    fn on(&mut self, observed: &Observed, _model: &Model) -> Check {
        if let Observation::Breach { what } = &observed.what {
            promise!(false, Genuine, "{what}");
        }
        Ok(())
    }
}
