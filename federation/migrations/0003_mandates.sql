-- What one person lets another do in her name, as it stands now. representative is empty until somebody accepted; code is the keyed digest
-- of the invitation, and null once it was accepted or ended. name and note are sealed. number is what the two compare, misses how often it
-- was not the same. Times are Unix seconds.
CREATE TABLE federation_mandate (
	id             text    NOT NULL PRIMARY KEY,
	principal      text    NOT NULL,
	representative text    NOT NULL,
	state          text    NOT NULL,
	since          bigint  NOT NULL,
	moves          bigint  NOT NULL,
	made_at        bigint  NOT NULL,
	answer_by      bigint  NOT NULL,
	until_at       bigint  NOT NULL,
	used_at        bigint  NOT NULL,
	code           bytea   UNIQUE,
	number         text    NOT NULL,
	misses         integer NOT NULL,
	name           bytea   NOT NULL,
	note           bytea   NOT NULL
);

CREATE INDEX federation_mandate_principal ON federation_mandate (principal, made_at);
CREATE INDEX federation_mandate_representative ON federation_mandate (representative, made_at);
CREATE INDEX federation_mandate_over ON federation_mandate (until_at) WHERE state <> 'ended';

-- The services a mandate is for. They never change: another choice is another mandate.
CREATE TABLE federation_mandate_service (
	mandate text NOT NULL REFERENCES federation_mandate (id),
	client  text NOT NULL,
	PRIMARY KEY (mandate, client)
);

-- Every change of a mandate; move counts from 1.
CREATE TABLE federation_mandate_move (
	mandate    text   NOT NULL REFERENCES federation_mandate (id),
	move       bigint NOT NULL,
	from_state text   NOT NULL,
	to_state   text   NOT NULL,
	actor      text   NOT NULL,
	why        text   NOT NULL,
	moved_at   bigint NOT NULL,
	PRIMARY KEY (mandate, move)
);

-- When the representative entered a service in the person's name: what she is shown, and whom to tell when the mandate ends. session is
-- the representative's session at the hub, sid the name by which the service knows it.
CREATE TABLE federation_mandate_use (
	id      text   NOT NULL PRIMARY KEY,
	mandate text   NOT NULL REFERENCES federation_mandate (id),
	client  text   NOT NULL,
	session text   NOT NULL,
	sid     text   NOT NULL,
	used_at bigint NOT NULL
);

CREATE INDEX federation_mandate_use_of ON federation_mandate_use (mandate, used_at);
