-- Logos, each under the SHA-256 of its PNG. They stay as long as the versions that name them, which is for ever.
CREATE TABLE client_logo (
    sha256     TEXT   NOT NULL PRIMARY KEY,
    png        BYTEA  NOT NULL,
    created_at BIGINT NOT NULL
);
