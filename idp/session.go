package idp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// Lifetimes of a session.
const (
	sessionIdle     = 30 * time.Minute
	sessionAbsolute = 12 * time.Hour
	sessionTouch    = time.Minute // how stale the last-used time may get before it is written
)

// Bounds of a session and of a person's list of sessions.
const (
	maxSessionClients = 100
	maxSessions       = 30
)

// session is one signed-in browser. The cookie holds "<id>.<secret>"; the store knows the secret's digest only. Every login makes a
// new secret. The id stays while the same person logs in again, because grants and the services' own session ids hang on it; by
// itself it opens nothing.
type session struct {
	ID      string `json:"-"`
	version ephemeral.Version
	proof   *cardProof // of a login under way
	footing footing    // as currentSession found it

	Secret   string               `json:"s"`
	Account  federation.AccountID `json:"a"`
	AuthTime int64                `json:"t"` // Unix seconds
	ACR      string               `json:"c"`
	AMR      []string             `json:"m"`
	Source   string               `json:"r"`  // where the card's revocation answer came from
	Created  int64                `json:"cr"` // Unix milliseconds
	Last     int64                `json:"l"`  // Unix seconds
	Device   string               `json:"d"`
	Card     cardRef              `json:"k,omitzero"`   // that signed in; zero: another means did
	Passkey  string               `json:"pk,omitempty"` // that signed in
	Removal  string               `json:"rm,omitempty"` // digest of the token that ends it when the card is taken out
	Clients  []sessionClient      `json:"cl,omitempty"`
}

// cardRef names a card binding: the authority's key and the keyed digest of the serial number.
type cardRef struct {
	IssuerKey string `json:"i"`
	Serial    string `json:"s"` // base64url
}

func (c cardRef) zero() bool { return c == cardRef{} }

// serial is the digest as the database has it; nil for the zero value.
func (c cardRef) serial() []byte {
	b, err := base64.RawURLEncoding.DecodeString(c.Serial)
	if err != nil || len(b) == 0 { // refOf makes no other
		return nil
	}
	return b
}

func refOf(issuerKey string, serial []byte) cardRef {
	return cardRef{IssuerKey: issuerKey, Serial: base64.RawURLEncoding.EncodeToString(serial)}
}

// sessionClient is a service that was entered in a session.
type sessionClient struct {
	ID    clients.ID `json:"i"`
	Since int64      `json:"t"` // Unix milliseconds
}

// since is when a service was entered in the session, in Unix milliseconds; 0 if it was not, or was left.
func (s *session) since(id clients.ID) int64 {
	for _, c := range s.Clients {
		if c.ID == id {
			return c.Since
		}
	}
	return 0
}

// services are those that were entered.
func (s *session) services() []clients.ID {
	out := make([]clients.ID, 0, len(s.Clients))
	for _, c := range s.Clients {
		out = append(out, c.ID)
	}
	return out
}

// sessions keeps sessions, and for each person the list of them, in the ephemeral store.
type sessions struct {
	store ephemeral.Store
	now   func() time.Time
}

func sessionKey(id string) string                  { return "session:1:" + id }
func sessionListKey(a federation.AccountID) string { return "sessions:1:" + string(a) }

// open stores a new session under the id it has been given and returns the cookie's value. The secret is new at every login, so that a
// value planted in a browser beforehand is worth nothing.
func (s sessions) open(ctx context.Context, n *session) (cookie string, err error) {
	secret := newSecret()
	n.Secret = digest(secret)
	n.Created, n.Last = s.now().UnixMilli(), s.now().Unix()
	b, err := json.Marshal(n)
	if err != nil {
		return "", fmt.Errorf("encode session: %w", err)
	}
	// The list comes first: a crash in between leaves an id in the list that leads nowhere, not a session nobody can end.
	if err := s.list(ctx, n.Account, func(ids []string) []string { return append(ids, n.ID) }); err != nil {
		return "", err
	}
	if err := s.store.Create(ctx, sessionKey(n.ID), b, sessionIdle); err != nil {
		return "", fmt.Errorf("store session: %w", err)
	}
	return n.ID + "." + secret, nil
}

