//! A short log that comes to what is in the tables.
//!
//! The order matters where records change what others have left: a login ends notices, a block discards messages and hides
//! questions.

use std::collections::BTreeSet;

use rusqlite::{Connection, Row};
use simplechat_core::id::{InstanceId, IntroductionId, LoginNumber, Seq};
use simplechat_core::key::{KEY_LEN, PublicKey};
use simplechat_core::name::Name;
use simplechat_core::server::record::Record;
use simplechat_core::time::WallTime;
use simplechat_core::wire::item::{Items, decode};
use simplechat_core::wire::push::Push;
use simplechat_core::wire::request::{Answer, Outcome};

use crate::columns::{address, bytes, get, name, number, state, subject, term};
use crate::error::Trouble;

/// Gives everything that is kept, a record at a time: there may be much of it.
pub(crate) fn each(connection: &Connection, mut take: impl FnMut(Record)) -> Result<(), Trouble> {
    removed(connection)?.into_iter().for_each(&mut take);
    for (sql, read) in PARTS {
        let mut select = connection.prepare(sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            take(read(row)?);
        }
    }
    Ok(())
}

type Read = fn(&Row<'_>) -> Result<Record, Trouble>;

const PARTS: &[(&str, Read)] = &[
    ("SELECT * FROM login ORDER BY nr", logged_in),
    ("SELECT * FROM intake ORDER BY nr", outcomes),
    ("SELECT * FROM lockout ORDER BY nr", locked_out),
    ("SELECT * FROM blacklist", blocked),
    ("SELECT * FROM question", asked),
    ("SELECT * FROM introduction", introduced),
    ("SELECT * FROM notice ORDER BY nr", notice),
    ("SELECT * FROM expired", expired),
    ("SELECT * FROM mailbox ORDER BY owner, place", kept),
];

/// The accounts that something is kept for. Those who only sent something, or are in others' blacklists, are none of them.
pub(crate) fn owners(connection: &Connection) -> Result<BTreeSet<Name>, Trouble> {
    const OWNERS: &str =
        "SELECT user FROM login UNION SELECT owner FROM mailbox UNION SELECT user FROM intake
        UNION SELECT owner FROM blacklist UNION SELECT owner FROM notice UNION SELECT author FROM expired
        UNION SELECT asker FROM question UNION SELECT asked FROM question
        UNION SELECT a FROM introduction UNION SELECT b FROM introduction";
    let mut select = connection.prepare(OWNERS)?;
    let mut rows = select.query([])?;
    let mut owners = BTreeSet::new();
    while let Some(row) = rows.next()? {
        owners.insert(name(row, "user", "login")?);
    }
    Ok(owners)
}

/// The removals, and the first login after each: tickets from before it are for an account that was.
fn removed(connection: &Connection) -> Result<Vec<Record>, Trouble> {
    const FIRST_LOGINS: &str = "SELECT removed.user AS removed_user, first_login, login.*
        FROM removed LEFT JOIN login
        ON first_login IS NOT NULL AND login.nr = (SELECT min(nr) FROM login WHERE login.user = removed.user)
        ORDER BY removed.nr";
    let mut select = connection.prepare(FIRST_LOGINS)?;
    let mut rows = select.query([])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let user = name(row, "removed_user", "removed")?;
        records.push(Record::Removed { user });
        if get::<Option<i64>>(row, "nr")?.is_none() {
            continue;
        }
        // The place and key are those of the oldest login that is kept, which comes again with its own time.
        let mut first = logged_in(row)?;
        if let Record::LoggedIn { at, .. } = &mut first {
            *at = WallTime(number(row, "first_login")?);
        }
        records.push(first);
    }
    Ok(records)
}

fn logged_in(row: &Row<'_>) -> Result<Record, Trouble> {
    const TABLE: &str = "login";
    Ok(Record::LoggedIn {
        user: name(row, "user", TABLE)?,
        instance: InstanceId(bytes(row, "instance")?),
        key: PublicKey(bytes(row, "key")?),
        number: LoginNumber(number(row, "number")?),
        from: address(row, "address", TABLE)?,
        at: WallTime(number(row, "at")?),
    })
}

