package etax

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

const linkPath = "/api/link"

// arrive brings the binding of somebody who has just signed in up to date with the hub, and returns it, or nil if there is
// none (any more).
func (s *Site) arrive(ctx context.Context, session *rp.Session) (*binding, error) {
	b, err := findBinding(ctx, s.db, session.Subject())
	if b == nil || err != nil || session.Actor() != "" { // a representative's visit is not the taxpayer's, and the link is no business of hers
		return b, err
	}
	if err := setSeen(ctx, s.db, b.sub, s.now()); err != nil {
		return nil, fmt.Errorf("note login: %w", err)
	}
	if _, err := s.due(ctx, b); err != nil {
		return nil, err
	}
	return s.agree(ctx, session, b)
}

// recheck is agree for somebody who has been here for a while, once a minute at most: a tie that was cut in the portal, or a
// sign-in that ended at the hub, does not live on here for hours.
func (s *Site) recheck(ctx context.Context, session *rp.Session, b *binding) (*binding, error) {
	if due, err := s.due(ctx, b); err != nil || !due {
		return b, err
	}
	return s.agree(ctx, session, b)
}

const (
	agreeEvery   = time.Minute
	agreeTimeout = 3 * time.Second // nobody waits longer for the hub to answer
)

// due reports whether the hub was last asked about b longer ago than agreeEvery, and notes that it is asked now.
func (s *Site) due(ctx context.Context, b *binding) (bool, error) {
	sum := sha256.Sum256([]byte(b.sub))
	err := s.store.Create(ctx, "agreed:1:"+hex.EncodeToString(sum[:]), []byte{1}, agreeEvery)
	if errors.Is(err, ephemeral.ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// agree compares a binding with the hub's link and returns it, or nil if it was ended there. A hub that does not answer changes
// nothing: what is written here counts. The error is rp.SignedOut if the hub has withdrawn the session's tokens.
func (s *Site) agree(ctx context.Context, session *rp.Session, b *binding) (*binding, error) {
	ctx, cancel := context.WithTimeout(ctx, agreeTimeout)
	defer cancel()
	var l rp.HubLink
	if err := s.party.Call(ctx, session, http.MethodGet, linkPath, nil, &l); err != nil {
		if refused, ok := errors.AsType[*rp.Error](err); ok && refused.Reason == rp.SignedOut {
			return nil, err
		}
		s.log.WarnContext(ctx, "hub did not say how the link stands", "err", err)
		return b, nil
	}
	switch rp.Judge(b.asTie(), l) {
	case rp.Keep:
		if !b.reported {
			return b, s.Reported(ctx, *b.asTie())
		}
	case rp.Report:
		s.report(ctx, session, b)
	case rp.Forget:
		return nil, s.Over(ctx, *b.asTie())
	case rp.NoTie:
	}
	return b, nil
}

// report tells the hub that the tie stands. If that fails, the row still says that the hub does not know, and the next visit
// tries again.
func (s *Site) report(ctx context.Context, session *rp.Session, b *binding) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), agreeTimeout)
	defer cancel()
	err := s.party.Call(ctx, session, http.MethodPut, linkPath, map[string]string{"state": "linked", "tie": b.tie}, nil)
	if err == nil {
		err = s.Reported(ctx, *b.asTie())
	}
	if err != nil {
		s.log.WarnContext(ctx, "link not reported to the hub", "err", err)
		return
	}
	b.reported = true
}
