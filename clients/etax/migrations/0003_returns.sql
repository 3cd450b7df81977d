-- A tax return of an account: a draft until filed_at is set, and from then on what was filed, for good. figures, document and signature
-- are sealed with a key derived from the site's credential, bound to id. asked is the hub's identifier of the signature that was made last
-- and not filed yet; it is written before the signature is fetched.
CREATE TABLE etax_return (
	id        text   NOT NULL PRIMARY KEY,
	number    text   NOT NULL REFERENCES etax_account (number),
	figures   text   NOT NULL,
	document  text   NOT NULL,
	made_at   bigint NOT NULL,
	asked     text   NOT NULL DEFAULT '',
	filed_at  bigint NOT NULL DEFAULT 0,
	receipt   text   NOT NULL DEFAULT '',
	signature text   NOT NULL DEFAULT ''
);

-- One draft for each account.
CREATE UNIQUE INDEX etax_return_draft ON etax_return (number) WHERE filed_at = 0;
CREATE UNIQUE INDEX etax_return_receipt ON etax_return (receipt) WHERE filed_at <> 0;
