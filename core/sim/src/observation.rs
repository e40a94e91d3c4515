//! What an onlooker sees of a world: every wish with its answer, every event with who was shown it, every dial, start and
//! crash, in the order in which they happened. A checker needs nothing else of the machines.

use simplechat_core::client::command::{Command, Rejected};
use simplechat_core::client::event::Event;
use simplechat_core::client::record::Record;
use simplechat_core::id::EffectId;
use simplechat_core::name::Name;
use simplechat_core::server;
use simplechat_core::time::Timestamp;

use crate::net::{HostId, Listening};
use crate::world::ClientId;

/// Something that happened, and when.
#[derive(Clone, Debug)]
pub struct Observed {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Observation,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Observation {
    /// A server started, and knows its accounts.
    ServerStarted,
    /// The server is gone without a word.
    ServerCrashed,
    /// The server has shut down in order.
    ServerEnded,
    /// The server told its operator something.
    Operator(server::event::Event),
    /// A password was checked, and the server heard what came of it.
    PasswordChecked {
        /// Whose it should be.
        name: Name,
        /// What came of it.
        verdict: server::Verdict,
    },
    /// A client sent a login.
    LoginSent {
        /// Which.
        client: ClientId,
    },
    /// The attacker logs in as somebody, with a password that is none of theirs.
    AttackerLogsIn {
        /// As whom.
        name: Name,
    },
    /// Who calls somebody gets the attacker from now on.
    Intercepted {
        /// Whom.
        host: HostId,
    },
    /// A machine was taken in, or something was heard on the network that must never be there.
    Breach {
        /// What.
        what: String,
    },
    /// Bytes of somebody's reached the server.
    ServerHeard {
        /// Whose.
        from: HostId,
    },
    /// Somebody dialled an address.
    Dialled {
        /// Who.
        from: HostId,
        /// Who listens there, if anybody does.
        to: Option<HostId>,
    },
    /// A host fell asleep: its machine hears nothing.
    Slept {
        /// Which.
        host: HostId,
    },
    /// A host woke.
    Woke {
        /// Which.
        host: HostId,
    },
    /// A client's host got another address.
    Moved {
        /// Which.
        client: ClientId,
    },
    /// Whether others can connect to a client has changed.
    Listens {
        /// Which.
        client: ClientId,
        /// Whether they can from now on.
        listening: Listening,
    },
    /// Somebody sat down before a new client.
    SatDown {
        /// Which.
        client: ClientId,
    },
    /// Somebody wished something of their client.
    Wished {
        /// Whose.
        client: ClientId,
        /// What.
        command: Command,
        /// What the client said at once.
        result: Result<(), Rejected>,
    },
    /// A client told its user something of its own.
    Told {
        /// Which client.
        client: ClientId,
        /// What.
        event: Event,
    },
    /// A client handed its screen what others sent.
    Shown {
        /// Which client.
        client: ClientId,
        /// What is on the screen once this comes back in [`Observation::Read`].
        effect: EffectId,
        /// What, in order.
        events: Vec<Event>,
    },
    /// It is on the screen, and the client heard so.
    Read {
        /// Which client.
        client: ClientId,
        /// What was handed to the screen.
        effect: EffectId,
    },
    /// A client's store has kept what it was given.
    Kept {
        /// Which client's.
        client: ClientId,
        /// What, in order.
        records: Vec<Record>,
    },
    /// A client that had ended starts again, with what its store has kept.
    StartedAgain {
        /// Which.
        client: ClientId,
    },
    /// A client is gone without a word.
    ClientCrashed {
        /// Which.
        client: ClientId,
    },
    /// A client's machine has ended.
    ClientEnded {
        /// Which.
        client: ClientId,
    },
}
