//! Planted faults: what the checker must catch.

use simplechat_core::server::config::Config;

use crate::observation::Observed;

/// A fault.
#[derive(Clone, Debug)]
pub struct Fault;

impl Fault {
    /// Gives the server other settings than were promised.
    pub fn misconfigure(&self, _config: &mut Config) {}

    /// Has the machines do something else than they did.
    pub fn distort(&mut self, observed: Vec<Observed>) -> Vec<Observed> {
        observed
    }
}
