-- The name of a person in a sector. Random, never changed, never given to anyone else.
CREATE TABLE federation_subject (
	sector     text   NOT NULL,
	account    text   NOT NULL,
	sub        text   NOT NULL,
	created_at bigint NOT NULL,
	PRIMARY KEY (sector, account),
	UNIQUE (sector, sub)
);

-- The connection of a person and a service as it stands now.
CREATE TABLE federation_link (
	account text   NOT NULL,
	client  text   NOT NULL,
	state   text   NOT NULL,
	since   bigint NOT NULL,
	moves   bigint NOT NULL,
	PRIMARY KEY (account, client)
);

-- Every change of a connection; move counts from 1 per connection.
CREATE TABLE federation_link_move (
	account    text   NOT NULL,
	client     text   NOT NULL,
	move       bigint NOT NULL,
	from_state text   NOT NULL,
	to_state   text   NOT NULL,
	actor      text   NOT NULL,
	why        text   NOT NULL,
	moved_at   bigint NOT NULL,
	PRIMARY KEY (account, client, move)
);
