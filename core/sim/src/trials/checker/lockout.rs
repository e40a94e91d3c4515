//! Passwords are guessed so often and not more, and nobody is locked out without failures.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use simplechat_core::name::Name;
use simplechat_core::server::Verdict;
use simplechat_core::server::event::Event as Operator;
use simplechat_core::server::lockout::LockoutConfig;
use simplechat_core::time::Timestamp;
use simplechat_core::wire::login::LoginRefusal;

use super::{Check, Watcher, promise};
use crate::observation::{Observation, Observed};
use crate::trials::model::Model;

/// The failures of each name and source since the last success.
#[derive(Debug, Default)]
pub(super) struct Lockout {
    failures: BTreeMap<(Name, IpAddr), Vec<Timestamp>>,
    /// All failures of a name, from anywhere.
    of_name: BTreeMap<Name, Vec<Timestamp>>,
    /// Somebody knew their password just now; from where, the next thing that the server says tells.
    right: Option<Name>,
}

impl Watcher for Lockout {
    fn on(&mut self, observed: &Observed, model: &Model) -> Check {
        let at = observed.at;
        let right = self.right.take();
        match &observed.what {
            Observation::Operator(Operator::LoggedIn { user, from, .. }) => {
                self.check_try(at, *user, from.ip(), model)?;
                self.failures.remove(&(*user, from.ip()));
                return Ok(());
            }
            Observation::Operator(Operator::LoginRefused {
                user,
                from,
                refusal,
            }) => {
                self.check_refusal(at, *user, from.ip(), *refusal, model)?;
                // Who knew the password, and is not let in for another reason than that the account was removed meanwhile.
                let is_wrong = matches!(refusal, LoginRefusal::WrongCredentials { .. });
                if right == Some(*user) && !is_wrong {
                    self.failures.remove(&(*user, from.ip()));
                    return Ok(());
                }
            }
            // Who is taken over is told so first.
            Observation::Dialled { .. } => {
                self.right = right;
                return Ok(());
            }
            Observation::PasswordChecked {
                name,
                verdict: Verdict::Right,
            } => self.right = Some(*name),
            _ => {}
        }
        // Who knew the password was gone before they could be told: their failures are forgotten all the same.
        if let Some(name) = right.filter(|_| !is_refusal(&observed.what)) {
            self.failures.retain(|(user, _), _| *user != name);
        }
        Ok(())
    }
}

const fn is_refusal(what: &Observation) -> bool {
    matches!(what, Observation::Operator(Operator::LoginRefused { .. }))
}

impl Lockout {
    /// A password was tried: was that allowed?
    fn check_try(&mut self, at: Timestamp, user: Name, source: IpAddr, model: &Model) -> Check {
        let max = usize::try_from(model.settings.attempts_max).unwrap_or(usize::MAX);
        let failures = self.failures.entry((user, source)).or_default();
        if let Some(last) = failures.last().filter(|_| failures.len() >= max) {
            let locked = Duration::from(model.settings.block_time);
            promise!(
                at.since(*last) >= locked,
                Lockout,
                "a password of {user} is tried from {source} after {max} failures"
            );
            failures.clear();
        }
        Ok(())
    }

    fn check_refusal(
        &mut self,
        at: Timestamp,
        user: Name,
        source: IpAddr,
        refusal: LoginRefusal,
        model: &Model,
    ) -> Check {
        match refusal {
            LoginRefusal::WrongCredentials { .. } => {
                self.check_try(at, user, source, model)?;
                self.failures.entry((user, source)).or_default().push(at);
                self.of_name.entry(user).or_default().push(at);
            }
            LoginRefusal::Locked { .. } => {
                let max = usize::try_from(model.settings.attempts_max).unwrap_or(usize::MAX);
                let failed = self.failures.get(&(user, source)).map_or(0, Vec::len);
                let budget = LockoutConfig::default();
                let lately = self.of_name.get(&user).map_or(0, |failures| {
                    failures
                        .iter()
                        .filter(|failed| at.since(**failed) <= budget.account_window)
                        .count()
                });
                let is_spent =
                    u32::try_from(lately).is_ok_and(|lately| lately >= budget.account_failures_max);
                promise!(
                    failed >= max || is_spent,
                    Lockout,
                    "{user} is locked out at {source} after {failed} failures"
                );
            }
            _ => {}
        }
        Ok(())
    }
}
