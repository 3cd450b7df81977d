package exchange

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Deps is what Open needs. Every field is required.
type Deps struct {
	DB    *sqldb.DB
	Audit *audit.Log
	Now   func() time.Time
}

// Register is the legal bases and the records of one hub.
type Register struct {
	db  *sqldb.DB
	log *audit.Log
	now func() time.Time
}

// Open migrates the tables and returns the register over them.
func Open(ctx context.Context, d Deps) (*Register, error) {
	if d.DB == nil || d.Audit == nil || d.Now == nil {
		return nil, errors.New("exchange: Deps needs DB, Audit and Now")
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if err := d.DB.Migrate(ctx, "exchange", files); err != nil {
		return nil, fmt.Errorf("migrate exchange: %w", err)
	}
	return &Register{db: d.DB, log: d.Audit, now: d.Now}, nil
}
