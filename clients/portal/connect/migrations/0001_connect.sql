-- When a person last opened a service from here.
CREATE TABLE connect_opened (
	sub       text   NOT NULL,
	client    text   NOT NULL,
	opened_at bigint NOT NULL,
	PRIMARY KEY (sub, client)
);