fn outcomes(row: &Row<'_>) -> Result<Record, Trouble> {
    const TABLE: &str = "intake";
    let items: Vec<u8> = get(row, "outcomes")?;
    let outcome = |item| -> Option<(Seq, Outcome)> {
        match decode(item) {
            Ok(Answer::Outcome { seq, outcome }) => Some((seq, outcome)),
            Ok(_) | Err(_) => None,
        }
    };
    let outcomes: Option<Vec<_>> = Items::new(&items)
        .map(|item| item.ok().and_then(outcome))
        .collect();
    Ok(Record::Outcomes {
        user: name(row, "user", TABLE)?,
        instance: InstanceId(bytes(row, "instance")?),
        lowest_unanswered: Seq(number(row, "lowest_unanswered")?),
        outcomes: outcomes.ok_or_else(|| Trouble::nonsense(TABLE))?,
    })
}

fn locked_out(row: &Row<'_>) -> Result<Record, Trouble> {
    const TABLE: &str = "lockout";
    let is_everywhere = get::<String>(row, "source")?.is_empty();
    Ok(Record::LockedOut {
        name: name(row, "name", TABLE)?,
        from: if is_everywhere {
            None
        } else {
            Some(address(row, "address", TABLE)?)
        },
        until: WallTime(number(row, "until")?),
    })
}

fn blocked(row: &Row<'_>) -> Result<Record, Trouble> {
    const TABLE: &str = "blacklist";
    Ok(Record::Blocked {
        by: name(row, "owner", TABLE)?,
        user: name(row, "blocked", TABLE)?,
    })
}

fn asked(row: &Row<'_>) -> Result<Record, Trouble> {
    const TABLE: &str = "question";
    Ok(Record::Asked {
        asker: name(row, "asker", TABLE)?,
        asked: name(row, "asked", TABLE)?,
        state: state(get(row, "state")?).ok_or_else(|| Trouble::nonsense(TABLE))?,
        term: term(get(row, "term")?).ok_or_else(|| Trouble::nonsense(TABLE))?,
        expires: WallTime(number(row, "expires")?),
    })
}

fn introduced(row: &Row<'_>) -> Result<Record, Trouble> {
    const TABLE: &str = "introduction";
    Ok(Record::Introduced {
        a: name(row, "a", TABLE)?,
        b: name(row, "b", TABLE)?,
        id: IntroductionId(bytes(row, "id")?),
        term: term(get(row, "term")?).ok_or_else(|| Trouble::nonsense(TABLE))?,
    })
}

fn notice(row: &Row<'_>) -> Result<Record, Trouble> {
    const TABLE: &str = "notice";
    let nonsense = || Trouble::nonsense(TABLE);
    let (about, push): (String, Vec<u8>) = (get(row, "about")?, get(row, "push")?);
    Ok(Record::Notice {
        to: name(row, "owner", TABLE)?,
        subject: subject(get(row, "subject")?, &about).ok_or_else(nonsense)?,
        push: decode(&push).map_err(|_| nonsense())?,
    })
}

fn expired(row: &Row<'_>) -> Result<Record, Trouble> {
    const TABLE: &str = "expired";
    let item: Vec<u8> = get(row, "word")?;
    let Ok(Push::Expired(word)) = decode(&item) else {
        return Err(Trouble::nonsense(TABLE));
    };
    Ok(Record::Expired {
        to: word.to,
        through: None,
        untold: vec![(name(row, "author", TABLE)?, word)],
    })
}

fn kept(row: &Row<'_>) -> Result<Record, Trouble> {
    const TABLE: &str = "mailbox";
    let item: Vec<u8> = get(row, "message")?;
    let (to, place) = (name(row, "owner", TABLE)?, number(row, "place")?);
    let key = get::<Option<[u8; KEY_LEN]>>(row, "key")?;
    match (decode(&item), key) {
        (Ok(Push::Message(message)), None) => Ok(Record::Kept { to, place, message }),
        (Ok(Push::Mail(mail)), Some(key)) => Ok(Record::KeptMail {
            to,
            key: PublicKey(key),
            place,
            mail,
        }),
        _ => Err(Trouble::nonsense(TABLE)),
    }
}
