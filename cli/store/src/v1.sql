-- Numbers of 64 bits without a sign stand in the tables as those with a sign that have the same bits.
-- What is counted in `nr` rises with the time at which a row was written.

-- The messages that users do not have yet.
CREATE TABLE mailbox (
    owner TEXT NOT NULL,
    place INTEGER NOT NULL,
    sender TEXT NOT NULL,
    -- As it travels: an item of the family Push.
    message BLOB NOT NULL,
    PRIMARY KEY (owner, place)
) STRICT, WITHOUT ROWID;

-- The last login of each user, and those before it that are the last from a source or with a key.
CREATE TABLE login (
    nr INTEGER PRIMARY KEY,
    user TEXT NOT NULL,
    instance BLOB NOT NULL,
    key BLOB NOT NULL,
    number INTEGER NOT NULL,
    source TEXT NOT NULL,
    address TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX login_user ON login (user);

-- Names whose account was removed at some time, and the first login of a later one since.
CREATE TABLE removed (
    user TEXT PRIMARY KEY,
    first_login INTEGER
) STRICT, WITHOUT ROWID;

-- What each client instance was or will be answered.
CREATE TABLE intake (
    nr INTEGER PRIMARY KEY,
    user TEXT NOT NULL,
    instance BLOB NOT NULL,
    lowest_unanswered INTEGER NOT NULL,
    -- As they travel: items of the family Answer.
    outcomes BLOB NOT NULL,
    UNIQUE (user, instance)
) STRICT;

CREATE TABLE lockout (
    nr INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    -- Empty: locked from everywhere.
    source TEXT NOT NULL,
    address TEXT NOT NULL,
    until INTEGER NOT NULL,
    UNIQUE (name, source)
) STRICT;

CREATE TABLE blacklist (
    owner TEXT NOT NULL,
    blocked TEXT NOT NULL,
    PRIMARY KEY (owner, blocked)
) STRICT, WITHOUT ROWID;

-- Open questions for an address.
CREATE TABLE question (
    asker TEXT NOT NULL,
    asked TEXT NOT NULL,
    state INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (asker, asked)
) STRICT, WITHOUT ROWID;

-- Introductions in force; a is the first name of the two.
CREATE TABLE introduction (
    a TEXT NOT NULL,
    b TEXT NOT NULL,
    PRIMARY KEY (a, b)
) STRICT, WITHOUT ROWID;

-- What a user's client has not been told.
CREATE TABLE notice (
    nr INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    subject INTEGER NOT NULL,
    -- Empty where the subject is nobody.
    about TEXT NOT NULL,
    -- As it travels: an item of the family Push.
    push BLOB NOT NULL
) STRICT;
CREATE INDEX notice_owner ON notice (owner);
