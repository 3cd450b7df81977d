-- Status lists (draft-ietf-oauth-status-list): what a service behind a firewall fetches to learn which sessions ended. A list belongs to
-- one client. From seed follow the positions that stand for nobody; see statusbits.go.
CREATE TABLE status_list (
	id        text   NOT NULL PRIMARY KEY,
	client    text   NOT NULL,
	seed      bytea  NOT NULL,
	opened_at bigint NOT NULL,
	closes_at bigint NOT NULL
);

CREATE INDEX status_list_client ON status_list (client, opened_at);
CREATE INDEX status_list_old ON status_list (closes_at);

-- One session of a person at a client. A position is given once and never again; ended_at is written once and never taken back.
CREATE TABLE status_entry (
	list     text   NOT NULL,
	idx      bigint NOT NULL,
	client   text   NOT NULL,
	account  text   NOT NULL,
	session  text   NOT NULL,
	look_ms  bigint NOT NULL,
	ended_at bigint,
	PRIMARY KEY (list, idx)
);

CREATE UNIQUE INDEX status_entry_live ON status_entry (session, client) WHERE ended_at IS NULL;
CREATE INDEX status_entry_account ON status_entry (account, client) WHERE ended_at IS NULL;
CREATE INDEX status_entry_look ON status_entry (look_ms) WHERE ended_at IS NULL;
CREATE INDEX status_entry_ended ON status_entry (list) WHERE ended_at IS NOT NULL;
