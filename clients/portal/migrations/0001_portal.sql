-- How often a person has come. What newcomers are told is folded away for the others.
CREATE TABLE portal_person (
	sub    text   NOT NULL PRIMARY KEY,
	visits bigint NOT NULL
);
