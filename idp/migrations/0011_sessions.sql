-- The services that were entered in a session and have not been told of its end: what is left of a session that ended by itself. A row is
-- there before the session names the service, and goes in the transaction that promises to tell it, or that it was told without an end.
CREATE TABLE session_service (
	session TEXT   NOT NULL,
	client  TEXT   NOT NULL,
	account TEXT   NOT NULL REFERENCES account (id),
	ends_ms BIGINT NOT NULL, -- Unix milliseconds: when to look whether the session has ended
	PRIMARY KEY (session, client)
);
CREATE INDEX session_service_ends ON session_service (ends_ms);

-- What a person chose for her own sign-ins. A row says yes.
CREATE TABLE session_choice (
	account TEXT   NOT NULL REFERENCES account (id),
	client  TEXT   NOT NULL, -- empty: all services
	rule    TEXT   NOT NULL, -- always_card, or apart
	since   BIGINT NOT NULL, -- Unix seconds
	PRIMARY KEY (account, client, rule)
);
