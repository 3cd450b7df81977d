package cardauth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/ades"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// challengeType is the JWT's explicit type (RFC 8725 §3.11), which keeps it
// apart from every other token the hub signs.
const challengeType = "card-challenge+jwt"

const (
	defaultLife = 2 * time.Minute
	// remembered is how long after its end a challenge is still told apart
	// from one that never was: as long as a login may take.
	remembered = 10 * time.Minute
	idLen      = 43 // 256 bits, base64url
)

// challengeStore is the part of an ephemeral store that challenges need.
type challengeStore interface {
	Get(ctx context.Context, key string) (ephemeral.Record, error)
	Create(ctx context.Context, key string, value []byte, ttl time.Duration) error
	Swap(ctx context.Context, key string, old ephemeral.Version, value []byte, ttl time.Duration) error
}

// Deps is what challenges are made of. All but Life are required.
type Deps struct {
	Store challengeStore
	// Sign makes a compact JWS with the given typ under the hub's key.
	Sign   func(typ string, claims any) (string, error)
	Issuer string // the hub, as in its discovery document
	Now    func() time.Time
	Life   time.Duration // zero means two minutes
}

// Challenges issues challenges and lets each be answered once.
type Challenges struct {
	deps   Deps
	typ    string // of the JWT
	prefix string // of the keys in the store
}

// NewChallenges returns challenges of one issuer.
func NewChallenges(d Deps) *Challenges { return newChallenges(d, challengeType, "challenge:1:") }

func newChallenges(d Deps, typ, prefix string) *Challenges {
	if d.Life == 0 {
		d.Life = defaultLife
	}
	return &Challenges{deps: d, typ: typ, prefix: prefix}
}

// Request is what the citizen is asked to confirm with the card.
type Request struct {
	ClientID     string // empty for the hub's own pages, which then go by the issuer's name
	ClientName   string // shown by the card app
	RedirectHost string // where the login ends; shown too
	ACR          string
	Bound        string // the login in the caller's terms; given back, never sent out
	// Watch asks the card app to stay and to report that the card was taken
	// out. It is a wish: nothing that is signed depends on it.
	Watch bool
}

// signing is what a signature request has beside.
type signing struct {
	purpose  string
	document *ades.Document
	page     string
}

// challengeClaims is the payload of the challenge JWT.
type challengeClaims struct {
	Issuer       string `json:"iss"`
	ID           string `json:"jti"`
	Nonce        string `json:"nonce"`
	ClientID     string `json:"client_id"`
	ClientName   string `json:"client_name"`
	RedirectHost string `json:"redirect_host"`
	ACR          string `json:"acr,omitempty"`
	IssuedAt     int64  `json:"iat"`
	Expires      int64  `json:"exp"`
	Watch        bool   `json:"card_watch,omitempty"`

	// What a signature request has beside.
	Purpose  string         `json:"purpose,omitempty"`
	Document *ades.Document `json:"document,omitempty"`
	Page     string         `json:"page,omitempty"`
}

// record is a challenge in the store. Once spent, only Bound, Expires and Spent remain.
type record struct {
	JWT          string `json:"jwt,omitempty"`
	Nonce        string `json:"nonce,omitempty"`
	ClientID     string `json:"client_id,omitempty"`
	RedirectHost string `json:"redirect_host,omitempty"`
	ACR          string `json:"acr,omitempty"`
	Bound        string `json:"bound,omitempty"`
	Expires      int64  `json:"exp"`
	Spent        bool   `json:"spent,omitempty"`

	Purpose  string         `json:"purpose,omitempty"`
	Document *ades.Document `json:"document,omitempty"`
}

func (c *Challenges) key(id string) string { return c.prefix + id }

// random returns 256 random bits in base64url.
func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // cannot fail
	return base64.RawURLEncoding.EncodeToString(b)
}

// Issue makes a challenge and returns its id. Alone it logs nobody in: an answer
// needs the card, and the login needs the browser that started it. But whoever
// else knows it while it is open can answer with a card of their own, so it is
// told to that browser only (docs/model, LEAK_CHALLENGE).
func (c *Challenges) Issue(ctx context.Context, r Request) (string, error) {
	return c.issue(ctx, r, signing{})
}

