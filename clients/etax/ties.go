package etax

import (
	"context"
	"fmt"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/keeper"
)

// The register of ties, as the keeper asks for it.
var _ keeper.Register = (*Site)(nil)

// Tie returns a person's tie, nil if there is none.
func (s *Site) Tie(ctx context.Context, sub string) (*rp.Tie, error) {
	b, err := findBinding(ctx, s.db, sub)
	return b.asTie(), err
}

// Page returns up to limit ties of persons after sub, in their order.
func (s *Site) Page(ctx context.Context, after string, limit int) ([]rp.Tie, error) {
	return listTies(ctx, s.db, after, limit)
}

// Reported notes that the hub has heard of a tie.
func (s *Site) Reported(ctx context.Context, t rp.Tie) error {
	if err := setReported(ctx, s.db, t, s.now()); err != nil {
		return fmt.Errorf("note report: %w", err)
	}
	return nil
}

// Drop drops the binding of a tie that the hub says is over.
func (s *Site) Drop(ctx context.Context, t rp.Tie) error {
	_, err := deleteBinding(ctx, s.db, t)
	return err
}

// Reconcile is [keeper.Keeper.Reconcile].
func (s *Site) Reconcile(ctx context.Context, now bool) error { return s.ties.Reconcile(ctx, now) }
