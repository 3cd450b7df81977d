// Package sqldbtest opens databases for tests: always a real SQLite file, and a real PostgreSQL server where one is given.
package sqldbtest
