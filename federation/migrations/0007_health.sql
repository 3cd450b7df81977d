-- Whether the launch of a service works, and since when. next_ms is when it is tried next; who moves it on makes the try. Nobody knows any more after
-- good_ms.
CREATE TABLE federation_health (
	client   text   NOT NULL PRIMARY KEY,
	health   text   NOT NULL,
	since    bigint NOT NULL,
	failures bigint NOT NULL,
	next_ms  bigint NOT NULL,
	good_ms  bigint NOT NULL
);
