-- Copies of clients that operators try sign-ins with: for an hour, in no list, and never registered. metadata is JSON; until is Unix seconds.
CREATE TABLE client_twin (
	id       text   NOT NULL PRIMARY KEY,
	of_client text   NOT NULL,
	metadata text   NOT NULL,
	until    bigint NOT NULL
);
CREATE INDEX client_twin_of ON client_twin (of_client, until);

-- Initial access tokens that operators issued (RFC 7591 §3), each a policy of its own. Lists are words with spaces between them, times Unix seconds,
-- ended_at is 0 for one that nobody ended. statement_jwks is empty unless every request needs a software statement by one of its keys.
CREATE TABLE registration_token (
	id             text   NOT NULL PRIMARY KEY,
	name           text   NOT NULL UNIQUE,
	token_sha256   bytea  NOT NULL UNIQUE,
	organisation   text   NOT NULL,
	scopes         text   NOT NULL,
	grant_types    text   NOT NULL,
	profiles       text   NOT NULL,
	max_clients    bigint NOT NULL,
	statement_jwks text   NOT NULL,
	issued_by      text   NOT NULL,
	created_at     bigint NOT NULL,
	until          bigint NOT NULL,
	ended_at       bigint NOT NULL
);

-- The software statement that a client registered itself with (RFC 7591 §2.3), or nothing.
ALTER TABLE client_registration ADD COLUMN statement text NOT NULL DEFAULT '';
