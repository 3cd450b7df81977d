-- One row per event. Rows are never changed and never removed.
CREATE TABLE audit_event (
	seq     bigint NOT NULL PRIMARY KEY, -- from 1, without gaps
	at_us   bigint NOT NULL,             -- Unix microseconds
	kind    text   NOT NULL,
	account text   NOT NULL,
	client  text   NOT NULL,
	session text   NOT NULL,
	actor   text   NOT NULL,
	reason  text   NOT NULL,
	trace   text   NOT NULL,
	facts   text   NOT NULL,             -- JSON object of strings, keys sorted; hashed as it stands here
	prev    bytea  NOT NULL,
	hash    bytea  NOT NULL
);

CREATE INDEX audit_event_account ON audit_event (account, seq) WHERE account <> '';
CREATE INDEX audit_event_kind ON audit_event (kind, seq);

-- Where the log ends. Every append changes this row, which is what serialises them.
CREATE TABLE audit_head (
	id   bigint NOT NULL PRIMARY KEY CHECK (id = 1),
	seq  bigint NOT NULL,
	hash bytea  NOT NULL
);

-- Before the first event: number 0, no hash. Put in once, so that a head that disappears is not made anew.
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '');
