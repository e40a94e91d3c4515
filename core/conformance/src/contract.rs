//! The contract between a driver and a machine, checked from the machine's side in every test.

use std::collections::{BTreeMap, BTreeSet};

use simplechat_core::machine::{ConnId, Input, Output};

/// What the machine knows of its connections, if the driver keeps to the contract.
#[derive(Default, Debug)]
pub struct Contract {
    open: BTreeMap<ConnId, Stage>,
    /// Every connection there ever was: no number is used twice.
    seen: BTreeSet<ConnId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Dialling,
    Standing,
    Finished,
}

impl Contract {
    /// Sees an input.
    ///
    /// # Panics
    ///
    /// If the driver may not give it.
    pub fn input<D>(&mut self, input: &Input<'_, D>) {
        match *input {
            Input::Accepted { conn, .. } => {
                assert!(matches!(conn, ConnId::Accepted(_)), "{conn:?} was accepted");
                assert!(self.seen.insert(conn), "{conn:?} came twice");
                self.open.insert(conn, Stage::Standing);
            }
            Input::Connected { conn, .. } => {
                let before = self.open.insert(conn, Stage::Standing);
                assert_eq!(before, Some(Stage::Dialling), "{conn:?} connected");
            }
            Input::ConnectFailed { conn, .. } => {
                let before = self.open.remove(&conn);
                assert_eq!(before, Some(Stage::Dialling), "{conn:?} failed");
            }
            Input::Received { conn, bytes } => {
                let stage = self.open.get(&conn);
                assert_eq!(stage, Some(&Stage::Standing), "{conn:?} received");
                assert!(!bytes.is_empty(), "nothing was received");
            }
            Input::Finished { conn } => {
                let before = self.open.insert(conn, Stage::Finished);
                assert_eq!(before, Some(Stage::Standing), "{conn:?} finished");
            }
            Input::Closed { conn, .. } => {
                let before = self.open.remove(&conn);
                assert!(before.is_some(), "{conn:?} was over already");
            }
            Input::EffectDone(_) | Input::Timeout => {}
        }
    }

    /// Whether every connection there ever was has ended.
    #[must_use]
    pub fn is_all_over(&self) -> bool {
        self.open.is_empty()
    }

    /// Sees an output on its way to the driver.
    ///
    /// # Panics
    ///
    /// If the toy uses a number twice.
    pub fn output<E, V>(&mut self, output: &Output<E, V>) {
        match *output {
            Output::Connect { conn, .. } => {
                assert!(self.seen.insert(conn), "{conn:?} was dialled twice");
                self.open.insert(conn, Stage::Dialling);
            }
            Output::Close { conn } => {
                self.open.remove(&conn);
            }
            Output::Send { .. }
            | Output::Keep { .. }
            | Output::Effect(_)
            | Output::Event(_)
            | Output::Stop => {}
        }
    }
}
