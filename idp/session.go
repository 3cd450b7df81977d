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

// Bounds of a session and of a person's list of sessions.
const (
	maxSessionClients = 100
	maxSessions       = 30
	maxListed         = 4 * maxSessions // with those of logins that are under way
)

// session is one signed-in browser. The cookie holds "<id>.<secret>"; the store knows the secret's digest only. Every login makes a
// new secret. The id stays while the same person logs in again, because grants and the services' own session ids hang on it; by
// itself it opens nothing.
type session struct {
	ID      string `json:"-"`
	version ephemeral.Version
	proof   *cardProof // of a login under way
	footing footing    // as sessionIn found it
	slot    slot       // where this browser has it; empty: it has not

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
	Shared   bool                 `json:"sh,omitempty"` // on a computer that others use too
	Apart    bool                 `json:"ap,omitempty"` // of the services that are kept apart, see slot
	Known    int64                `json:"kn,omitempty"` // since when the folder knows this browser, see meetBrowser; Unix milliseconds
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

	For   federation.MandateID `json:"f,omitempty"` // by which it was last entered for somebody else; empty: for herself
	Acted bool                 `json:"x,omitempty"` // it was once entered for somebody else: its session may be in another's name
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

// capacityAt is by which mandate a service was last entered in the session, empty for herself; false: it was not entered, or was left.
func (s *session) capacityAt(id clients.ID) (federation.MandateID, bool) {
	for _, c := range s.Clients {
		if c.ID == id {
			return c.For, true
		}
	}
	return "", false
}

// sessions keeps sessions, and for each person the list of them, in the ephemeral store.
type sessions struct {
	store   ephemeral.Store
	entries entries
	rules   SessionRules
	now     func() time.Time
}

func sessionKey(id string) string                  { return "session:1:" + id }
func sessionListKey(a federation.AccountID) string { return "sessions:1:" + string(a) }

// open stores a new session under the id it has been given and returns the cookie's value, and the person's sessions that are more than
// there may be: the caller ends them. The secret is new at every login, so that a value planted in a browser beforehand is worth nothing.
func (s sessions) open(ctx context.Context, n *session) (cookie string, over []string, err error) {
	secret := newSecret()
	n.Secret = digest(secret)
	n.Created, n.Last = s.now().UnixMilli(), s.now().Unix()
	b, err := json.Marshal(n)
	if err != nil {
		return "", nil, fmt.Errorf("encode session: %w", err)
	}
	// The list comes first: a crash in between leaves an id in the list that leads nowhere, not a session nobody can end.
	err = s.list(ctx, n.Account, func(ids []string) []string {
		ids = append(ids, n.ID)
		over = slices.Clone(ids[:max(0, len(ids)-maxSessions)])
		return ids
	})
	if err != nil {
		return "", nil, err
	}
	if err := s.store.Create(ctx, sessionKey(n.ID), b, s.remaining(n)); err != nil {
		return "", nil, fmt.Errorf("store session: %w", err)
	}
	return n.ID + "." + secret, over, nil
}

// renew makes n the login of the session old, of the same person: a new secret, the same id and services.
func (s sessions) renew(ctx context.Context, old, n *session) (cookie string, over []string, err error) {
	secret := newSecret()
	for range 8 {
		n.ID, n.Secret, n.Clients = old.ID, digest(secret), old.Clients
		n.Shared = n.Shared || old.Shared
		if n.proof == nil || n.ACR == ACRRemote { // what was added to a session that this computer's reader watches ends with its card
			n.Removal = old.Removal
		}
		n.Created, n.Last = s.now().UnixMilli(), s.now().Unix()
		b, err := json.Marshal(n)
		if err != nil {
			return "", nil, fmt.Errorf("encode session: %w", err)
		}
		err = s.store.Swap(ctx, sessionKey(n.ID), old.version, b, s.remaining(n))
		if err == nil {
			return n.ID + "." + secret, nil, nil
		}
		if !errors.Is(err, ephemeral.ErrConflict) {
			return "", nil, fmt.Errorf("store session: %w", err)
		}
		if old, err = s.get(ctx, n.ID); err != nil {
			return "", nil, err
		}
		if old == nil { // it ended just now, and its services are being told: none of them is in the new one
			n.Clients = nil
			return s.open(ctx, n)
		}
	}
	return "", nil, fmt.Errorf("session %s: %w", n.ID, ephemeral.ErrConflict)
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
	now := s.now()
	if now.Sub(time.UnixMilli(n.Created)) >= s.rules.Absolute || now.Sub(time.Unix(n.Last, 0)) >= s.rules.idleOf(n)+time.Second {
		return nil, nil // the record lives a fraction of a second longer or shorter; a rule may have become stricter
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

// become takes what the store has by now. What this request found out of the session stays: where its cookie is, and how its card stands.
func (s *session) become(fresh *session) {
	fresh.footing, fresh.slot, fresh.proof = s.footing, s.slot, s.proof
	*s = *fresh
}

// touch records use: the service entered, if any, and the time. A lost swap is another use of the same session at the same time,
// and is tried again: a service's tokens live as long as the session names it.
func (s sessions) touch(ctx context.Context, n *session, entered clients.ID) error {
	for range 8 {
		isNew := entered != "" && n.since(entered) == 0
		now := s.now()
		if !isNew && now.Sub(time.Unix(n.Last, 0)) < s.rules.touch(n) {
			return nil
		}
		if isNew {
			// Before the session names it: a service that was entered is told of the end, whatever happens in between.
			if err := s.entries.enter(ctx, n, entered, now.Add(s.remaining(n))); err != nil {
				return err
			}
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
		n.become(fresh)
	}
	return fmt.Errorf("session %s: %w", n.ID, ephemeral.ErrConflict)
}

// enteredFor records for whom a service of the session was entered last.
func (s sessions) enteredFor(ctx context.Context, n *session, client clients.ID, mandate federation.MandateID) error {
	for range 8 {
		i := slices.IndexFunc(n.Clients, func(c sessionClient) bool { return c.ID == client })
		if i < 0 {
			return errSessionEnded
		}
		if n.Clients[i].For == mandate {
			return nil
		}
		n.Clients[i].For = mandate
		n.Clients[i].Acted = n.Clients[i].Acted || mandate != ""
		b, err := json.Marshal(n)
		if err != nil {
			return fmt.Errorf("encode session: %w", err)
		}
		err = s.store.Swap(ctx, sessionKey(n.ID), n.version, b, s.remaining(n))
		if err != nil && !errors.Is(err, ephemeral.ErrConflict) {
			return fmt.Errorf("store session: %w", err)
		}
		fresh, err2 := s.get(ctx, n.ID)
		if err2 != nil {
			return err2
		}
		if fresh == nil {
			return errSessionEnded
		}
		n.become(fresh)
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("session %s: %w", n.ID, ephemeral.ErrConflict)
}

var errSessionEnded = errors.New("session ended meanwhile")

func (s sessions) remaining(n *session) time.Duration {
	absolute := time.UnixMilli(n.Created).Add(s.rules.Absolute).Sub(s.now())
	return max(time.Second, min(s.rules.idleOf(n), absolute))
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
	return last, s.forget(ctx, n.Account, n.ID)
}

// forget takes sessions that are over off the person's list.
func (s sessions) forget(ctx context.Context, a federation.AccountID, over ...string) error {
	return s.list(ctx, a, func(ids []string) []string {
		return slices.DeleteFunc(ids, func(id string) bool { return slices.Contains(over, id) })
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
		if n := len(ids); n > maxListed {
			// Whoever made these was kept from ending the oldest. A session that no list names could not be ended by its owner.
			for _, id := range ids[:n-maxListed] {
				if err := s.store.Delete(ctx, sessionKey(id)); err != nil {
					return fmt.Errorf("delete oldest session: %w", err)
				}
			}
			ids = ids[n-maxListed:]
		}
		b, err := json.Marshal(ids)
		if err != nil {
			return fmt.Errorf("encode session list: %w", err)
		}
		if absent {
			err = s.store.Create(ctx, sessionListKey(a), b, s.rules.Absolute)
		} else {
			err = s.store.Swap(ctx, sessionListKey(a), rec.Version, b, s.rules.Absolute)
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
