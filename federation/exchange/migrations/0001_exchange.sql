-- A set of legal bases: proposed by one person, approved by another. approved_by is empty until then.
CREATE TABLE exchange_set (
	version     bigint NOT NULL PRIMARY KEY,
	digest      text   NOT NULL,
	bases       bigint NOT NULL,
	proposed_by text   NOT NULL,
	proposed_ms bigint NOT NULL,
	approved_by text   NOT NULL,
	approved_ms bigint NOT NULL,
	from_ms     bigint NOT NULL,
	until_ms    bigint NOT NULL
);

-- One basis: this office may ask that one for this item, for this procedure. until_ms is the first moment after it.
CREATE TABLE exchange_basis (
	version    bigint NOT NULL,
	basis      text   NOT NULL,
	requester  text   NOT NULL,
	purpose    text   NOT NULL,
	purpose_ja text   NOT NULL,
	purpose_en text   NOT NULL,
	provider   text   NOT NULL,
	item       text   NOT NULL,
	item_ja    text   NOT NULL,
	item_en    text   NOT NULL,
	from_ms    bigint NOT NULL,
	until_ms   bigint NOT NULL,
	law        text   NOT NULL,
	PRIMARY KEY (version, basis)
);

CREATE INDEX exchange_basis_name ON exchange_basis (basis, requester);

-- One request for an item about a person, allowed or refused. account is empty where the name was nobody's; version is 0 and provider
-- empty where there is none. The names of the offices are those of the day. hidden_* are grounds for non-disclosure: 0, 1 or 2.
CREATE TABLE exchange_record (
	id               text     NOT NULL PRIMARY KEY,
	account          text     NOT NULL,
	requested_ms     bigint   NOT NULL,
	deadline_ms      bigint   NOT NULL,
	requester        text     NOT NULL,
	requester_body   text     NOT NULL,
	requester_ja     text     NOT NULL,
	requester_en     text     NOT NULL,
	provider         text     NOT NULL,
	provider_body    text     NOT NULL,
	provider_ja      text     NOT NULL,
	provider_en      text     NOT NULL,
	basis            text     NOT NULL,
	version          bigint   NOT NULL,
	purpose          text     NOT NULL,
	item             text     NOT NULL,
	outcome          text     NOT NULL,
	reason           text     NOT NULL,
	answered_ms      bigint   NOT NULL,
	hidden_requester smallint NOT NULL,
	hidden_provider  smallint NOT NULL
);

CREATE INDEX exchange_record_account ON exchange_record (account, requested_ms, id);
CREATE INDEX exchange_record_asked ON exchange_record (account, requester_body, requested_ms, id);
CREATE INDEX exchange_record_given ON exchange_record (account, provider_body, requested_ms, id);
CREATE INDEX exchange_record_item ON exchange_record (account, item, requested_ms, id);
CREATE INDEX exchange_record_old ON exchange_record (requested_ms);
