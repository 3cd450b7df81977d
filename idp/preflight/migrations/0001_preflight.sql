-- What the hub found when it tried a service. A running one belongs to the process that holds its lease; one whose lease is over was
-- left by a process that died, and is read as broken.
CREATE TABLE preflight (
	id       text    NOT NULL PRIMARY KEY,
	client   text    NOT NULL,
	revision bigint  NOT NULL, -- of the draft; 0: the live version
	version  bigint  NOT NULL, -- the live version; 0: a draft
	state    text    NOT NULL, -- running, done, broken
	verdict  text    NOT NULL,
	by_whom  text    NOT NULL,
	began_ms bigint  NOT NULL,
	ended_ms bigint  NOT NULL,
	lease_ms bigint  NOT NULL,
	planned  integer NOT NULL,
	findings text    NOT NULL  -- JSON
);

CREATE INDEX preflight_client ON preflight (client, began_ms);
