-- In one session a service may have to do with two persons: a representative, and who she acts for. What ends for the one stands for the other.
DROP INDEX status_entry_live;
CREATE UNIQUE INDEX status_entry_live ON status_entry (session, client, account) WHERE ended_at IS NULL;