// renew makes n the login of the session old, of the same person: a new secret, the same id and services.
func (s sessions) renew(ctx context.Context, old, n *session) (cookie string, err error) {
	secret := newSecret()
	for range 8 {
		n.ID, n.Secret, n.Clients = old.ID, digest(secret), old.Clients
		if n.proof == nil || n.ACR == ACRRemote { // what was added to a session that this computer's reader watches ends with its card
			n.Removal = old.Removal
		}
		n.Created, n.Last = s.now().UnixMilli(), s.now().Unix()
		b, err := json.Marshal(n)
		if err != nil {
			return "", fmt.Errorf("encode session: %w", err)
		}
		err = s.store.Swap(ctx, sessionKey(n.ID), old.version, b, sessionIdle)
		if err == nil {
			return n.ID + "." + secret, nil
		}
		if !errors.Is(err, ephemeral.ErrConflict) {
			return "", fmt.Errorf("store session: %w", err)
		}
		if old, err = s.get(ctx, n.ID); err != nil {
			return "", err
		}
		if old == nil { // signed out in another window just now
			return s.open(ctx, n)
		}
	}
	return "", fmt.Errorf("session %s: %w", n.ID, ephemeral.ErrConflict)
}

// get returns the session with the id, or nil if there is none or its time is over.
func (s sessions) get(ctx context.Context, id string) (*session, error) {
	if !wellFormedID(id) {
		return nil, nil
	}
	rec, err := s.store.Get(ctx, sessionKey(id))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	n := &session{ID: id, version: rec.Version}
	if err := json.Unmarshal(rec.Value, n); err != nil {
		return nil, fmt.Errorf("decode session: %w", err)
	}
	if s.now().Sub(time.UnixMilli(n.Created)) >= sessionAbsolute {
		return nil, nil
	}
	return n, nil
}

// sessionCookie is the length of a session's cookie: the id, a dot, the secret.
const sessionCookie = 22 + 1 + 43

// byCookie returns the session a cookie proves, or nil.
func (s sessions) byCookie(ctx context.Context, cookie string) (*session, error) {
	if len(cookie) != sessionCookie || cookie[22] != '.' {
		return nil, nil
	}
	n, err := s.get(ctx, cookie[:22])
	if err != nil || n == nil || !sameDigest(n.Secret, digest(cookie[23:])) {
		return nil, err
	}
	return n, nil
}

// touch records use: the service entered, if any, and the time. A lost swap is another use of the same session at the same time,
// and is tried again: a service's tokens live as long as the session names it.
func (s sessions) touch(ctx context.Context, n *session, entered clients.ID) error {
	for range 8 {
		isNew := entered != "" && n.since(entered) == 0
		now := s.now()
		if !isNew && now.Sub(time.Unix(n.Last, 0)) < sessionTouch {
			return nil
		}
		if isNew {
			if len(n.Clients) >= maxSessionClients {
				n.Clients = n.Clients[1:]
			}
			n.Clients = append(n.Clients, sessionClient{ID: entered, Since: now.UnixMilli()})
		}
		n.Last = now.Unix()
		b, err := json.Marshal(n)
		if err != nil {
			return fmt.Errorf("encode session: %w", err)
		}
		err = s.store.Swap(ctx, sessionKey(n.ID), n.version, b, s.remaining(n))
		if err == nil {
			return nil
		}
		if !errors.Is(err, ephemeral.ErrConflict) {
			return fmt.Errorf("store session: %w", err)
		}
		fresh, err := s.get(ctx, n.ID)
		if err != nil {
			return err
		}
		if fresh == nil {
			return errSessionEnded
		}
		*n = *fresh
	}
	return fmt.Errorf("session %s: %w", n.ID, ephemeral.ErrConflict)
}

