-- A client's status is draft (no version yet; version is 0), live, suspended or retired. A retired one is known no more, and its id is
-- never used again.
UPDATE client SET status = 'retired' WHERE status = 'deleted';
-- Who owns it (organisation.id, or empty), what its owner calls it (a kind, or empty: as its metadata looks), who brought it here
-- (an operator, seed, or policy:NAME), and whether operators' lists leave it out.
ALTER TABLE client ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
ALTER TABLE client ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE client ADD COLUMN brought_by TEXT NOT NULL DEFAULT '';
ALTER TABLE client ADD COLUMN hidden BOOLEAN NOT NULL DEFAULT FALSE;

-- Who asked for a version, why, who approved it, by which pre-flight or exception, and which earlier version it brought back (0: none).
ALTER TABLE client_version ADD COLUMN asked_by TEXT NOT NULL DEFAULT '';
ALTER TABLE client_version ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE client_version ADD COLUMN approved_by TEXT NOT NULL DEFAULT '';
ALTER TABLE client_version ADD COLUMN exception TEXT NOT NULL DEFAULT '';
ALTER TABLE client_version ADD COLUMN preflight TEXT NOT NULL DEFAULT '';
ALTER TABLE client_version ADD COLUMN of_version BIGINT NOT NULL DEFAULT 0;

-- The next version of a client while it is written. state is open, requested or rejected. authors is a JSON array of all who had a hand
-- in it. asked_by is who requested it last.
CREATE TABLE client_draft (
    client       TEXT   NOT NULL PRIMARY KEY REFERENCES client (id),
    revision     BIGINT NOT NULL,
    base_version BIGINT NOT NULL,
    state        TEXT   NOT NULL,
    metadata     TEXT   NOT NULL,
    note         TEXT   NOT NULL,
    saved_by     TEXT   NOT NULL,
    authors      TEXT   NOT NULL,
    asked_by     TEXT   NOT NULL,
    answer       TEXT   NOT NULL,
    saved_at     BIGINT NOT NULL
);

-- The last revision that a draft of a client had. It outlives the draft, and the client, so that no revision names two drafts.
CREATE TABLE client_revision (
    client   TEXT   NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL
);

-- Every suspension, resumption and end of a client, by whom and why. number counts them.
CREATE TABLE client_stop (
    client     TEXT   NOT NULL REFERENCES client (id),
    number     BIGINT NOT NULL,
    status     TEXT   NOT NULL,
    stopped_by TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (client, number)
);

-- What lists show of a client, and are searched by: written with every change. words is normalised text.
CREATE TABLE client_index (
    client       TEXT   NOT NULL PRIMARY KEY REFERENCES client (id),
    organisation TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    draft        TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    name_en      TEXT   NOT NULL,
    run_by       TEXT   NOT NULL,
    brought_by   TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    words        TEXT   NOT NULL,
    changed_at   BIGINT NOT NULL
);

-- Who owns clients. contacts is a JSON array of e-mail addresses.
CREATE TABLE organisation (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    contacts   TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
