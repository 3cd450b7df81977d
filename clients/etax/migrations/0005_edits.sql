-- Who changed the draft of a return, and when. actor is the representative's name at the hub, empty for the taxpayer.
CREATE TABLE etax_return_edit (
	id        text   NOT NULL PRIMARY KEY,
	return_id text   NOT NULL,
	actor     text   NOT NULL,
	edited_at bigint NOT NULL
);

CREATE INDEX etax_return_edit_of ON etax_return_edit (return_id, edited_at);
