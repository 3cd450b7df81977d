-- Streams of security events (OpenID Shared Signals Framework 1.0) and what waits in them. A client has one stream at most.
CREATE TABLE signal_stream (
	id            text   NOT NULL PRIMARY KEY,
	client        text   NOT NULL UNIQUE,
	method        text   NOT NULL, -- push, poll
	endpoint      text   NOT NULL, -- empty for poll
	credential    bytea  NOT NULL, -- sealed: the value of the Authorization header for push; empty: none
	requested     text   NOT NULL, -- event types, space separated
	description   text   NOT NULL,
	status        text   NOT NULL, -- enabled, paused, disabled
	reason        text   NOT NULL,
	created_at    bigint NOT NULL,
	seen_at       bigint NOT NULL, -- when its receiver was last heard of
	verified_ms   bigint NOT NULL  -- when a verification was last asked for
);

-- The people whom a receiver does not want to hear of.
CREATE TABLE signal_exclusion (
	stream  text   NOT NULL,
	account text   NOT NULL,
	since   bigint NOT NULL,
	PRIMARY KEY (stream, account)
);

-- A pending row is a promise to tell; the others are kept a while for operators. id is the jti. body is sealed: the subject, the
-- event and when it happened. delivery names the receipt of a sign-out that this event confirms. always: also while the stream is
-- not enabled.
CREATE TABLE signal_event (
	id         text    NOT NULL PRIMARY KEY,
	stream     text    NOT NULL,
	type       text    NOT NULL,
	account    text    NOT NULL, -- empty for events about the stream itself
	body       bytea   NOT NULL,
	delivery   text    NOT NULL,
	always     integer NOT NULL,
	state      text    NOT NULL, -- pending, told, refused, failed
	reason     text    NOT NULL, -- a word, of the receiver that refused
	tries      integer NOT NULL,
	next_ms    bigint  NOT NULL,
	created_ms bigint  NOT NULL,
	done_at    bigint
);

CREATE INDEX signal_event_queue ON signal_event (stream, created_ms) WHERE state = 'pending';
CREATE INDEX signal_event_due ON signal_event (next_ms) WHERE state = 'pending';
CREATE INDEX signal_event_done ON signal_event (done_at) WHERE state <> 'pending';
