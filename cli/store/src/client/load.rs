//! A short log that comes to what is in the tables.

use std::net::SocketAddr;

use rusqlite::{Connection, Row};
use simplechat_core::client::event::Verification;
use simplechat_core::client::record::{Record, Route};
use simplechat_core::id::{InstanceId, IntroductionId, Seq};
use simplechat_core::key::PublicKey;
use simplechat_core::time::WallTime;
use simplechat_core::wire::item::decode;
use simplechat_core::wire::peer::PeerPush;
use simplechat_core::wire::request::Request;

use crate::columns::{bytes, get, name, number, term};
use crate::error::Trouble;

/// What the user's own private messages are marked with.
pub(super) const OWN: Verification = Verification::Unverified;

/// Everything that is kept of the machine.
pub(super) fn all(connection: &Connection) -> Result<Vec<Record>, Trouble> {
    let mut records = Vec::new();
    for (sql, read) in PARTS {
        let mut select = connection.prepare(sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            records.push(read(row)?);
        }
    }
    Ok(records)
}

type Read = fn(&Row<'_>) -> Result<Record, Trouble>;

const PARTS: &[(&str, Read)] = &[
    // Numbers go on from the first wish that has no answer.
    (
        "SELECT instance, coalesce((SELECT min(seq) FROM outbox), next_wish) AS next_wish, next_private
         FROM client",
        began,
    ),
    ("SELECT * FROM shown ORDER BY nr", shown),
    ("SELECT * FROM met ORDER BY nr", met),
    ("SELECT * FROM verified", verified),
    ("SELECT * FROM consent ORDER BY nr", consented),
    ("SELECT * FROM peer", peer),
    ("SELECT name FROM peer WHERE is_elsewhere", elsewhere),
    ("SELECT * FROM outbox ORDER BY seq", wished),
    ("SELECT seq FROM outbox WHERE is_fulfilled", fulfilled),
    ("SELECT * FROM waiting ORDER BY seq", written),
    ("SELECT * FROM mail ORDER BY wish", posted),
];

fn began(row: &Row<'_>) -> Result<Record, Trouble> {
    Ok(Record::Began {
        instance: InstanceId(bytes(row, "instance")?),
        next_wish: Seq(number(row, "next_wish")?),
        next_private: Seq(number(row, "next_private")?),
    })
}

fn shown(row: &Row<'_>) -> Result<Record, Trouble> {
    const TABLE: &str = "shown";
    Ok(Record::Shown {
        route: route(get(row, "route")?).ok_or_else(|| Trouble::nonsense(TABLE))?,
        from: name(row, "author", TABLE)?,
        instance: InstanceId(bytes(row, "instance")?),
        seq: Seq(number(row, "seq")?),
    })
}

pub(super) const fn route_number(route: Route) -> i64 {
    match route {
        Route::Server => 0,
        Route::Direct => 1,
    }
}

const fn route(number: i64) -> Option<Route> {
    match number {
        0 => Some(Route::Server),
        1 => Some(Route::Direct),
        _ => None,
    }
}

fn met(row: &Row<'_>) -> Result<Record, Trouble> {
    Ok(Record::Met {
        peer: name(row, "name", "met")?,
        key: PublicKey(bytes(row, "key")?),
    })
}

fn verified(row: &Row<'_>) -> Result<Record, Trouble> {
    Ok(Record::Verified {
        peer: name(row, "name", "verified")?,
        key: PublicKey(bytes(row, "key")?),
    })
}

fn consented(row: &Row<'_>) -> Result<Record, Trouble> {
    Ok(Record::Consented {
        to: name(row, "name", "consent")?,
        introductions: get(row, "introductions")?,
        until: WallTime(number(row, "until")?),
    })
}

fn peer(row: &Row<'_>) -> Result<Record, Trouble> {
    const TABLE: &str = "peer";
    let candidates: String = get(row, "candidates")?;
    let candidates: Result<Vec<SocketAddr>, _> =
        candidates.split_whitespace().map(str::parse).collect();
    Ok(Record::Peer {
        peer: name(row, "name", TABLE)?,
        introduction: IntroductionId(bytes(row, "introduction")?),
        key: PublicKey(bytes(row, "key")?),
        candidates: candidates.map_err(|_| Trouble::nonsense(TABLE))?,
        term: term(get(row, "term")?).ok_or_else(|| Trouble::nonsense(TABLE))?,
    })
}

fn elsewhere(row: &Row<'_>) -> Result<Record, Trouble> {
    Ok(Record::Elsewhere {
        peer: name(row, "name", "peer")?,
    })
}

fn fulfilled(row: &Row<'_>) -> Result<Record, Trouble> {
    Ok(Record::Fulfilled {
        seq: Seq(number(row, "seq")?),
    })
}

fn wished(row: &Row<'_>) -> Result<Record, Trouble> {
    let wish: Vec<u8> = get(row, "wish")?;
    let Ok(Request::Submit { seq, operation }) = decode(&wish) else {
        return Err(Trouble::nonsense("outbox"));
    };
    Ok(Record::Wished {
        seq,
        operation,
        at: WallTime(number(row, "at")?),
    })
}

fn written(row: &Row<'_>) -> Result<Record, Trouble> {
    const TABLE: &str = "waiting";
    let message: Vec<u8> = get(row, "message")?;
    let Ok(PeerPush::Private(message)) = decode(&message) else {
        return Err(Trouble::nonsense(TABLE));
    };
    Ok(Record::Written {
        to: name(row, "peer", TABLE)?,
        message,
    })
}

fn posted(row: &Row<'_>) -> Result<Record, Trouble> {
    Ok(Record::Posted {
        to: name(row, "peer", "mail")?,
        through: Seq(number(row, "through")?),
        wish: Seq(number(row, "wish")?),
    })
}
