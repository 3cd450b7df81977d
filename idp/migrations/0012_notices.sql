-- What a citizen is told happened to her folder. facts (device, way of signing in) and evidence (of a session that she said was not hers) are
-- sealed and bound to the row.
CREATE TABLE notice (
	id          TEXT   NOT NULL PRIMARY KEY,
	account     TEXT   NOT NULL REFERENCES account (id),
	word        TEXT   NOT NULL,           -- what happened, of a closed set
	client      TEXT   NOT NULL,           -- the service concerned; empty: none
	session     TEXT   NOT NULL,           -- the session it happened in; empty: none
	created_ms  BIGINT NOT NULL,
	seen        BIGINT NOT NULL DEFAULT 0, -- 1: she said that she read it
	facts       BYTEA  NOT NULL,
	name        TEXT   NOT NULL,           -- digest of the name that the link has; empty: no link
	disowned_at BIGINT,                    -- she said "this was not me"
	settled     BIGINT NOT NULL DEFAULT 1, -- 0: the session of a disowned notice is still to be ended
	evidence    BYTEA
);

CREATE INDEX notice_account ON notice (account, created_ms);
CREATE INDEX notice_created ON notice (created_ms);
CREATE UNIQUE INDEX notice_name ON notice (name) WHERE name <> '';
CREATE INDEX notice_unsettled ON notice (disowned_at) WHERE settled = 0;

-- Where a citizen wants to be told. The address is sealed and bound to the row, and goes with it.
CREATE TABLE notice_channel (
	id           TEXT   NOT NULL PRIMARY KEY,
	account      TEXT   NOT NULL REFERENCES account (id),
	via          TEXT   NOT NULL,           -- mail, webhook
	live         BIGINT NOT NULL DEFAULT 0, -- 1: the address has been confirmed
	address      BYTEA  NOT NULL,
	kinds        TEXT   NOT NULL,           -- what to tell, words with spaces between them
	lang         TEXT   NOT NULL,
	made_at      BIGINT NOT NULL,
	last_ms      BIGINT NOT NULL DEFAULT 0  -- for when the latest letter was planned
);

CREATE UNIQUE INDEX notice_channel_account ON notice_channel (account, via, live);

-- The outbox. A letter is open while it collects notices, pending from the first try on, then sent or failed.
CREATE TABLE notice_letter (
	id         TEXT   NOT NULL PRIMARY KEY,
	account    TEXT   NOT NULL,
	channel    TEXT   NOT NULL,  -- empty: to an address that was given up just now
	via        TEXT   NOT NULL,
	sort       TEXT   NOT NULL,  -- notices, confirm, changed
	lang       TEXT   NOT NULL,
	address    BYTEA  NOT NULL,  -- sealed; empty once the letter is sent or failed
	state      TEXT   NOT NULL,
	tries      BIGINT NOT NULL DEFAULT 0,
	next_ms    BIGINT NOT NULL,
	created_ms BIGINT NOT NULL,
	done_ms    BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX notice_letter_due ON notice_letter (via, next_ms) WHERE state IN ('open', 'pending');
CREATE UNIQUE INDEX notice_letter_open ON notice_letter (channel) WHERE state = 'open';
CREATE INDEX notice_letter_channel ON notice_letter (channel, created_ms);
CREATE INDEX notice_letter_done ON notice_letter (done_ms) WHERE state IN ('sent', 'failed');

CREATE TABLE notice_content (
	letter TEXT NOT NULL,
	notice TEXT NOT NULL,
	PRIMARY KEY (letter, notice)
);

-- Sessions that their owner disowned: no grant that was made in one counts, with offline access or without.
CREATE TABLE session_disowned (
	session TEXT   NOT NULL PRIMARY KEY,
	at_ms   BIGINT NOT NULL
);

-- Browsers that were marked as known before this moment are new again.
ALTER TABLE account ADD COLUMN known_ms BIGINT NOT NULL DEFAULT 0;
