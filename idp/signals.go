package idp

import (
	"context"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// Agreed returns a function that names the services a person has agreed to hand something to, from the database in ctx's transaction.
func Agreed(db *sqldb.DB) func(context.Context, federation.AccountID) ([]clients.ID, error) {
	return func(ctx context.Context, account federation.AccountID) ([]clients.ID, error) {
		all, err := (accounts{db: db}).consents(ctx, account)
		if err != nil {
			return nil, err
		}
		out := make([]clients.ID, len(all))
		for i, c := range all {
			out[i] = c.Client
		}
		return out, nil
	}
}
