//! Every bound that no setting changes, in one place, and how they hang together.
//!
//! What a peer can make grow has a bound here or in a config; reaching it is answered with a refusal.

use core::time::Duration;

/// The longest frame, in bytes after the length field. Refused by the header when longer.
pub const FRAME_LEN_MAX: usize = 64 * 1024;
/// The longest frame from somebody who is not known yet.
pub const HANDSHAKE_FRAME_LEN_MAX: usize = 1024;
/// What the protection of a channel may add to a payload.
pub const SEAL_LEN_MAX: usize = 17;
/// What it may add to a message of a handshake, besides a fresh key.
pub const HANDSHAKE_SEAL_LEN_MAX: usize = 64;
/// Bytes of a frame that are not its payload: version, kind, session, counter and seal.
pub const FRAME_OVERHEAD: usize = 2 + 16 + 8 + SEAL_LEN_MAX;
/// What fits into one sealed frame.
pub const PAYLOAD_LEN_MAX: usize = FRAME_LEN_MAX - FRAME_OVERHEAD;

/// Characters in a name.
pub const NAME_LEN_MAX: usize = 32;
/// Bytes in a password.
pub const PASSWORD_LEN_MAX: usize = 256;
/// Bytes of an admission cookie.
pub const COOKIE_LEN: usize = 48;
/// Bytes of a ticket.
pub const TICKET_LEN_MAX: usize = 256;
/// The longest text that any setting may allow, in bytes: with its sender and numbers it fits one frame.
pub const TEXT_LEN_MAX: usize = 60 * 1024;
/// The longest sealed mail: one with the longest text in it fits, and so does the frame that it is in.
pub const MAIL_LEN_MAX: usize = TEXT_LEN_MAX + 1024;
/// Names in one page of the list of who is online.
pub const ONLINE_PAGE_MAX: usize = 1_000;
/// Addresses in an introduction.
pub const CANDIDATES_MAX: usize = 8;
/// Addresses that a client says of itself; the server adds the one it saw.
pub const OWN_CANDIDATES_MAX: usize = CANDIDATES_MAX - 1;

/// Replay window: how far behind the newest a frame of a session may arrive.
pub const REPLAY_WINDOW: u64 = 2_048;

/// Numbers that a client may have unanswered, and so how many early ones the server holds.
pub const SEQ_WINDOW: u64 = 64;
/// Client instances whose numbers the server remembers for an account; the longest unused one is forgotten.
pub const INSTANCES_PER_ACCOUNT: usize = 8;
/// Names in a blacklist.
pub const BLACKLIST_MAX: usize = 1_000;
/// People whose messages or address an account has had lately, for alerts on a crowded server.
pub const ACQUAINTANCES_MAX: usize = 256;
/// Questions for an address that one user may have open, and that may wait for one user.
pub const QUESTIONS_MAX: usize = 32;
/// Introductions of one user in force.
pub const INTRODUCTIONS_MAX: usize = 500;
/// Notices (questions, introductions) that wait for one user.
pub const NOTICES_MAX: usize = 2 * QUESTIONS_MAX + 4 * INTRODUCTIONS_MAX;
/// Recipients of expired messages of whom one user is still to be told; of more than that nothing is told.
pub const EXPIRED_RECIPIENTS_MAX: usize = 1_000;
/// Expired messages to one recipient that a user is told the numbers of; more are counted.
pub const EXPIRED_NUMBERS_MAX: usize = 100;
/// Delivery receipts that wait for one user; more are dropped, as a receipt is a courtesy.
pub const RECEIPTS_MAX: usize = 1_000;
/// Records that go to the store at once; more go the next time.
pub const RECORDS_PER_BATCH: usize = 1_000;
/// Records that wait for a failing store; then nobody new is let in.
pub const RECORDS_MAX: usize = 65_536;
/// Password checks under way; more are refused for now.
pub const PASSWORD_CHECKS_MAX: usize = 1_024;
/// Handshakes of one source under way in one budget; more are refused for now.
pub const HANDSHAKES_PER_SOURCE_MAX: usize = 64;
/// Handshakes under way that show cookies of one account; more are refused for now.
pub const HANDSHAKES_PER_ACCOUNT_MAX: usize = 8;
/// Handshakes under way in one budget; more are refused for now.
pub const HANDSHAKES_MAX: usize = 1_024;
/// Sources whose handshakes are counted in one budget; the one that called the longest ago is forgotten.
pub const HANDSHAKE_SOURCES_MAX: usize = 16_384;
/// (account, source) pairs whose failed logins are remembered.
pub const LOCKOUT_ENTRIES_MAX: usize = 65_536;
/// Sources from which an account has logged in lately and that its account-wide budget does not refuse.
pub const KNOWN_SOURCES_MAX: usize = 32;
/// Keys with which it has, see [`KNOWN_SOURCES_MAX`].
pub const KNOWN_KEYS_MAX: usize = 32;
/// Checks of a client's listener within [`PROBE_WINDOW`].
pub const PROBES_PER_WINDOW: usize = 6;
/// See [`PROBES_PER_WINDOW`].
pub const PROBE_WINDOW: Duration = Duration::from_secs(60);
/// The lowest port that the server dials for a client.
pub const CLIENT_PORT_MIN: u16 = 1_024;

