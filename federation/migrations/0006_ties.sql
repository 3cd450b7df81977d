-- What both sides of a connection agree about. tie is the service's own name for the act in which it tied the person's subject to an
-- account; seq counts the moves of all connections of a client, in the order in which they were committed; linked_seq is that of the move
-- that made this tie, 0 if there was never one; affirmed is the last census in which the service named the tie.
ALTER TABLE federation_link ADD COLUMN tie text NOT NULL DEFAULT '';
ALTER TABLE federation_link ADD COLUMN seq bigint NOT NULL DEFAULT 0;
ALTER TABLE federation_link ADD COLUMN linked_seq bigint NOT NULL DEFAULT 0;
ALTER TABLE federation_link ADD COLUMN affirmed bigint NOT NULL DEFAULT 0;

-- mark is random: a service that names a seq with another mark knows a history that is not this one.
ALTER TABLE federation_link_move ADD COLUMN tie text NOT NULL DEFAULT '';
ALTER TABLE federation_link_move ADD COLUMN seq bigint NOT NULL DEFAULT 0;
ALTER TABLE federation_link_move ADD COLUMN mark text NOT NULL DEFAULT '';

UPDATE federation_link SET seq = (SELECT count(*) FROM federation_link o WHERE o.client = federation_link.client AND o.account <= federation_link.account);
UPDATE federation_link SET linked_seq = seq WHERE state IN ('linked', 'broken', 'ended');
UPDATE federation_link_move SET mark = 'first', seq = COALESCE((SELECT l.seq FROM federation_link l
	WHERE l.account = federation_link_move.account AND l.client = federation_link_move.client AND l.moves = federation_link_move.move), 0);

CREATE UNIQUE INDEX federation_link_seq ON federation_link (client, seq);
CREATE UNIQUE INDEX federation_link_move_seq ON federation_link_move (client, seq) WHERE seq > 0;
CREATE INDEX federation_link_since ON federation_link (client, since) WHERE state = 'linked';

-- The next seq of each client. Whoever moves a connection holds this row until the commit: no number is seen before a smaller one.
CREATE TABLE federation_link_clock (
	client text   NOT NULL PRIMARY KEY,
	seq    bigint NOT NULL
);
INSERT INTO federation_link_clock (client, seq) SELECT client, MAX(seq) FROM federation_link GROUP BY client;

-- A service goes through all its ties. seq is taken from the clock when it begins.
CREATE TABLE federation_census (
	client   text   NOT NULL,
	seq      bigint NOT NULL,
	mark     text   NOT NULL,
	began_at bigint NOT NULL,
	ended_at bigint,
	PRIMARY KEY (client, seq)
);
