-- The four attributes of a person as her signature certificate stated them when she had the card confirm them, with what is needed to ask
-- whether that certificate still counts. One record, so that no two certificates mix. Sealed, bound to the other columns.
CREATE TABLE attestation (
	account TEXT  NOT NULL PRIMARY KEY REFERENCES account (id),
	source  TEXT  NOT NULL, -- who says so: jpki-sign
	record  BYTEA NOT NULL
);
