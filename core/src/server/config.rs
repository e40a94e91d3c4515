//! The settings of a server that its rules depend on, with the defaults that `simplechat config` explains.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::admission::AdmissionConfig;
use super::allowance::AllowanceConfig;
use super::lockout::LockoutConfig;
use super::mailbox::MailboxLimits;

/// What an operator can set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// How often a source may begin a handshake.
    pub admission: AdmissionConfig,
    /// How much an account may have the server do.
    pub allowance: AllowanceConfig,
    /// How passwords may be guessed.
    pub lockout: LockoutConfig,
    /// How much is kept for a user.
    pub mailbox: MailboxLimits,
    /// What becomes of it when the server ends.
    pub store: StoreKind,
    /// How often clients send a heartbeat.
    pub heartbeat_interval: Duration,
    /// A client silent for this long is logged out: by default three beats lost, and 5 s to spare.
    pub timeout: Duration,
    /// How long a question for an address stays open.
    pub question_expiry: Duration,
    /// A message that its recipient's client does not have after this long is stored.
    pub store_after: Duration,
    /// The least time between two alerts of who came and went, for each user.
    pub presence_interval: Duration,
    /// With more users online only those hear of a user's coming and going who know them.
    pub presence_alerts_max: usize,
    /// The longest text that is taken, in bytes; at most [`crate::limits::TEXT_LEN_MAX`].
    pub max_text: usize,
    /// How long a shutdown may take to hand over what is under way.
    pub shutdown_deadline: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            admission: AdmissionConfig::default(),
            allowance: AllowanceConfig::default(),
            lockout: LockoutConfig::default(),
            mailbox: MailboxLimits::default(),
            store: StoreKind::Lasting,
            heartbeat_interval: Duration::from_secs(30),
            timeout: Duration::from_secs(95),
            question_expiry: Duration::from_secs(120),
            store_after: Duration::from_millis(250),
            presence_interval: Duration::from_secs(2),
            presence_alerts_max: 500,
            max_text: 8 * 1024,
            shutdown_deadline: Duration::from_secs(10),
        }
    }
}

/// Whether what was stored is there when the server starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreKind {
    /// It is.
    Lasting,
    /// It ends with the server.
    Passing,
}
