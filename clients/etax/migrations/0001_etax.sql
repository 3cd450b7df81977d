-- An account of this service: a 16-digit number and the hash of its password.
CREATE TABLE etax_account (
	number   text   NOT NULL PRIMARY KEY,
	password text   NOT NULL,
	made_at  bigint NOT NULL
);

-- Which account a person at the hub is tied to. reported_at is 0 until the hub has heard of it; seen_at and before_at are the
-- last two logins.
CREATE TABLE etax_binding (
	sub         text   NOT NULL PRIMARY KEY,
	number      text   NOT NULL UNIQUE REFERENCES etax_account (number),
	bound_at    bigint NOT NULL,
	reported_at bigint NOT NULL,
	seen_at     bigint NOT NULL,
	before_at   bigint NOT NULL
);

-- Endings the hub has not heard of. The token is all that is left of the session in which the person ended the tie.
CREATE TABLE etax_ending (
	sub     text   NOT NULL PRIMARY KEY,
	refresh text   NOT NULL,
	tries   bigint NOT NULL,
	next_at bigint NOT NULL,
	made_at bigint NOT NULL
);
