-- Who may sit at the desk, by the name that the hub gives this office.
CREATE TABLE agency_staff (
	sub      text   NOT NULL PRIMARY KEY,
	since_at bigint NOT NULL
);

-- Codes that make somebody staff, once; only their digests are here.
CREATE TABLE agency_invitation (
	digest     text   NOT NULL PRIMARY KEY,
	expires_at bigint NOT NULL,
	used_at    bigint NOT NULL DEFAULT 0
);

-- What a citizen applied for. content is sealed with a key derived from the office's credential, bound to id.
CREATE TABLE agency_application (
	id      text   NOT NULL PRIMARY KEY,
	sub     text   NOT NULL,
	receipt text   NOT NULL UNIQUE,
	content text   NOT NULL,
	made_at bigint NOT NULL
);

-- One application of each citizen: the form sent twice makes one.
CREATE UNIQUE INDEX agency_application_one ON agency_application (sub);

-- What this office asks others about an application: one row for each item, whoever presses the button how often. state is waiting,
-- answered or refused. Whoever works on a row holds it until held_until; next_at is when the next try is due. token is the exchanged
-- token, sealed, good until token_until; answer is sealed, bound to case_id and item.
CREATE TABLE agency_inquiry (
	case_id     text   NOT NULL REFERENCES agency_application (id),
	item        text   NOT NULL,
	state       text   NOT NULL CHECK (state IN ('waiting', 'answered', 'refused')),
	reason      text   NOT NULL DEFAULT '',
	asked_by    text   NOT NULL,
	asked_at    bigint NOT NULL,
	tries       bigint NOT NULL DEFAULT 0,
	held_until  bigint NOT NULL DEFAULT 0,
	next_at     bigint NOT NULL,
	exchange_id text   NOT NULL DEFAULT '',
	token       text   NOT NULL DEFAULT '',
	token_until bigint NOT NULL DEFAULT 0,
	result      text   NOT NULL DEFAULT '',
	answer      text   NOT NULL DEFAULT '',
	settled_at  bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (case_id, item)
);
CREATE INDEX agency_inquiry_due ON agency_inquiry (next_at) WHERE state = 'waiting';

-- What this office knows of a person, by a keyed digest of the number that it gave her. content is sealed, bound to number.
CREATE TABLE agency_record (
	number  text   NOT NULL PRIMARY KEY,
	content text   NOT NULL,
	made_at bigint NOT NULL
);

-- Whose record it is, by the name that the hub gives this office.
CREATE TABLE agency_tie (
	sub     text   NOT NULL PRIMARY KEY,
	number  text   NOT NULL UNIQUE REFERENCES agency_record (number),
	tied_at bigint NOT NULL
);

-- What was answered to other offices, once for each exchange, and whether the hub has confirmed hearing of it. Nobody's name is here.
CREATE TABLE agency_provision (
	exchange_id   text   NOT NULL PRIMARY KEY,
	requester     text   NOT NULL,
	item          text   NOT NULL,
	result        text   NOT NULL CHECK (result IN ('provided', 'none', 'refused')),
	nondisclosure bigint NOT NULL,
	made_at       bigint NOT NULL,
	confirmed_at  bigint NOT NULL DEFAULT 0,
	given_up      text   NOT NULL DEFAULT '',
	tries         bigint NOT NULL DEFAULT 0,
	next_at       bigint NOT NULL
);
CREATE INDEX agency_provision_due ON agency_provision (next_at) WHERE confirmed_at = 0 AND given_up = '';
