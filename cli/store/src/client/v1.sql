-- Numbers of 64 bits without a sign stand in the tables as those with a sign that have the same bits.
-- What is counted in `nr` rises with the time at which a row was written.

-- Which client this is, and the next numbers of its wishes and of its private messages: one row.
CREATE TABLE client (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    instance BLOB NOT NULL,
    next_wish INTEGER NOT NULL,
    next_private INTEGER NOT NULL
) STRICT;

-- What the user wished of the server and has no answer to.
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    -- As it travels: an item of the family Request.
    wish BLOB NOT NULL,
    -- Whether it was a yes to an introduction that has come already.
    is_fulfilled INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Private messages that their peers do not have.
CREATE TABLE waiting (
    seq INTEGER PRIMARY KEY,
    peer TEXT NOT NULL,
    -- As it travels: an item of the family PeerPush.
    message BLOB NOT NULL
) STRICT;
CREATE INDEX waiting_peer ON waiting (peer);

-- The highest number that is shown of each client, those heard of last at the end.
CREATE TABLE shown (
    nr INTEGER PRIMARY KEY,
    route INTEGER NOT NULL,
    author TEXT NOT NULL,
    instance BLOB NOT NULL,
    seq INTEGER NOT NULL,
    UNIQUE (author, route, instance)
) STRICT;

-- The address book.
CREATE TABLE peer (
    name TEXT PRIMARY KEY,
    introduction BLOB NOT NULL,
    key BLOB NOT NULL,
    -- Addresses with ports, with blanks between them, the likeliest first.
    candidates TEXT NOT NULL,
    -- 0 until a logout, 1 until one ends it.
    term INTEGER NOT NULL,
    -- Whether they are logged in from another client.
    is_elsewhere INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- The last key of those who have no mark, whoever was met last at the end.
CREATE TABLE met (
    nr INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    key BLOB NOT NULL
) STRICT;

-- The keys that the user has compared.
CREATE TABLE verified (
    name TEXT PRIMARY KEY,
    key BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Introductions that the user has agreed to and that have not come.
CREATE TABLE consent (
    nr INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    introductions INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT;

-- The history: what was shown, and what the user wrote, in that order.
CREATE TABLE message (
    nr INTEGER PRIMARY KEY,
    -- With whom; empty for what is to everybody.
    conversation TEXT NOT NULL,
    -- Empty for the user's own.
    author TEXT NOT NULL,
    route INTEGER NOT NULL,
    at INTEGER NOT NULL,
    text TEXT NOT NULL,
    -- Of the user's own: its number on its route, where it stands, and what the server said of it.
    seq INTEGER,
    state INTEGER,
    -- As it travels: an item of the family Answer.
    outcome BLOB
) STRICT;
CREATE INDEX message_conversation ON message (conversation, nr);
CREATE INDEX message_own ON message (seq) WHERE seq IS NOT NULL;
CREATE INDEX message_waiting ON message (state) WHERE state = 0;

-- How far the user has seen each conversation.
CREATE TABLE seen (
    conversation TEXT PRIMARY KEY,
    through INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The words of the history.
CREATE VIRTUAL TABLE word USING fts5(
    text, content = 'message', content_rowid = 'nr', tokenize = 'unicode61 remove_diacritics 2'
);
