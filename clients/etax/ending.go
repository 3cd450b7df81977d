package etax

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// unbind ends the tie of the session's person, and the session with it: nothing of this service belongs to them any more.
// The binding is gone and the hub's turn is noted in one transaction. Then the hub is told at once; if it does not answer,
// Run goes on.
func (s *Site) unbind(w http.ResponseWriter, r *http.Request, session *rp.Session) error {
	ctx := context.WithoutCancel(r.Context())
	b, err := findBinding(ctx, s.db, session.Subject())
	if err != nil {
		return err
	}
	// The tokens that the session had die at the hub with the tie.
	if _, err := s.party.End(w, r, session); err != nil || b == nil {
		return err
	}
	t := *b.asTie()
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		if gone, err := deleteBinding(ctx, s.db, t); err != nil || !gone {
			return err
		}
		return s.ties.Left(ctx, t)
	})
	if err != nil {
		return fmt.Errorf("unbind: %w", err)
	}
	return s.ties.Tell(ctx, t)
}
