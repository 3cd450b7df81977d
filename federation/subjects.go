package federation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// AccountID names a person inside the hub. It is random, never shown to a
// service and never derived from a card: a renewed card is the same person.
type AccountID string

// Subjects gives every person a name per sector (OpenID Connect Core §8.1).
// The names are stored, not computed: there is no key whose loss would join
// all sectors, and a sector can change hands without a new name for anyone.
type Subjects struct {
	db  *sqldb.DB
	now func() time.Time
}

// For returns the name of account in sector, made on first use. Any number of
// requests at once get the same one.
func (s *Subjects) For(ctx context.Context, account AccountID, sector string) (string, error) {
	if account == "" || sector == "" {
		return "", errors.New("federation: a subject needs an account and a sector")
	}
	sub, err := findSubject(ctx, s.db, sector, account)
	if err != nil || sub != "" {
		return sub, err
	}
	// Whoever inserts first decides; everyone reads back what stands.
	if err := insertSubject(ctx, s.db, sector, account, rand.Text(), s.now()); err != nil {
		return "", fmt.Errorf("make subject: %w", err)
	}
	sub, err = findSubject(ctx, s.db, sector, account)
	if err == nil && sub == "" {
		err = errors.New("federation: subject vanished after it was made")
	}
	return sub, err
}

// Account returns the person whom sector knows as sub, or SubjectUnknown.
func (s *Subjects) Account(ctx context.Context, sector, sub string) (AccountID, error) {
	return findAccount(ctx, s.db, sector, sub)
}

// ForgetSector forgets the names of a sector that was there for a while only, and that nobody knows people by any more.
func (s *Subjects) ForgetSector(ctx context.Context, sector string) error {
	if _, err := s.db.Exec(ctx, `DELETE FROM federation_subject WHERE sector = $1`, sector); err != nil {
		return fmt.Errorf("forget sector: %w", err)
	}
	return nil
}
