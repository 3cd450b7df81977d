-- What services are told, or could not be told, about sign-outs (OpenID Connect Back-Channel Logout 1.0). A pending row is a
-- promise to try; the others are receipts. batch joins the rows of one sign-out; session is empty when all sessions of the
-- person ended, and sid is the name the client knows a session by, empty for all of the person's at that client.
CREATE TABLE logout_delivery (
	id         text    NOT NULL PRIMARY KEY,
	batch      text    NOT NULL,
	account    text    NOT NULL,
	client     text    NOT NULL,
	session    text    NOT NULL,
	sub        text    NOT NULL,
	sid        text    NOT NULL,
	reason     text    NOT NULL,
	state      text    NOT NULL,
	tries      integer NOT NULL,
	next_ms    bigint  NOT NULL,
	created_at bigint  NOT NULL,
	done_at    bigint
);

CREATE INDEX logout_delivery_due ON logout_delivery (client, next_ms) WHERE state = 'pending';
CREATE INDEX logout_delivery_old ON logout_delivery (created_at) WHERE state = 'pending';
CREATE INDEX logout_delivery_done ON logout_delivery (done_at) WHERE state <> 'pending';
CREATE INDEX logout_delivery_batch ON logout_delivery (batch);
CREATE INDEX logout_delivery_account ON logout_delivery (account, created_at);
