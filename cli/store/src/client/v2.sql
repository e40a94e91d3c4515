-- The sealed mails at the server with messages that wait: the wish that each is, and the last message in it. Each has those after the
-- one before.
CREATE TABLE mail (
    wish INTEGER PRIMARY KEY,
    peer TEXT NOT NULL,
    through INTEGER NOT NULL
) STRICT;
CREATE INDEX mail_peer ON mail (peer);
