-- Introductions are known by their ids, and last as long as both chose (0 until a logout, 1 until one ends them). Those from before
-- have none: the clients that have them say so when they log in next, and they are in force again.
DROP TABLE introduction;
CREATE TABLE introduction (
    a TEXT NOT NULL,
    b TEXT NOT NULL,
    id BLOB NOT NULL,
    term INTEGER NOT NULL,
    PRIMARY KEY (a, b)
) STRICT, WITHOUT ROWID;
ALTER TABLE question ADD COLUMN term INTEGER NOT NULL DEFAULT 0;
-- Notices of them, which had no ids either.
DELETE FROM notice WHERE subject = 2;
