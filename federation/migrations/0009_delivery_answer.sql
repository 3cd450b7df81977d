-- What the service answered to the last try: a status of HTTP, "unreachable", or empty before the first.
ALTER TABLE logout_delivery ADD COLUMN answer text NOT NULL DEFAULT '';

CREATE INDEX logout_delivery_client ON logout_delivery (client, created_at);