/// How long a ticket is of use after the login that it was given at.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Keys of a session with the server are renewed after so long, and those with a peer.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// See [`SESSION_LIFETIME`].
pub const PEER_SESSION_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Keys of a session are renewed after so many frames in both directions.
pub const SESSION_FRAMES_MAX: u64 = 1 << 20;

/// How long a handshake may take, from the first message to the last.
pub const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);
/// How long a client's connection waits for the outcome of what it carried before the answer says what is known.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long the login connection stays open for the word whether the listener could be reached.
pub const PROBE_WITHIN: Duration = Duration::from_secs(3);

/// Streams of a held link that its other side may have open at once; more are ended at once.
pub const STREAMS_MAX: usize = 64;
/// How long an exchange on a held link may take, from the first frame to the last.
pub const EXCHANGE_WITHIN: Duration = Duration::from_secs(15);

/// The longest that a client believes a server's *later*; then it asks again.
pub const LATER_MAX: Duration = Duration::from_secs(60);

/// Texts that wait in a client for the server, and for each peer.
pub const OUTBOX_MAX: usize = 1_000;
/// Messages of the user's own that a client can tell of.
pub const LEDGER_MAX: usize = 100;
/// Attempts to send each of them that it can list; those before are counted.
pub const LEDGER_ATTEMPTS_MAX: usize = 16;
/// Connections on which a client has commands under way at once; more go together in the next one.
pub const COMMAND_CONNECTIONS_MAX: usize = 8;
/// People in an address book.
pub const ADDRESS_BOOK_MAX: usize = INTRODUCTIONS_MAX;
/// Users whom a client drops texts of.
pub const CLIENT_BLACKLIST_MAX: usize = BLACKLIST_MAX;
/// Client instances whose highest number shown a client remembers.
pub const SHOWN_MAX: usize = 4_096;
/// Batches handed to the screen and not yet shown; above it a client takes no more from anyone.
pub const SHOWING_MAX: usize = 64;
/// People who were in an address book and whom a client can still tell apart from strangers.
pub const FORMER_PEERS_MAX: usize = 64;
/// People whom the user has agreed to be introduced to, and is not yet.
pub const CONSENTS_MAX: usize = 2 * ADDRESS_BOOK_MAX;
/// People without a mark whose last key a client remembers, to tell when it changes.
pub const MET_MAX: usize = 2 * ADDRESS_BOOK_MAX;
/// People whose key the user has marked as verified.
pub const VERIFIED_MAX: usize = 2 * ADDRESS_BOOK_MAX;
/// Sessions with peers, old and new; the oldest is forgotten.
pub const PEER_SESSIONS_MAX: usize = 3 * (ADDRESS_BOOK_MAX + FORMER_PEERS_MAX);
/// Handshakes that callers of a client have begun and not finished.
pub const GREETINGS_MAX: usize = 32;
/// How many of them may come from one address.
pub const GREETINGS_PER_ADDRESS_MAX: usize = 8;
/// Sources whose handshakes a client counts; the one that called the longest ago is forgotten.
pub const GREETING_SOURCES_MAX: usize = 1_024;
/// Calls in unknown sessions that wait in a client for the keys to come.
pub const PARKED_MAX: usize = 16;
/// How many of them may come from one address, so that no single stranger takes all places.
pub const PARKED_PER_ADDRESS_MAX: usize = 4;

/// Outputs that may wait for a driver. Reaching it means that the driver does not drain them: our fault, so it panics.
pub const OUTPUTS_MAX: usize = 4_000_000;

const _: () = assert!(
    TEXT_LEN_MAX + 1_024 <= PAYLOAD_LEN_MAX,
    "a text fits a frame"
);
const _: () = assert!(
    ONLINE_PAGE_MAX * (NAME_LEN_MAX + 1) + 64 <= PAYLOAD_LEN_MAX,
    "a page of names fits a frame"
);
const _: () = assert!(
    TICKET_LEN_MAX <= PASSWORD_LEN_MAX,
    "a ticket takes no more room than a password"
);
const _: () = assert!(
    PASSWORD_LEN_MAX + NAME_LEN_MAX + OWN_CANDIDATES_MAX * 20 + 128 + HANDSHAKE_SEAL_LEN_MAX
        <= HANDSHAKE_FRAME_LEN_MAX,
    "a login fits a message of a handshake"
);
const _: () = assert!(
    HANDSHAKES_PER_SOURCE_MAX < HANDSHAKES_MAX && HANDSHAKES_MAX <= HANDSHAKE_SOURCES_MAX,
    "one source leaves places to others, and who has a place is counted"
);
const _: () = assert!(
    SEQ_WINDOW * 4 <= REPLAY_WINDOW,
    "a client's unanswered frames stay in the replay window"
);
