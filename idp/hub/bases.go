package hub

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/federation/exchange"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// Bases opens the legal bases of exchange between offices in a hub's database, whether that hub runs or not.
func Bases(ctx context.Context, db *sqldb.DB, now func() time.Time) (*exchange.Register, error) {
	log, err := audit.New(ctx, db, now)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return exchange.Open(ctx, exchange.Deps{DB: db, Audit: log, Now: now})
}

// SetSummary says in one line what a set of bases is, for the person who called.
func SetSummary(s exchange.Set) string {
	day := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	head := fmt.Sprintf("version %d: %d bases, proposed by %s on %s, sha256 %s", s.Version, s.Bases, s.ProposedBy, day(s.ProposedAt), s.Digest)
	if s.ApprovedBy == "" {
		return head + "; not approved"
	}
	return fmt.Sprintf("%s; approved by %s, in force from %s until %s", head, s.ApprovedBy, day(s.From), day(s.Until))
}

// SeedBases has a set in force that is exactly this file, proposed and approved by two people. It is for demonstrations: a file whose set
// was approved before, and is in force, is left alone.
func (h *Hub) SeedBases(ctx context.Context, file string, proposer, approver string, now time.Time) error {
	f, err := exchange.ReadFile(strings.NewReader(file))
	if err != nil {
		return err
	}
	sets, err := h.Exchanges.Sets(ctx)
	if err != nil {
		return err
	}
	for _, s := range sets {
		if s.Digest == f.Digest && s.ApprovedBy != "" && now.Before(s.Until) {
			return nil
		}
	}
	s, err := h.Exchanges.Propose(ctx, strings.NewReader(file), proposer)
	if err != nil {
		return err
	}
	_, err = h.Exchanges.Approve(ctx, s.Version, approver, time.Time{}, time.Time{})
	return err
}
