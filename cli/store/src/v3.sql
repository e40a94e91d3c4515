-- Messages that expired and of which their authors have not been told yet, by recipient.
CREATE TABLE expired (
    author TEXT NOT NULL,
    recipient TEXT NOT NULL,
    -- As it travels: an item of the family Push.
    word BLOB NOT NULL,
    PRIMARY KEY (author, recipient)
) STRICT, WITHOUT ROWID;

-- As before, in the order of the removals, so that the oldest can be forgotten.
ALTER TABLE removed RENAME TO removed_before;
CREATE TABLE removed (
    nr INTEGER PRIMARY KEY,
    user TEXT NOT NULL UNIQUE,
    first_login INTEGER
) STRICT;
INSERT INTO removed (user, first_login) SELECT user, first_login FROM removed_before;
DROP TABLE removed_before;
