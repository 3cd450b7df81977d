package admin

import (
	"context"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// Joiner takes up invitations as accounts that nobody has to sign in to.
func Joiner(t *testing.T, db *sqldb.DB, now func() time.Time) func(ctx context.Context, account, code string) error {
	t.Helper()
	log, err := audit.New(t.Context(), db, now)
	if err != nil {
		t.Fatal(err)
	}
	o := &operators{db: db, audit: log, now: now}
	return func(ctx context.Context, account, code string) error {
		_, err := o.join(ctx, account, code)
		return err
	}
}
