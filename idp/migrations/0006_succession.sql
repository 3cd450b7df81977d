-- On which card of the folder another one was tied to it; null for the first.
ALTER TABLE card_binding ADD COLUMN old_issuer_key TEXT;
ALTER TABLE card_binding ADD COLUMN old_serial BYTEA;
-- Unix seconds: until then the card is tied to the folder, and does not open it.
ALTER TABLE card_binding ADD COLUMN opens_at BIGINT NOT NULL DEFAULT 0;

-- Cards that the person said were not hers. The card itself may come to stand for somebody else; what happened here stays to be read.
CREATE TABLE card_undone (
	id         BIGINT NOT NULL PRIMARY KEY, -- random
	account    TEXT   NOT NULL REFERENCES account (id),
	issuer_key TEXT   NOT NULL,
	serial     BYTEA  NOT NULL, -- keyed digest
	kind       TEXT   NOT NULL,
	not_after  BIGINT NOT NULL, -- Unix seconds
	evidence   TEXT   NOT NULL,
	since      BIGINT NOT NULL, -- Unix seconds
	ended_at   BIGINT NOT NULL  -- Unix seconds
);
CREATE INDEX card_undone_account ON card_undone (account);

-- The four attributes of a person who prepared for a renewal: a keyed digest, so that a newer signature certificate can be recognised
-- and nothing can be read.
CREATE TABLE relink_mark (
	account TEXT   NOT NULL PRIMARY KEY REFERENCES account (id),
	digest  BYTEA  NOT NULL,
	since   BIGINT NOT NULL -- Unix seconds
);
CREATE INDEX relink_mark_digest ON relink_mark (digest);
