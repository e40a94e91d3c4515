//! Every table stays within its bound, and at rest nothing is left in those that only hold what is under way.

use simplechat_core::limits;
use simplechat_core::{client, server};

use super::{Check, promise};
use crate::trials::plan::Settings;

/// Timers of an account at its server, and of a server beside those.
const TIMERS_PER_ACCOUNT: usize = 5;
const TIMERS_BESIDE: usize = 3;
/// Connections that a client may have to do with at rest: somebody's heartbeat is always under way.
const CONNECTIONS_AT_REST: usize = 2;

/// When tables are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occasion {
    /// At any time.
    AnyTime,
    /// Everything is mended, and there was time enough.
    Rest,
}

pub(super) fn check_server(
    sizes: server::sizes::Sizes,
    occasion: Occasion,
    settings: &Settings,
) -> Check {
    let all = sizes.accounts;
    let most = sizes.largest;
    check_each(
        "the server",
        &[
            ("sessions", sizes.sessions, all),
            ("checks", sizes.checks, limits::PASSWORD_CHECKS_MAX),
            ("lockouts", sizes.lockouts, limits::LOCKOUT_ENTRIES_MAX),
            ("questions", sizes.questions, all * limits::QUESTIONS_MAX),
            (
                "introductions",
                sizes.introductions,
                all * limits::INTRODUCTIONS_MAX,
            ),
            ("claims", sizes.claims, all * limits::ADDRESS_BOOK_MAX),
            ("records", sizes.records, limits::RECORDS_MAX),
            (
                "timers",
                sizes.timers,
                all * TIMERS_PER_ACCOUNT + sizes.connections + TIMERS_BESIDE,
            ),
            ("messages", most.messages, settings.mailbox_messages),
            ("bytes", most.message_bytes, settings.mailbox_bytes),
            ("untold", most.untold, limits::EXPIRED_RECIPIENTS_MAX),
            ("blocked", most.blocked, limits::BLACKLIST_MAX),
            ("notices", most.notices, limits::NOTICES_MAX),
            ("receipts", most.receipts, limits::RECEIPTS_MAX),
            ("instances", most.instances, limits::INSTANCES_PER_ACCOUNT),
            ("operations", most.operations, window()),
            (
                "acquaintances",
                most.acquaintances,
                limits::ACQUAINTANCES_MAX,
            ),
        ],
    )?;
    if occasion == Occasion::AnyTime {
        return Ok(());
    }
    check_each(
        "at rest the server",
        &[
            ("checks", sizes.checks, 0),
            ("records", sizes.records, 0),
            ("connections", sizes.connections, all * CONNECTIONS_AT_REST),
        ],
    )
}

pub(super) fn check_client(sizes: client::sizes::Sizes, occasion: Occasion) -> Check {
    check_each(
        "a client",
        &[
            ("outbox", sizes.outbox, limits::OUTBOX_MAX),
            ("ledger", sizes.ledger, limits::LEDGER_MAX),
            ("parked", sizes.parked, limits::PARKED_MAX),
            ("callers", sizes.callers, limits::GREETING_SOURCES_MAX),
            ("questions", sizes.questions, limits::QUESTIONS_MAX),
            ("consents", sizes.consents, limits::CONSENTS_MAX),
            ("peers", sizes.peers, limits::ADDRESS_BOOK_MAX),
            ("waiting", sizes.waiting, limits::OUTBOX_MAX),
            ("former", sizes.former, limits::FORMER_PEERS_MAX),
            ("verified", sizes.verified, limits::VERIFIED_MAX),
            ("met", sizes.met, limits::MET_MAX),
            (
                "peer sessions",
                sizes.peer_sessions,
                limits::PEER_SESSIONS_MAX,
            ),
            ("shown", sizes.shown, limits::SHOWN_MAX),
            ("showing", sizes.showing, limits::SHOWING_MAX),
            ("blocked", sizes.blocked, limits::CLIENT_BLACKLIST_MAX),
        ],
    )?;
    if occasion == Occasion::AnyTime {
        return Ok(());
    }
    check_each(
        "at rest a client",
        &[
            ("parked", sizes.parked, 0),
            ("showing", sizes.showing, 0),
            (
                "connections",
                sizes.connections,
                // Each of the two may hold a link, and one of them may be looked after just now.
                CONNECTIONS_AT_REST + 3 * sizes.peers,
            ),
        ],
    )
}

fn window() -> usize {
    usize::try_from(limits::SEQ_WINDOW).unwrap_or(usize::MAX)
}

fn check_each(whose: &str, tables: &[(&str, usize, usize)]) -> Check {
    for (table, held, bound) in tables {
        promise!(
            held <= bound,
            Bounded,
            "{whose} has {held} {table}, and {bound} are the most"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_too_many_is_seen() {
        let mut sizes = client::sizes::Sizes {
            parked: limits::PARKED_MAX,
            ..client::sizes::Sizes::default()
        };
        assert_eq!(check_client(sizes, Occasion::AnyTime), Ok(()));
        assert!(check_client(sizes, Occasion::Rest).is_err());
        sizes.parked += 1;
        assert!(check_client(sizes, Occasion::AnyTime).is_err());
    }
}
