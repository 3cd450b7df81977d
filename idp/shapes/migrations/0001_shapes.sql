-- What requests of a client looked like in one hour, and how many looked so. hour is Unix seconds divided by 3600; digest is the SHA-256 of
-- shape, which is JSON and has nothing of a person.
CREATE TABLE request_shape (
	client text   NOT NULL,
	hour   bigint NOT NULL,
	digest bytea  NOT NULL,
	shape  text   NOT NULL,
	count  bigint NOT NULL,
	proved boolean NOT NULL, -- nobody but the client can have caused it
	PRIMARY KEY (client, hour, digest)
);
CREATE INDEX request_shape_hour ON request_shape (hour);
