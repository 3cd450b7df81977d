-- state: announced | active | retired. A key that is gone has no row.
-- sealed: PKCS #8 of the private key; PKIX of the public key once retired.
-- changed_at: Unix seconds at which the state was entered.
CREATE TABLE signing_key (
    kid        TEXT   NOT NULL PRIMARY KEY,
    alg        TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    sealed     BYTEA  NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX signing_key_active ON signing_key (alg) WHERE state = 'active';
CREATE UNIQUE INDEX signing_key_announced ON signing_key (alg) WHERE state = 'announced';

-- One row. stamp changes with every change of signing_key.
CREATE TABLE signing_key_stamp (
    id    BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    stamp BIGINT NOT NULL
);

INSERT INTO signing_key_stamp (id, stamp) VALUES (1, 0);
