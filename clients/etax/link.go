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

// link is what the hub says about the tie between the person and this service.
type link struct {
	State string    `json:"state"` // none, offered, linked, broken, ended
	Since time.Time `json:"since"` // zero in state none
}

// verdict is what a login does about the binding.
type verdict int

const (
	ask    verdict = iota // there is none: ask for number and password
	keep                  // both sides agree
	report                // the hub has to hear of it
	forget                // it was ended at the hub
)

// judge compares the binding here, nil if there is none, with the link there. It reads no clock and no store.
//
// After a binding was reported the hub's link is linked or broken for as long as nobody ended it; offered then means ended and
// chosen anew, for which the person is asked again. None is a hub that lost its memory, not a person's wish. Before it was
// reported, an end that is not later than the binding is of a tie before this one.
func judge(b *binding, l link) verdict {
	switch {
	case b == nil:
		return ask
	case l.State == "linked":
		return keep
	case l.State == "ended" && (b.reported || l.Since.After(b.bound)), l.State == "offered" && b.reported:
		return forget
	}
	return report
}

// arrive brings the binding of somebody who has just signed in up to date with the hub, and returns it, or nil if there is
// none (any more).
func (s *Site) arrive(ctx context.Context, session *rp.Session) (*binding, error) {
	b, err := findBinding(ctx, s.db, session.Subject())
	if b == nil || err != nil {
		return nil, err
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
	var l link
	if err := s.party.Call(ctx, session, http.MethodGet, linkPath, nil, &l); err != nil {
		if refused, ok := errors.AsType[*rp.Error](err); ok && refused.Reason == rp.SignedOut {
			return nil, err
		}
		s.log.WarnContext(ctx, "hub did not say how the link stands", "err", err)
		return b, nil
	}
	switch judge(b, l) {
	case keep:
		if !b.reported {
			return b, setReported(ctx, s.db, b, s.now())
		}
	case report:
		s.report(ctx, session, b)
	case forget:
		if _, err := deleteBinding(ctx, s.db, b); err != nil {
			return nil, fmt.Errorf("forget binding: %w", err)
		}
		return nil, nil
	case ask:
	}
	return b, nil
}

// report tells the hub that the tie stands. If that fails, the row still says that the hub does not know, and the next visit
// tries again.
func (s *Site) report(ctx context.Context, session *rp.Session, b *binding) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), agreeTimeout)
	defer cancel()
	err := s.party.Call(ctx, session, http.MethodPut, linkPath, map[string]string{"state": "linked"}, nil)
	if err == nil {
		err = setReported(ctx, s.db, b, s.now())
	}
	if err != nil {
		s.log.WarnContext(ctx, "link not reported to the hub", "err", err)
		return
	}
	b.reported = true
}
