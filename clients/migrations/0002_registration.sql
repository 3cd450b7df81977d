-- A client that registered itself (RFC 7591). token_sha256 is the digest of its
-- registration access token, policy the name of the policy that let it in.
-- The row goes when the client is deleted; its client row stays, with status deleted,
-- and so do its versions.
CREATE TABLE client_registration (
    client       TEXT   NOT NULL PRIMARY KEY REFERENCES client (id),
    token_sha256 BYTEA  NOT NULL,
    policy       TEXT   NOT NULL,
    created_at   BIGINT NOT NULL
);

-- How many clients of a policy there are.
CREATE TABLE client_policy (
    name    TEXT   NOT NULL PRIMARY KEY,
    clients BIGINT NOT NULL
);
