package federation

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/keys"
)

const (
	statusTokenType = "statuslist+jwt"
	// statusFresh is how long a token is handed out while nothing in its list changes.
	statusFresh = 20 * time.Second
	maxBuilt    = 1000 // lists of which this process keeps the token; a list is built again at any time
	statusIDLen = 26
)

// StatusToken is a status list token (draft-ietf-oauth-status-list-21 §5.1) as it is served.
type StatusToken struct {
	JWT  string
	ETag string
	Age  time.Duration // since it was signed
}

// statusClaims are its claims. exp bounds how long a copy that somebody kept is believed; iss is not required, and lets a service that knows
// more than one hub choose the keys.
type statusClaims struct {
	Issuer   string       `json:"iss"`
	Subject  string       `json:"sub"` // the uri of the positions
	IssuedAt int64        `json:"iat"`
	Expires  int64        `json:"exp"`
	TTL      int64        `json:"ttl"`
	List     statusObject `json:"status_list"`
}

type statusObject struct {
	Bits int    `json:"bits"`
	List string `json:"lst"`
}

// builtList is the last token of a list.
type builtList struct {
	mu    sync.Mutex // one builds, the others wait for it
	list  statusList
	token StatusToken
	at    time.Time
	next  time.Time // when the next position turns that stands for nobody
	ended int
}

// Token returns the token of a list, or ErrNoStatusList. A session that ended is in it at once, whichever process ended it: how many of a
// list have ended only grows, so that one count tells whether the last token still says it all. It is made anew at once for a position that
// stands for nobody too: by when a token was made nobody can tell the two apart.
func (s *StatusLists) Token(ctx context.Context, id string) (StatusToken, error) {
	if len(id) != statusIDLen {
		return StatusToken{}, ErrNoStatusList
	}
	b, err := s.builtOf(ctx, id)
	if err != nil {
		return StatusToken{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	n, found, err := countEnded(ctx, s.db, id)
	if err != nil {
		return StatusToken{}, err
	}
	if !found { // another process removed it
		return StatusToken{}, ErrNoStatusList
	}
	now := s.now()
	// A clock that was put back would make caches keep the last token for as long.
	if age := now.Sub(b.at); b.token.JWT == "" || n != b.ended || age < 0 || age >= statusFresh || !now.Before(b.next) {
		if err := s.build(ctx, b, now); err != nil {
			b.token = StatusToken{}
			return StatusToken{}, err
		}
	}
	t := b.token
	t.Age = now.Sub(b.at)
	return t, nil
}

func (s *StatusLists) builtOf(ctx context.Context, id string) (*builtList, error) {
	s.mu.Lock()
	b := s.built[id]
	s.mu.Unlock()
	if b != nil {
		return b, nil
	}
	l, found, err := findList(ctx, s.db, id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, ErrNoStatusList
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b = s.built[id]; b == nil {
		if len(s.built) >= maxBuilt {
			clear(s.built)
		}
		b = &builtList{list: l}
		s.built[id] = b
	}
	return b, nil
}

func (s *StatusLists) build(ctx context.Context, b *builtList, now time.Time) error {
	l := b.list
	bits := make(statusArray, statusSize*statusBits/8)
	next := now.Add(statusFresh)
	nobody := l.decoys()
	for i := range statusSize {
		switch at, decoy := nobody.at(i); {
		case !decoy:
		case !now.Before(at):
			bits.end(i)
		case at.Before(next):
			next = at
		}
	}
	ended, err := endedOf(ctx, s.db, l.id)
	if err != nil {
		return err
	}
	for _, i := range ended {
		bits.end(i)
	}
	lst, err := bits.lst()
	if err != nil {
		return fmt.Errorf("compress status list: %w", err)
	}
	alg, err := s.alg(ctx, l.client)
	if err != nil {
		return err
	}
	jwt, err := s.sign(alg, statusTokenType, statusClaims{
		Issuer: s.issuer, Subject: s.issuer + StatusPath + l.id, IssuedAt: now.Unix(), Expires: now.Add(StatusLife).Unix(),
		TTL: int64(StatusTTL / time.Second), List: statusObject{statusBits, lst},
	})
	if err != nil {
		return fmt.Errorf("sign status list: %w", err)
	}
	d := sha256.Sum256([]byte(jwt))
	b.token = StatusToken{JWT: jwt, ETag: `"` + base64.RawURLEncoding.EncodeToString(d[:16]) + `"`}
	b.at, b.next, b.ended = now, next, len(ended)
	return nil
}

// alg is the algorithm that the client wants its ID tokens signed with, which it can verify.
func (s *StatusLists) alg(ctx context.Context, id clients.ID) (keys.Alg, error) {
	c, err := s.clients.Get(ctx, id)
	switch {
	case c != nil && (err == nil || errors.Is(err, clients.ErrSuspended)):
		return c.IDTokenAlg(), nil
	case err == nil || errors.Is(err, clients.ErrUnknown) || errors.Is(err, clients.ErrSuspended):
		return keys.ES256, nil // its sessions are over as well, and may be looked at
	}
	return "", fmt.Errorf("read client: %w", err)
}
