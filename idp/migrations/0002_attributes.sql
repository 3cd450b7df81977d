-- What is known of a person beyond the card: one row for one thing from one source. The value is sealed, bound to the other columns.
CREATE TABLE attribute (
	account    TEXT   NOT NULL REFERENCES account (id),
	name       TEXT   NOT NULL, -- of the closed list
	source     TEXT   NOT NULL, -- who says so: self
	value      BYTEA  NOT NULL,
	changed_at BIGINT NOT NULL, -- Unix seconds
	PRIMARY KEY (account, name, source)
);

-- When a person's attributes changed last, Unix seconds; a removal leaves no row to tell. 0: never.
ALTER TABLE account ADD COLUMN attributes_changed_at BIGINT NOT NULL DEFAULT 0;
