-- Who works here. A person has an account once she has taken up her invitation; a program is one by the client it is registered as.
CREATE TABLE admin_operator (
	id           text    NOT NULL PRIMARY KEY,
	name         text    NOT NULL,
	roles        text    NOT NULL, -- words, with spaces between
	organisation text    NOT NULL, -- whose services are all that she sees; empty: all
	account      text,
	client       text,
	suspended    boolean NOT NULL,
	code         bytea,            -- SHA-256 of the invitation; NULL once it is taken up
	code_until   bigint  NOT NULL,
	since        bigint  NOT NULL,
	last_seen    bigint  NOT NULL, -- to the hour
	UNIQUE (account),
	UNIQUE (client),
	UNIQUE (code)
);

-- One row. Whoever changes operators writes it first, so that one waits for the other.
CREATE TABLE admin_lock (
	id    integer NOT NULL PRIMARY KEY CHECK (id = 1),
	turns bigint  NOT NULL
);
INSERT INTO admin_lock (id, turns) VALUES (1, 0);
