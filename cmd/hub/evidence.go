package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/hub"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// showEvidence prints what is kept of a session that a citizen said was not hers.
func showEvidence(ctx context.Context, c config, id, as string) error {
	dsn, err := c.dsn()
	if err != nil {
		return err
	}
	sealer, err := c.sealer()
	if err != nil {
		return err
	}
	db, err := sqldb.Open(ctx, dsn)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer func() { _ = db.Close() }() // everything was committed
	evidence, err := hub.Evidence(ctx, db, sealer, time.Now, id, as)
	if err != nil {
		return err
	}
	fmt.Println(string(evidence))
	return nil
}
