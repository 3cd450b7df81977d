-- Searches give the newest first, within a period: every index ends in time and number.
DROP INDEX audit_event_account;
DROP INDEX audit_event_kind;
CREATE INDEX audit_event_at ON audit_event (at_us, seq);
CREATE INDEX audit_event_kind ON audit_event (kind, at_us, seq);
CREATE INDEX audit_event_account ON audit_event (account, at_us, seq) WHERE account <> '';
CREATE INDEX audit_event_client ON audit_event (client, at_us, seq) WHERE client <> '';
CREATE INDEX audit_event_actor ON audit_event (actor, at_us, seq) WHERE actor <> '';
CREATE INDEX audit_event_trace ON audit_event (trace, at_us, seq) WHERE trace <> '';

-- Signed statements of where the log stood. None is ever removed, and each names the one before, so that one that is gone is missed.
CREATE TABLE audit_checkpoint (
	seq   bigint NOT NULL PRIMARY KEY, -- of the last row that it covers
	prev  bigint NOT NULL UNIQUE,      -- seq of the checkpoint before; 0: it is the first
	at_us bigint NOT NULL,
	hash  bytea  NOT NULL,             -- of that row
	jws   text   NOT NULL,             -- what others keep
	proof bytea  NOT NULL              -- keyed digest of all of it; the key is not in this database
);

-- Where the log begins: what was kept long enough is taken out as a whole prefix that ends at a checkpoint.
CREATE TABLE audit_base (
	id    bigint NOT NULL PRIMARY KEY CHECK (id = 1),
	seq   bigint NOT NULL, -- of the last row that was taken out; 0: none
	hash  bytea  NOT NULL, -- its hash, which the first row that is there follows
	proof bytea  NOT NULL  -- keyed digest of both
);

INSERT INTO audit_base (id, seq, hash, proof) VALUES (1, 0, '', '');
