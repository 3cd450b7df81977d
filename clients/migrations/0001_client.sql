-- One row for each client. version names its newest client_version.
-- status is live or suspended.
-- secret_sha256 is empty for a client without a secret.
-- seed_sha256 is the digest of the seed entry applied last, or empty.
-- Times are Unix seconds.
CREATE TABLE client (
    id            TEXT   NOT NULL PRIMARY KEY,
    version       BIGINT NOT NULL,
    status        TEXT   NOT NULL,
    sector        TEXT   NOT NULL,
    secret_sha256 BYTEA  NOT NULL,
    seed_sha256   BYTEA  NOT NULL,
    created_at    BIGINT NOT NULL,
    changed_at    BIGINT NOT NULL
);

-- Every registration of every client, kept. metadata is JSON.
CREATE TABLE client_version (
    client     TEXT   NOT NULL REFERENCES client (id),
    version    BIGINT NOT NULL,
    metadata   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (client, version)
);

-- One row. stamp changes with every change of client.
CREATE TABLE client_stamp (
    id    BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    stamp BIGINT NOT NULL
);

INSERT INTO client_stamp (id, stamp) VALUES (1, 0);
