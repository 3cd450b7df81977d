-- Ties that ended, here or at the hub. told_at is 0 until the hub knows. They are kept for as long as somebody may restore a backup from
-- before the end. An end that the hub has not heard of yet is found again when the two sides are compared.
CREATE TABLE tie_ended (
	sub     text   NOT NULL,
	tie     text   NOT NULL,
	tries   bigint NOT NULL,
	next_at bigint NOT NULL,
	made_at bigint NOT NULL,
	told_at bigint NOT NULL,
	PRIMARY KEY (sub, tie)
);
CREATE INDEX tie_ended_due ON tie_ended (next_at) WHERE told_at = 0;

-- How far the hub's changes were read, and when that is due next, and the census of all ties. One process at a time takes a turn by moving its
-- time on. There is one row.
CREATE TABLE tie_turn (
	id        bigint NOT NULL PRIMARY KEY,
	seen      text   NOT NULL,
	follow_at bigint NOT NULL,
	census_at bigint NOT NULL
);
INSERT INTO tie_turn (id, seen, follow_at, census_at) VALUES (1, '', 0, 0);