var errSessionEnded = errors.New("session ended meanwhile")

func (s sessions) remaining(n *session) time.Duration {
	absolute := time.UnixMilli(n.Created).Add(sessionAbsolute).Sub(s.now())
	return max(time.Second, min(sessionIdle, absolute))
}

// leave removes one service from a session, so that its tokens of this session die.
func (s sessions) leave(ctx context.Context, id string, client clients.ID) error {
	for range 8 {
		n, err := s.get(ctx, id)
		if err != nil || n == nil {
			return err
		}
		n.Clients = slices.DeleteFunc(n.Clients, func(c sessionClient) bool { return c.ID == client })
		b, err := json.Marshal(n)
		if err != nil {
			return fmt.Errorf("encode session: %w", err)
		}
		err = s.store.Swap(ctx, sessionKey(id), n.version, b, s.remaining(n))
		if err == nil || !errors.Is(err, ephemeral.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("session %s: %w", id, ephemeral.ErrConflict)
}

// end removes a session and returns it as it was at its end, or nil if it was gone already.
func (s sessions) end(ctx context.Context, n *session) (last *session, err error) {
	b, err := s.store.Take(ctx, sessionKey(n.ID))
	switch {
	case err == nil:
		last = &session{ID: n.ID}
		if err := json.Unmarshal(b, last); err != nil {
			return nil, fmt.Errorf("decode session: %w", err)
		}
	case !errors.Is(err, ephemeral.ErrNotFound):
		return nil, fmt.Errorf("end session: %w", err)
	}
	return last, s.list(ctx, n.Account, func(ids []string) []string {
		return slices.DeleteFunc(ids, func(id string) bool { return id == n.ID })
	})
}

// of returns a person's live sessions, newest first.
func (s sessions) of(ctx context.Context, a federation.AccountID) ([]*session, error) {
	rec, err := s.store.Get(ctx, sessionListKey(a))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read session list: %w", err)
	}
	var ids []string
	if err := json.Unmarshal(rec.Value, &ids); err != nil {
		return nil, fmt.Errorf("decode session list: %w", err)
	}
	var out []*session
	for _, id := range slices.Backward(ids) {
		n, err := s.get(ctx, id)
		if err != nil {
			return nil, err
		}
		if n != nil {
			out = append(out, n)
		}
	}
	return out, nil
}

// list changes a person's list of session ids, whoever else changes it at the same time.
func (s sessions) list(ctx context.Context, a federation.AccountID, change func([]string) []string) error {
	for range 20 {
		rec, err := s.store.Get(ctx, sessionListKey(a))
		if err != nil && !errors.Is(err, ephemeral.ErrNotFound) {
			return fmt.Errorf("read session list: %w", err)
		}
		absent := err != nil
		var ids []string
		if !absent {
			if err := json.Unmarshal(rec.Value, &ids); err != nil {
				return fmt.Errorf("decode session list: %w", err)
			}
		}
		ids = change(ids)
		if n := len(ids); n > maxSessions {
			// The oldest is ended for real: a session that no list names could not be ended by its owner.
			for _, id := range ids[:n-maxSessions] {
				if err := s.store.Delete(ctx, sessionKey(id)); err != nil {
					return fmt.Errorf("delete oldest session: %w", err)
				}
			}
			ids = ids[n-maxSessions:]
		}
		b, err := json.Marshal(ids)
		if err != nil {
			return fmt.Errorf("encode session list: %w", err)
		}
		if absent {
			err = s.store.Create(ctx, sessionListKey(a), b, sessionAbsolute)
		} else {
			err = s.store.Swap(ctx, sessionListKey(a), rec.Version, b, sessionAbsolute)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, ephemeral.ErrConflict) && !errors.Is(err, ephemeral.ErrExists) {
			return fmt.Errorf("store session list: %w", err)
		}
	}
	return fmt.Errorf("session list: %w", ephemeral.ErrConflict)
}
