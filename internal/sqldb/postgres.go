package sqldb

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// postgresConns bounds the connections of one process. A connection is a server process, and a few per core of the
	// server are enough to keep it busy; four hubs stay below the default limit of 100.
	postgresConns = 24
	// postgresConnLife makes connections move when the address of the server moves.
	postgresConnLife = 30 * time.Minute
)

func openPostgres(dsn string) (*DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The cause may quote the address with its password.
		return nil, errors.New("malformed PostgreSQL address")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(postgresConns)
	pool.SetMaxIdleConns(postgresConns)
	pool.SetConnMaxLifetime(postgresConnLife)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	return &DB{write: pool, read: pool, lock: "SELECT pg_advisory_xact_lock(7526466502485)"}, nil
}
