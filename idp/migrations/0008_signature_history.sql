-- That a citizen signed something: for her own list, after the signature itself has been deleted. name is what the document was called,
-- sealed and bound to the other columns; of the document and of the certificate there is nothing here.
CREATE TABLE signature_history (
	id      TEXT   NOT NULL PRIMARY KEY,
	account TEXT   NOT NULL REFERENCES account (id),
	client  TEXT   NOT NULL,
	made_at BIGINT NOT NULL, -- Unix seconds
	name    BYTEA  NOT NULL
);

CREATE INDEX signature_history_account ON signature_history (account, made_at);
CREATE INDEX signature_history_made_at ON signature_history (made_at);
