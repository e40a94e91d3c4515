//! A login is one login: what a client sent once is tried once, whoever plays it back.

use std::collections::BTreeMap;

use simplechat_core::name::Name;

use super::{Check, Watcher, promise};
use crate::observation::{Observation, Observed};
use crate::trials::model::Model;

/// How many logins of each user were sent, and not tried yet.
#[derive(Debug, Default)]
pub(super) struct Logins {
    untried: BTreeMap<Name, usize>,
}

impl Watcher for Logins {
    fn on(&mut self, observed: &Observed, model: &Model) -> Check {
        match &observed.what {
            Observation::LoginSent { client } => {
                if let Some(user) = model.user(*client) {
                    *self.untried.entry(user).or_default() += 1;
                }
            }
            Observation::AttackerLogsIn { name } => *self.untried.entry(*name).or_default() += 1,
            Observation::PasswordChecked { name, .. } => {
                let untried = self.untried.get_mut(name).filter(|untried| **untried > 0);
                promise!(
                    untried.is_some(),
                    LoginsOnce,
                    "a login of {name} is tried that nobody has sent"
                );
                if let Some(untried) = untried {
                    *untried -= 1;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
