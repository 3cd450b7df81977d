-- An address may get a few letters at once, and then one in a while: full_ms is when it may get as many as at first again.
ALTER TABLE notice_channel RENAME COLUMN last_ms TO full_ms;

-- Browsers that the owner of a folder disowned, by the moment at which they became known to it: no grant made in one counts.
CREATE TABLE browser_disowned (
	account  TEXT   NOT NULL REFERENCES account (id),
	known_ms BIGINT NOT NULL,
	PRIMARY KEY (account, known_ms)
);
