//! What holds at rest: everybody is logged in, nothing waits, and address books agree.

use simplechat_core::name::Name;
use simplechat_core::time::Timestamp;
use simplechat_core::wire::request::Operation;

use super::{Check, Watcher, promise};
use crate::net::Listening;
use crate::trials::model::{Client, Entry, Life, Model};
use crate::world::ClientId;

#[derive(Debug)]
pub(super) struct Rest;

impl Watcher for Rest {
    fn at_rest(&mut self, _at: Timestamp, model: &Model) -> Check {
        for (id, client) in &model.clients {
            let Some(user) = client
                .user
                .filter(|_| client.logged_in && client.life != Life::Over)
            else {
                continue;
            };
            check_client(user, *id, client, model)?;
            for (peer, entry) in &client.book {
                check_peer((user, *id), client, *peer, *entry, model)?;
            }
        }
        Ok(())
    }
}

fn check_client(user: Name, id: ClientId, client: &Client, model: &Model) -> Check {
    let open = client
        .open
        .iter()
        .find(|op| !matches!(op.operation, Operation::RemoveAddress { .. }));
    promise!(
        open.is_none(),
        Liveness,
        "{user} waits for the word on {open:?}"
    );
    promise!(
        client.online_asked.is_none(),
        Liveness,
        "{user} waits to be told who is online"
    );
    if client.life == Life::Leaving {
        let waits = client.privates.values().any(|waiting| !waiting.is_empty());
        promise!(waits, Liveness, "{user} wants to leave, and nothing waits");
        return Ok(());
    }
    let is_online = model
        .presence
        .get(&user)
        .is_some_and(|presence| presence.online);
    promise!(is_online, Liveness, "{user} is not logged in");
    let only = model.only_client(user).map(|(only, _)| only);
    promise!(only == Some(id), Liveness, "{user} sits before two clients");
    Ok(())
}

/// If the peer's client is the one that was introduced, it knows this one, and private texts arrive there.
fn check_peer(
    (user, id): (Name, ClientId),
    client: &Client,
    peer: Name,
    entry: Entry,
    model: &Model,
) -> Check {
    let Some((other_id, other)) = model.only_client(peer) else {
        return Ok(());
    };
    let is_same = other.entered.is_some_and(|login| login < entry.since);
    let is_certain =
        is_same && !entry.is_elsewhere && model.are_still_the_same([id, other_id], entry.since);
    if !is_certain {
        return Ok(());
    }
    promise!(
        other.book.contains_key(&user),
        Books,
        "{user} has {peer} in the address book, and {peer} has not {user}"
    );
    // It is enough that one of the two can be called.
    let are_found = [client.listening, other.listening].contains(&Listening::There);
    let waiting = client
        .privates
        .get(&peer)
        .map_or(0, |waiting| waiting.len());
    promise!(
        waiting == 0 || !are_found,
        Liveness,
        "{waiting} private texts of {user} to {peer} wait"
    );
    Ok(())
}
