//! Everybody is logged in and says nothing but heartbeats: what that costs is seen from outside.

use super::super::crowd::{Crowd, Happening, UserId};
use super::{Stage, Workload};

/// See the module's text.
#[derive(Debug)]
pub(super) struct Idle;

impl Workload for Idle {
    fn begin(&mut self, _stage: &mut Stage<'_>) {}

    fn happened(&mut self, _stage: &mut Stage<'_>, _user: UserId, _happening: &Happening) {}

    fn halt(&mut self, _stage: &mut Stage<'_>) {}

    fn is_settled(&self, _crowd: &Crowd) -> bool {
        true
    }
}
