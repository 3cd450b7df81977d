-- A person whose exchanges are kept from her page, whoever asks, until an office's protection of her ends: one row of each office that
-- knows a ground. What was asked meanwhile stays withheld.
CREATE TABLE exchange_protection (
	account  text     NOT NULL,
	office   text     NOT NULL,
	ground   smallint NOT NULL,
	until_ms bigint   NOT NULL,
	PRIMARY KEY (account, office)
);

CREATE INDEX exchange_protection_until ON exchange_protection (until_ms);

-- The ground of her protection at the time, beside hidden_requester and hidden_provider.
ALTER TABLE exchange_record ADD COLUMN hidden_person smallint NOT NULL DEFAULT 0;
