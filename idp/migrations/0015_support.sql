-- Looks of operators at what the hub has of a person. She reads them; what was seen is not kept.
CREATE TABLE support_look (
	id       TEXT   NOT NULL PRIMARY KEY,
	account  TEXT   NOT NULL REFERENCES account (id),
	at_ms    BIGINT NOT NULL,
	operator TEXT   NOT NULL, -- id; shown to nobody but auditors
	role     TEXT   NOT NULL, -- that it took
	way      TEXT   NOT NULL, -- number, subject, audit or end
	why      BYTEA  NOT NULL  -- in the operator's words, sealed; of nothing where way is audit
);
CREATE INDEX support_look_account ON support_look (account, at_ms);
