package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// errReplay is a code or refresh token that somebody else spent between our reading and our writing.
var errReplay = errors.New("spent meanwhile")

// grants keeps grant records in the ephemeral store.
type grants struct {
	store ephemeral.Store
	now   func() time.Time
}

func grantKey(id string) string { return "grant:1:" + id }

// get returns the grant and its version, or ephemeral.ErrNotFound if there is none or it was ended.
func (s grants) get(ctx context.Context, id string) (*grant, ephemeral.Version, error) {
	g, version, err := s.find(ctx, id)
	if err == nil && g.Ended {
		return nil, 0, ephemeral.ErrNotFound
	}
	return g, version, err
}

// find is get that sees ended grants too: their ids are taken.
func (s grants) find(ctx context.Context, id string) (*grant, ephemeral.Version, error) {
	rec, err := s.store.Get(ctx, grantKey(id))
	if err != nil {
		return nil, 0, err
	}
	g, err := decodeGrant(id, rec.Value)
	return g, rec.Version, err
}

// create stores a new grant. ephemeral.ErrExists means that this authorization request has been completed before.
func (s grants) create(ctx context.Context, g *grant) error {
	b, err := g.encode()
	if err != nil {
		return fmt.Errorf("encode grant: %w", err)
	}
	return s.store.Create(ctx, grantKey(g.ID), b, g.life(s.now()))
}

// swap replaces the grant if nobody changed it since it was read. errReplay means somebody did.
func (s grants) swap(ctx context.Context, g *grant, old ephemeral.Version) error {
	now := s.now()
	g.prune(now.Unix())
	b, err := g.encode()
	if err != nil {
		return fmt.Errorf("encode grant: %w", err)
	}
	// The client may hang up; the decision has been made and must not be cut in half.
	err = s.store.Swap(context.WithoutCancel(ctx), grantKey(g.ID), old, b, g.life(now))
	if errors.Is(err, ephemeral.ErrConflict) {
		return errReplay
	}
	return err
}

// revoke ends the grant and every token of it. What stays is the mark that its id was used: were the record gone, the same pushed
// request could be completed again.
func (s grants) revoke(ctx context.Context, id string) error {
	ctx = context.WithoutCancel(ctx)
	for range maxRefreshTries { // each lost swap is a refresh of the same client's that won one
		g, version, err := s.get(ctx, id)
		if errors.Is(err, ephemeral.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		g.Ended, g.Access, g.Refresh = true, nil, nil
		if err := s.swap(ctx, g, version); !errors.Is(err, errReplay) {
			return err
		}
	}
	return fmt.Errorf("end grant: %w", ephemeral.ErrConflict)
}

// unit is the work of one request on one grant. The engine calls the store many times while it handles a request; all of these
// calls read and change the one grant held here, and flush writes it once, at the end.
type unit struct {
	grants grants
	live   func(ctx context.Context, g *grant) (bool, error)
	client engineClient

	g       *grant
	version ephemeral.Version
	fresh   bool // g is new and must be created
	dirty   bool
	narrow  []string        // scopes of the access token being made, nil for all
	aud     []string        // resources it is for (RFC 8707), nil for none
	details json.RawMessage // authorization details it is to have (RFC 9396), nil for all
	minted  accessRecord    // the access token that was made
	jkt     string          // thumbprint of the key that the request proved to hold (RFC 9449), or ""
	x5t     string          // thumbprint of the client's certificate if tokens are to be bound to it (RFC 8705), or ""

	probes   bool // only grants of a probe will do
	unsure   bool // nobody could say for too long whether the grant's card still counts
	replayed bool // a spent code or a rotated refresh token was presented
}

type unitKey struct{}

func withUnit(ctx context.Context, u *unit) context.Context {
	return context.WithValue(ctx, unitKey{}, u)
}

// unitOf returns the unit that the endpoint put into ctx. Without one the engine was called by something that is not an endpoint.
func unitOf(ctx context.Context) (*unit, error) {
	u, ok := ctx.Value(unitKey{}).(*unit)
	if !ok {
		return nil, errors.New("engine called outside a unit of work")
	}
	return u, nil
}

// load reads the grant once and answers from memory afterwards. A grant whose ground has gone (folder, consent or session ended)
// is not found.
func (u *unit) load(ctx context.Context, id string) (*grant, error) {
	if id == "" {
		return nil, ephemeral.ErrNotFound
	}
	if u.g != nil {
		if u.g.ID != id {
			return nil, ephemeral.ErrNotFound
		}
		return u.g, nil
	}
	g, v, err := u.grants.get(ctx, id)
	if err != nil {
		return nil, err
	}
	if u.probes && g.Probe == nil {
		return nil, ephemeral.ErrNotFound
	}
	if ok, err := u.live(ctx, g); err != nil {
		return nil, err
	} else if !ok {
		return nil, ephemeral.ErrNotFound
	}
	u.g, u.version = g, v
	return g, nil
}

// flush writes what the request changed, in one atomic step.
func (u *unit) flush(ctx context.Context) error {
	switch {
	case u.g == nil || !u.dirty:
		return nil
	case u.fresh:
		return u.grants.create(context.WithoutCancel(ctx), u.g)
	default:
		return u.grants.swap(ctx, u.g, u.version)
	}
}
