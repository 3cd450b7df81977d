package cardauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	defaultTimeout    = 3 * time.Second
	defaultSkew       = time.Minute
	defaultWindow     = time.Hour // responders' data is renewed every quarter of an hour
	defaultCRLRefresh = time.Hour // lists are renewed daily
	maxAnswers        = 1 << 16   // remembered OCSP answers
)

// RevocationDeps says where and how revocation is asked. Only Now is required.
type RevocationDeps struct {
	Now  func() time.Time
	HTTP *http.Client // nil: one of its own. Redirects are never followed
	// OCSP is the responder's address instead of the one in the certificate.
	OCSP string
	// CRL is where the authority's lists are mirrored: the list of a
	// distribution point is at CRL/{hex SHA-256 of the point's name, DER}.crl.
	// The names are entries of a directory that is not on the Web. Empty: no
	// lists, so that a silent responder means refusal.
	CRL     string
	Timeout time.Duration // of one question; zero means 3 s. A list may take five times as long
	// Skew is how far the authority's clock may be ahead of ours; zero means a minute.
	Skew time.Duration
	// Window is how old an OCSP answer may be; zero means an hour.
	Window time.Duration
	// MaxAge is how long a good OCSP answer counts for further logins with the
	// same certificate, never beyond its nextUpdate. Zero asks every time.
	MaxAge time.Duration
	// CRLRefresh is how long a list is used before a newer one is looked for;
	// zero means an hour.
	CRLRefresh time.Duration
	// NonceOptional accepts OCSP answers without a nonce, for responders that
	// sign in advance. An old "good" can then be replayed for as long as Window.
	NonceOptional bool
}

// Revocation finds out whether a certificate was taken back. It is safe for
// concurrent use and starts nothing: lists are fetched when a login needs them.
type Revocation struct {
	deps   RevocationDeps
	client *http.Client
	flight singleflight.Group

	mu      sync.Mutex
	lists   map[listKey]listEntry
	answers map[answerKey]heldAnswer
}

// answerKey is one certificate.
type answerKey struct {
	issuerKey [keyIDLen]byte
	serial    uint32
}

// heldAnswer is a good OCSP answer and when it stops counting.
type heldAnswer struct {
	fresh Freshness
	until time.Time
}

// NewRevocation returns a Revocation, or an error if an address is unusable.
func NewRevocation(d RevocationDeps) (*Revocation, error) {
	if d.Now == nil {
		return nil, errors.New("revocation: no clock")
	}
	for _, address := range []string{d.OCSP, d.CRL} {
		if address == "" {
			continue
		}
		if err := webAddress(address); err != nil {
			return nil, fmt.Errorf("revocation address: %w", err)
		}
	}
	for value, def := range map[*time.Duration]time.Duration{
		&d.Timeout: defaultTimeout, &d.Skew: defaultSkew, &d.Window: defaultWindow, &d.CRLRefresh: defaultCRLRefresh,
	} {
		if *value == 0 {
			*value = def
		}
	}
	if d.HTTP == nil {
		d.HTTP = newHTTP()
	}
	return &Revocation{
		deps: d, client: withoutRedirects(d.HTTP),
		lists: map[listKey]listEntry{}, answers: map[answerKey]heldAnswer{},
	}, nil
}

// check asks OCSP, then the list, then refuses. A responder that may speak for
// the authority has the last word, also when it says "unknown": a list only
// ever says what was revoked, and cannot vouch for a certificate that the
// authority does not know. An answer that cannot be relied on is no answer.
func (r *Revocation) check(ctx context.Context, h Handle, issuer *anchor) (Freshness, error) {
	key := answerKey{h.issuerKey, h.serial}
	if fresh, ok := r.held(key); ok {
		return fresh, nil
	}
	one, ocspErr := r.askOCSP(ctx, h, issuer)
	if ocspErr == nil {
		switch one.status {
		case statusGood:
			fresh := Freshness{Source: "ocsp", ProducedAt: one.thisUpdate, CheckedAt: r.deps.Now()}
			r.hold(key, fresh, one.nextUpdate)
			return fresh, nil
		case statusRevoked:
			return Freshness{}, revokedBy("OCSP", one.why)
		case statusUnknown:
			return Freshness{}, refuse(RevocationUnavailable, "the authority does not know the certificate")
		}
	}
	list, listErr := r.currentList(ctx, h, issuer)
	if listErr != nil {
		return Freshness{}, &Error{Reason: RevocationUnavailable, Err: errors.Join(ocspErr, listErr)}
	}
	if why, revoked := list.revokes(h.serial); revoked {
		return Freshness{}, revokedBy("list", why)
	}
	return Freshness{Source: "crl", ProducedAt: list.thisUpdate, CheckedAt: r.deps.Now()}, nil
}

// held returns a good answer that still counts.
func (r *Revocation) held(key answerKey) (Freshness, bool) {
	if r.deps.MaxAge <= 0 {
		return Freshness{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h, ok := r.answers[key]
	if ok && !r.deps.Now().Before(h.until) {
		delete(r.answers, key)
		ok = false
	}
	return h.fresh, ok
}

// hold remembers a good answer. One without nextUpdate says that newer
// information is always available (RFC 6960 §4.2.2.1), and is not held.
func (r *Revocation) hold(key answerKey, fresh Freshness, nextUpdate time.Time) {
	until := fresh.CheckedAt.Add(r.deps.MaxAge)
	if nextUpdate.Before(until) {
		until = nextUpdate
	}
	if r.deps.MaxAge <= 0 || !fresh.CheckedAt.Before(until) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.answers) >= maxAnswers {
		for victim := range r.answers { // any: the next login asks again
			delete(r.answers, victim)
			break
		}
	}
	r.answers[key] = heldAnswer{fresh, until}
}
