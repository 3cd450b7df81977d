-- What a citizen signed for a service, until the service has had time to fetch it. The result holds the signature certificate, and with
-- it name, address, birth date and sex; it is sealed, bound to the other columns.
CREATE TABLE signature (
	id      TEXT   NOT NULL PRIMARY KEY,
	account TEXT   NOT NULL REFERENCES account (id),
	client  TEXT   NOT NULL,
	made_at BIGINT NOT NULL, -- Unix seconds
	expires BIGINT NOT NULL,
	result  BYTEA  NOT NULL
);

CREATE INDEX signature_expires ON signature (expires);
