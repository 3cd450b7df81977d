-- A person's folder (利用者フォルダ). The id is internal: no service ever sees it.
CREATE TABLE account (
	id            TEXT   NOT NULL PRIMARY KEY,
	opened_at     BIGINT NOT NULL, -- Unix seconds
	terms         TEXT   NOT NULL, -- version of the terms agreed to
	ended_before  BIGINT NOT NULL  -- Unix milliseconds: every session and grant made up to then is over
);

-- Which certificates stand for which person, with history. The serial is a keyed digest.
CREATE TABLE card_binding (
	issuer_key TEXT   NOT NULL,
	serial     BYTEA  NOT NULL,
	account    TEXT   NOT NULL REFERENCES account (id),
	kind       TEXT   NOT NULL, -- card or phone
	not_after  BIGINT NOT NULL, -- Unix seconds
	evidence   TEXT   NOT NULL, -- what the binding rests on: opened
	since      BIGINT NOT NULL, -- Unix seconds
	PRIMARY KEY (issuer_key, serial)
);
CREATE INDEX card_binding_account ON card_binding (account);

-- What a person agreed to hand to a service. A row is never reused: agreeing again after an end is a new row.
CREATE TABLE consent (
	id         BIGINT NOT NULL PRIMARY KEY, -- random
	account    TEXT   NOT NULL REFERENCES account (id),
	client     TEXT   NOT NULL,
	scopes     TEXT   NOT NULL, -- space separated, sorted
	granted_at BIGINT NOT NULL, -- Unix seconds, of the newest widening
	ended_at   BIGINT           -- Unix seconds
);
CREATE UNIQUE INDEX consent_live ON consent (account, client) WHERE ended_at IS NULL;