// issue makes a challenge, or with a purpose a request for a signature.
func (c *Challenges) issue(ctx context.Context, r Request, s signing) (string, error) {
	now := c.deps.Now()
	if r.ClientID == "" {
		r.ClientID = c.deps.Issuer
	}
	claims := challengeClaims{
		Issuer: c.deps.Issuer, ID: random(), Nonce: random(),
		ClientID: r.ClientID, ClientName: r.ClientName, RedirectHost: r.RedirectHost, ACR: r.ACR,
		IssuedAt: now.Unix(), Expires: now.Add(c.deps.Life).Unix(), Watch: r.Watch,
		Purpose: s.purpose, Document: s.document, Page: s.page,
	}
	jwt, err := c.deps.Sign(c.typ, claims)
	if err != nil {
		return "", fmt.Errorf("sign challenge: %w", err)
	}
	value, err := json.Marshal(record{
		JWT: jwt, Nonce: claims.Nonce, ClientID: r.ClientID, RedirectHost: r.RedirectHost, ACR: r.ACR,
		Bound: r.Bound, Expires: claims.Expires, Purpose: s.purpose, Document: s.document,
	})
	if err != nil {
		return "", fmt.Errorf("encode challenge: %w", err)
	}
	if err = c.deps.Store.Create(ctx, c.key(claims.ID), value, c.deps.Life+remembered); err != nil {
		return "", fmt.Errorf("store challenge: %w", err)
	}
	return claims.ID, nil
}

// JWT returns the challenge to show and to answer, the same bytes every time.
// One that cannot be answered any more is an *Error: ChallengeUnknown,
// ChallengeExpired or ChallengeSpent.
func (c *Challenges) JWT(ctx context.Context, id string) (string, error) {
	rec, _, err := c.open(ctx, id)
	return rec.JWT, err
}

// open returns a challenge that can still be answered.
func (c *Challenges) open(ctx context.Context, id string) (record, ephemeral.Version, error) {
	if len(id) != idLen {
		return record{}, 0, refuse(ChallengeUnknown, "no id of ours")
	}
	if _, ok := fromBase64(base64.RawURLEncoding, id); !ok {
		return record{}, 0, refuse(ChallengeUnknown, "no id of ours")
	}
	stored, err := c.deps.Store.Get(ctx, c.key(id))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return record{}, 0, refuse(ChallengeUnknown, "")
	}
	if err != nil {
		return record{}, 0, fmt.Errorf("read challenge: %w", err)
	}
	var rec record
	if err = json.Unmarshal(stored.Value, &rec); err != nil {
		return record{}, 0, fmt.Errorf("decode challenge: %w", err)
	}
	switch {
	case rec.Spent:
		return record{}, 0, &Error{Reason: ChallengeSpent, Bound: rec.Bound}
	case c.deps.Now().Unix() >= rec.Expires:
		return record{}, 0, &Error{Reason: ChallengeExpired, Bound: rec.Bound}
	}
	return rec, stored.Version, nil
}

// take spends a challenge: of all who ask at once, one gets it. What is left
// is a tombstone, in the same write, so that everybody else hears
// ChallengeSpent and never ChallengeUnknown; a crash leaves the challenge
// either open or spent.
func (c *Challenges) take(ctx context.Context, id string) (record, error) {
	rec, version, err := c.open(ctx, id)
	if err != nil {
		return record{}, err
	}
	tombstone, err := json.Marshal(record{Bound: rec.Bound, Expires: rec.Expires, Spent: true})
	if err != nil {
		return record{}, fmt.Errorf("encode challenge: %w", err)
	}
	err = c.deps.Store.Swap(ctx, c.key(id), version, tombstone, ephemeral.KeepLife)
	if errors.Is(err, ephemeral.ErrConflict) {
		return record{}, &Error{Reason: ChallengeSpent, Bound: rec.Bound}
	}
	if err != nil {
		return record{}, fmt.Errorf("spend challenge: %w", err)
	}
	return rec, nil
}
