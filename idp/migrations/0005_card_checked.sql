-- Unix milliseconds: when the authority last stood by the card; while it is watched, card_watch knows better.
ALTER TABLE card_binding ADD COLUMN checked_ms BIGINT NOT NULL DEFAULT 0;
