-- The secrets of a client: several may be good at once. ends_at is 0 for one that is good until a next one replaces it. used_at is when
-- it was good for something last, to the hour; reminded is how often somebody was promised to hear that it ends.
CREATE TABLE client_secret (
    id         TEXT   NOT NULL PRIMARY KEY,
    client     TEXT   NOT NULL REFERENCES client (id),
    digest     BYTEA  NOT NULL,
    made_by    TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    reminded   BIGINT NOT NULL
);

CREATE INDEX client_secret_client ON client_secret (client);
CREATE INDEX client_secret_ends ON client_secret (ends_at) WHERE ends_at > 0;

INSERT INTO client_secret (id, client, digest, made_by, created_at, ends_at, used_at, reminded)
    SELECT 's-' || id, id, secret_sha256, 'seed', changed_at, 0, 0, 0 FROM client WHERE length(secret_sha256) > 0;
ALTER TABLE client DROP COLUMN secret_sha256;

-- What an organisation is to be told of a secret, until it was. next_at is when to try; whoever moves it may.
CREATE TABLE client_reminder (
    secret  TEXT   NOT NULL REFERENCES client_secret (id),
    stage   BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    tries   BIGINT NOT NULL,
    PRIMARY KEY (secret, stage)
);
