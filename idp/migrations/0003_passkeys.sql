-- How authenticators know a person (WebAuthn user handle): random, made with the first passkey, and used for nothing else.
CREATE TABLE passkey_owner (
	account TEXT  NOT NULL PRIMARY KEY REFERENCES account (id),
	handle  BYTEA NOT NULL UNIQUE
);

-- Passkeys, with those that were removed: their rows stay for the owner to read. What an authenticator said of itself and the name that
-- its owner gave it are sealed, bound to account and id, so that no row can be moved to another person or be given another key.
CREATE TABLE passkey (
	id              TEXT   NOT NULL PRIMARY KEY, -- random, in the addresses of pages
	account         TEXT   NOT NULL REFERENCES account (id),
	credential      BYTEA  NOT NULL UNIQUE, -- keyed digest of the credential id
	sealed          BYTEA  NOT NULL, -- credential id, public key, AAGUID and transports; empty once it has ended
	name            BYTEA  NOT NULL, -- sealed
	backup_eligible BIGINT NOT NULL, -- 1: may be copied to other devices of its owner
	backed_up       BIGINT NOT NULL, -- 1: was, when it was used last
	counter         BIGINT NOT NULL, -- signature counter; 0: the authenticator has none
	made_at         BIGINT NOT NULL, -- Unix seconds
	used_at         BIGINT,          -- Unix seconds
	suspect_at      BIGINT,          -- Unix seconds: its counter went back, so that there may be a copy
	ended_at        BIGINT           -- Unix seconds: its owner removed it
);
CREATE INDEX passkey_account ON passkey (account);
