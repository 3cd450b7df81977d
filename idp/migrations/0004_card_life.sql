-- What became of a card, and what is needed to ask the authority about it again. handle is sealed and bound to the other columns.
ALTER TABLE card_binding ADD COLUMN handle BYTEA;
ALTER TABLE card_binding ADD COLUMN ended_at BIGINT; -- Unix seconds
ALTER TABLE card_binding ADD COLUMN end_reason TEXT; -- why it ended: revoked
ALTER TABLE card_binding ADD COLUMN revoked TEXT;    -- the authority's reason (RFC 5280 §5.3.1), as long as it stands by it
-- Unix milliseconds: every session that the card made up to then is over, and what hangs on it.
ALTER TABLE card_binding ADD COLUMN cut_ms BIGINT NOT NULL DEFAULT 0;

-- Cards that sessions rest on, to be asked about again until those are over. A process that works on a row has put next_ms off and
-- written its claim; of all who find the card revoked, the one that deletes the row ends the sessions.
CREATE TABLE card_watch (
	issuer_key TEXT   NOT NULL,
	serial     BYTEA  NOT NULL,
	account    TEXT   NOT NULL REFERENCES account (id),
	until      BIGINT NOT NULL, -- Unix seconds: the last of the sessions is over
	next_ms    BIGINT NOT NULL, -- Unix milliseconds
	checked_ms BIGINT NOT NULL, -- Unix milliseconds: when the authority last stood by the card
	silent     BIGINT NOT NULL, -- how many questions in a row had no answer
	claim      TEXT   NOT NULL, -- of the process at work, or empty
	PRIMARY KEY (issuer_key, serial)
);
CREATE INDEX card_watch_due ON card_watch (next_ms);
