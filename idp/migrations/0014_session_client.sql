-- Operators look at the sessions of one service.
CREATE INDEX session_service_client ON session_service (client, ends_ms);
