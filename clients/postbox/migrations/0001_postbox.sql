-- A box and whose it is, by the person's name at the hub. reported_at is 0 until the hub has heard of it; paused_at is 0 unless the
-- person cut the tie at the hub: then nothing comes in, and what is there is kept until she opens the box again or closes it.
CREATE TABLE postbox_box (
	sub         text   NOT NULL PRIMARY KEY,
	opened_at   bigint NOT NULL,
	reported_at bigint NOT NULL DEFAULT 0,
	paused_at   bigint NOT NULL DEFAULT 0
);

-- A letter. content is sealed with a key derived from the site's credential, bound to id. read_at is 0 until it was opened.
CREATE TABLE postbox_letter (
	id         text   NOT NULL PRIMARY KEY,
	sub        text   NOT NULL REFERENCES postbox_box (sub) ON DELETE CASCADE,
	content    text   NOT NULL,
	arrived_at bigint NOT NULL,
	read_at    bigint NOT NULL DEFAULT 0
);
CREATE INDEX postbox_letter_box ON postbox_letter (sub, arrived_at);

-- Boxes that were closed here and of which the hub has not heard.
CREATE TABLE postbox_closing (
	sub       text   NOT NULL PRIMARY KEY,
	tries     bigint NOT NULL,
	next_at   bigint NOT NULL,
	closed_at bigint NOT NULL
);
