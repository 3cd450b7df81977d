package hub

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

// Evidence returns what is kept of a session that a citizen said was not hers, in a hub's database, whether that hub runs or not. The id is
// that of the audit row; the audit log gets who reads it.
func Evidence(ctx context.Context, db *sqldb.DB, sealer *keys.Sealer, now func() time.Time, id, as string) ([]byte, error) {
	if n := utf8.RuneCountInString(as); n < 2 || n > 64 {
		return nil, errors.New("a name is 2 to 64 characters long")
	}
	log, err := audit.New(ctx, db, now)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return idp.Evidence(ctx, db, sealer, log, now, id, as)
}
