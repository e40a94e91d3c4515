-- The only client that gets a message, if it is a sealed mail for the client with this key.
ALTER TABLE mailbox ADD COLUMN key BLOB;
