package postbox

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

// box is a person's.
type box struct {
	sub      string
	opened   time.Time // whole seconds
	reported bool      // the hub has heard of it
	paused   bool      // the tie was cut at the hub
}

const (
	linkPath     = "/api/link"
	agreeEvery   = time.Minute
	agreeTimeout = 3 * time.Second // nobody waits longer for the hub to answer

	letterWelcome = "letter.welcome"
)

// open opens the person's box, tells the hub, and puts the first letter into a new one. Of many at once one opens it; all see it open.
func (s *Site) open(ctx context.Context, session *rp.Session) error {
	sub := session.Subject()
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		fresh, err := openBox(ctx, s.db, sub, s.now())
		if err != nil {
			return err
		}
		// The box is back before the hub heard of its end: there is nothing to tell any more.
		if err := deleteClosing(ctx, s.db, sub); err != nil || !fresh {
			return err
		}
		return s.store(ctx, newLetter(sub, letterWelcome, s.now()))
	})
	if err != nil {
		return fmt.Errorf("open box: %w", err)
	}
	b, err := findBox(ctx, s.db, sub)
	if err != nil || b == nil {
		return err
	}
	s.report(ctx, session, b)
	return nil
}

// standing returns the box of a person, or nil if there is none or the tie was cut at the hub. The hub is asked once a minute at most.
// One that does not answer changes nothing: what is written here counts. The error is rp.SignedOut if the hub has withdrawn the
// session's tokens.
func (s *Site) standing(ctx context.Context, session *rp.Session) (*box, error) {
	b, err := findBox(ctx, s.db, session.Subject())
	if err != nil || b == nil || b.paused {
		return nil, err
	}
	if !b.reported {
		s.report(ctx, session, b)
		return b, nil
	}
	due, err := s.due(ctx, b)
	if err != nil || !due {
		return b, err
	}
	return s.agree(ctx, session, b)
}

// due reports whether the hub was last asked about b longer ago than agreeEvery, and notes that it is asked now.
func (s *Site) due(ctx context.Context, b *box) (bool, error) {
	sum := sha256.Sum256([]byte(b.sub))
	err := s.transient.Create(ctx, "agreed:1:"+hex.EncodeToString(sum[:]), []byte{1}, agreeEvery)
	if errors.Is(err, ephemeral.ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// agree compares a box that was reported with the hub's link. An end there pauses the box. Any other state but linked is a hub that
// lost its memory, or was told something else meanwhile: it hears of the box again.
func (s *Site) agree(ctx context.Context, session *rp.Session, b *box) (*box, error) {
	ctx, cancel := context.WithTimeout(ctx, agreeTimeout)
	defer cancel()
	var link struct {
		State string `json:"state"`
	}
	if err := s.party.Call(ctx, session, http.MethodGet, linkPath, nil, &link); err != nil {
		if refused, ok := errors.AsType[*rp.Error](err); ok && refused.Reason == rp.SignedOut {
			return nil, err
		}
		s.log.WarnContext(ctx, "hub did not say how the link stands", "err", err)
		return b, nil
	}
	switch link.State {
	case "linked":
	case "ended":
		return nil, pauseBox(ctx, s.db, b, s.now())
	default:
		s.report(ctx, session, b)
	}
	return b, nil
}

// report tells the hub that the tie stands. If that fails the row still says that the hub does not know, and the next page tries again.
func (s *Site) report(ctx context.Context, session *rp.Session, b *box) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), agreeTimeout)
	defer cancel()
	err := s.party.Call(ctx, session, http.MethodPut, linkPath, map[string]string{"state": "linked"}, nil)
	if err == nil {
		err = setReported(ctx, s.db, b, s.now())
	}
	if err != nil {
		s.log.WarnContext(ctx, "link not reported to the hub", "err", err)
	}
}
