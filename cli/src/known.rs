//! `simplechat known`: the servers that the user has trusted.

use crate::args::{ClientData, Known, KnownAction};
use crate::data::{DataDirectory, DataError, KnownServer, KnownServers, Part};
use crate::exit::{Exit, Failure};
use crate::place::Place;
use crate::print;

/// Shows or forgets them.
pub(crate) fn run(args: &Known) -> Result<Exit, Failure> {
    match &args.action {
        KnownAction::List { kept } => list(kept),
        KnownAction::Forget { place, kept } => forget(place, kept),
    }
}

fn list(kept: &ClientData) -> Result<Exit, Failure> {
    let servers = match known_servers(kept)? {
        Some(known) => known.list().map_err(failed)?,
        None => Vec::new(),
    };
    print(&servers.iter().map(line).collect::<String>())
}

fn forget(place: &str, kept: &ClientData) -> Result<Exit, Failure> {
    let place: Place = place
        .parse()
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    let forgotten = match known_servers(kept)? {
        Some(known) => known.forget(&place).map_err(failed)?,
        None => Vec::new(),
    };
    if forgotten.is_empty() {
        let message = format!("{place} is not known: `simplechat known list` shows those that are");
        return Err(Failure::new(Exit::Failed, message));
    }
    let lines = forgotten.iter().map(line);
    print(
        &lines
            .map(|line| format!("forgotten: {line}"))
            .collect::<String>(),
    )
}

fn line(server: &KnownServer) -> String {
    let fingerprint = server.key.fingerprint();
    format!("{} {fingerprint} {}\n", server.place, server.first_seen)
}

/// `None` where no client has been yet.
fn known_servers(kept: &ClientData) -> Result<Option<KnownServers>, Failure> {
    let flags = [("--data", "join.data", kept.data.clone())];
    let settings = kept.common.settings(&flags, std::env::vars_os())?.join;
    let path = Part::Client
        .path(settings.data.as_deref())
        .map_err(failed)?;
    let directory = DataDirectory::find(&path).map_err(failed)?;
    Ok(directory.as_ref().map(KnownServers::of))
}

fn failed(error: DataError) -> Failure {
    Failure::new(Exit::Failed, error)
}
