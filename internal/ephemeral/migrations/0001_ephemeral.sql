-- Records have a value and a version; counters have a count and an empty value.
CREATE TABLE ephemeral (
	key        text   NOT NULL PRIMARY KEY,
	value      bytea  NOT NULL,
	version    bigint NOT NULL,
	count      bigint NOT NULL,
	expires_ms bigint NOT NULL
);

-- For the sweep. Not for reading: every read goes by key.
CREATE INDEX ephemeral_expires ON ephemeral (expires_ms);
