-- The card in whose session a passkey was added: it ends with a card that may have been in wrong hands. Null: added before this was kept.
ALTER TABLE passkey ADD COLUMN issuer_key TEXT;
ALTER TABLE passkey ADD COLUMN serial BYTEA;

-- What one process works on, among millions of rows that nobody does.
CREATE INDEX card_watch_claim ON card_watch (claim) WHERE claim <> '';
