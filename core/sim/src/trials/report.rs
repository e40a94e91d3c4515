//! What happened, in lines to be read.

use simplechat_core::time::Timestamp;

use crate::observation::{Observation, Observed};
use crate::script;
use crate::world::{ATTACKER, SERVER};

use super::model::Model;
use crate::net::HostId;
use crate::world::ClientId;

/// The time since a world began.
#[must_use]
pub fn clock(at: Timestamp) -> String {
    let since = at.since(Timestamp::from_secs(1_000));
    let (secs, micros) = (since.as_secs(), since.subsec_micros());
    let (hours, minutes, secs) = (secs / 3_600, secs / 60 % 60, secs % 60);
    format!("{hours:02}:{minutes:02}:{secs:02}.{micros:06}")
}

fn client(id: ClientId, model: &Model) -> String {
    let number = id.host().0;
    let user = model.user(id);
    user.map_or_else(|| format!("#{number}"), |user| format!("{user}#{number}"))
}

fn host(id: HostId, model: &Model) -> String {
    match ClientId::at(id) {
        Some(id) => client(id, model),
        None if id == SERVER => "server".into(),
        None if id == ATTACKER => "attacker".into(),
        None => "somebody".into(),
    }
}

/// What was observed, in one line; `None` for what only the checker needs.
#[must_use]
pub fn line(observed: &Observed, model: &Model) -> Option<String> {
    let (who, what) = match &observed.what {
        Observation::ServerStarted => ("server".into(), "starts".into()),
        Observation::ServerCrashed => ("server".into(), "crashes".into()),
        Observation::ServerEnded => ("server".into(), "ends".into()),
        Observation::Operator(event) => ("server".into(), format!("{event:?}")),
        Observation::AttackerLogsIn { name } => {
            ("attacker".into(), format!("tries a password of {name}"))
        }
        Observation::Intercepted { host: whom } => (
            "attacker".into(),
            format!("intercepts {}", host(*whom, model)),
        ),
        Observation::Breach { what } => ("ear".into(), what.clone()),
        Observation::PasswordChecked { .. }
        | Observation::LoginSent { .. }
        | Observation::ServerHeard { .. } => return None,
        Observation::Dialled { from, to } => {
            let to = to.map_or_else(|| "nobody".to_owned(), |to| host(to, model));
            (host(*from, model), format!("dials {to}"))
        }
        Observation::Slept { host: id } => (host(*id, model), "falls asleep".into()),
        Observation::Woke { host: id } => (host(*id, model), "wakes".into()),
        Observation::Moved { client: id } => (client(*id, model), "moves".into()),
        Observation::Listens {
            client: id,
            listening,
        } => (client(*id, model), format!("is heard: {listening:?}")),
        Observation::SatDown { client: id } => (client(*id, model), "starts".into()),
        Observation::Wished {
            client: id,
            command,
            result,
        } => {
            let wish = script::show_command(command);
            let refusal = result
                .as_ref()
                .err()
                .map(|rejected| format!(" ! {rejected}"));
            (
                client(*id, model),
                format!("> {wish}{}", refusal.unwrap_or_default()),
            )
        }
        Observation::Told { client: id, event } => (
            client(*id, model),
            format!("< {}", script::show_event(event)),
        ),
        Observation::Shown {
            client: id,
            events,
            effect,
        } => {
            let events: Vec<_> = events.iter().map(script::show_event).collect();
            (
                client(*id, model),
                format!("< [{}] {}", effect.0, events.join(" | ")),
            )
        }
        Observation::Read { client: id, effect } => {
            (client(*id, model), format!("  [{}] read", effect.0))
        }
        Observation::Kept { .. } => return None,
        Observation::StartedAgain { client: id } => (client(*id, model), "starts again".into()),
        Observation::ClientCrashed { client: id } => (client(*id, model), "crashes".into()),
        Observation::ClientEnded { client: id } => (client(*id, model), "ends".into()),
    };
    Some(format!("{} {who:10} {what}", clock(observed.at)))
}
