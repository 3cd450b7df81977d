-- What warnings are made of: secret_until is when the last good secret of a client ends that proves itself with one; 0: none ever was
-- good, -1: nothing to warn of. jwks_uri is where its keys are fetched.
ALTER TABLE client_index ADD COLUMN secret_until BIGINT NOT NULL DEFAULT -1;
ALTER TABLE client_index ADD COLUMN jwks_uri TEXT NOT NULL DEFAULT '';
-- It is written anew when the registry is opened.
DELETE FROM client_index;
