package cardauth

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/tsunagu-id/tsunagu/internal/metrics"
)

const (
	defaultTimeout    = 3 * time.Second
	defaultSkew       = time.Minute
	defaultWindow     = time.Hour // responders' data is renewed every quarter of an hour
	defaultCRLRefresh = time.Hour // lists are renewed daily
	defaultList       = 2 * time.Minute
	defaultListBytes  = 512 << 20
	defaultEntries    = 8 << 20
	maxAnswers        = 1 << 16 // remembered OCSP answers
)

// RevocationDeps says where and how revocation is asked. Only Now is required.
type RevocationDeps struct {
	Now  func() time.Time
	HTTP *http.Client // nil: one of its own. Redirects are never followed
	// OCSP is the responder's address instead of the one in the certificate.
	OCSP string
	// OCSPFallback are responders that are asked when the first does not answer,
	// in this order; at most four.
	OCSPFallback []string
	// CRL is where the authorities' lists are mirrored: the list of a
	// distribution point is at CRL/{key identifier of the authority, hex}/{hex
	// SHA-256 of the point's name, DER}.crl. The names are entries of a directory
	// that is not on the Web, and generations of the authority share them. Empty:
	// no lists, so that a silent responder means refusal.
	CRL string
	// WholeList says that each authority has one list for all its certificates,
	// at CRL/{key identifier}/all.crl, instead of one for each distribution point.
	WholeList bool
	// Anchors and SigningAnchors are the authorities whose lists Run gets before
	// they are needed; nil: none.
	Anchors        *Anchors
	SigningAnchors *SigningAnchors
	// Directory is where lists are kept for the next start; empty: nowhere.
	Directory string
	Timeout   time.Duration // of one question; zero means 3 s. A login waits for a list five times as long
	// ListTimeout is how long a list may take to arrive; zero means two minutes.
	ListTimeout time.Duration
	// MaxListBytes and MaxListEntries bound one list; zero means 512 MB and
	// eight million. All lists together hold at most twelve million.
	MaxListBytes   int64
	MaxListEntries int
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
	Metrics       *metrics.Registry // nil: nobody looks
	// Purpose is what the certificates are for, in metrics: "login" if empty, or
	// "signature".
	Purpose string
}

// Revocation finds out whether a certificate was taken back. It is safe for
// concurrent use. Run keeps its lists fresh; without it a list is fetched when a
// login needs one and there is none.
type Revocation struct {
	deps       RevocationDeps
	client     *http.Client
	responders *responders
	metrics    *revocationMetrics
	random     func() float64 // in [0, 1)

	asking    singleflight.Group // by certificate
	fetching  singleflight.Group // by list
	downloads *semaphore.Weighted

	listsMu sync.RWMutex
	lists   map[listKey]*heldList
	stored  atomic.Int64 // entries of all lists
	reading atomic.Int64 // entries of those that are being read, by the step

	mu      sync.Mutex
	answers map[answerKey]heldAnswer
}

// answerKey is one certificate.
type answerKey struct {
	issuerKey [keyIDLen]byte
	serial    uint32
}

// flight names the question about a certificate.
func (k answerKey) flight() string {
	return string(binary.BigEndian.AppendUint32(k.issuerKey[:], k.serial))
}

// heldAnswer is a good OCSP answer and when it stops counting.
type heldAnswer struct {
	fresh Freshness
	until time.Time // by the calendar
}

// counts goes by both clocks that a time may carry: the monotonic one stands
// still while a machine sleeps, and the calendar's can be put back.
func (h heldAnswer) counts(now time.Time, maxAge time.Duration) bool {
	day := now.Round(0)
	return now.Sub(h.fresh.CheckedAt) < maxAge && day.Before(h.until) && !day.Before(h.fresh.CheckedAt.Round(0))
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
		&d.ListTimeout: defaultList,
	} {
		if *value == 0 {
			*value = def
		}
	}
	if d.Purpose == "" {
		d.Purpose = "login"
	}
	if d.MaxListBytes == 0 {
		d.MaxListBytes = defaultListBytes
	}
	if d.MaxListEntries == 0 {
		d.MaxListEntries = defaultEntries
	}
	if d.HTTP == nil {
		d.HTTP = newHTTP()
	}
	who, err := newResponders(d)
	if err != nil {
		return nil, err
	}
	r := &Revocation{
		deps: d, client: withoutRedirects(d.HTTP), responders: who, random: fraction, downloads: semaphore.NewWeighted(maxDownloads),
		lists: map[listKey]*heldList{}, answers: map[answerKey]heldAnswer{},
	}
	r.metrics = newRevocationMetrics(r)
	return r, nil
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
	one, ocspErr := r.ask(ctx, key, h, issuer)
	if ocspErr == nil {
		switch one.status {
		case statusGood:
			return Freshness{Source: "ocsp", ProducedAt: one.thisUpdate, CheckedAt: one.checked}, nil
		case statusRevoked:
			return Freshness{}, revokedBy("OCSP", one.why)
		case statusUnknown:
			return Freshness{}, refuse(RevocationUnavailable, "the authority does not know the certificate")
		}
	}
	list, listErr := r.currentList(ctx, h, issuer)
	if listErr != nil {
		why := errors.Join(ocspErr, listErr).Error() // of the services, and of no certificate
		return Freshness{}, refuse(RevocationUnavailable, strings.ReplaceAll(why, "\n", "; "))
	}
	if why, revoked := list.entries.find(h.serial); revoked {
		return Freshness{}, revokedBy("list", why)
	}
	return Freshness{Source: "crl", ProducedAt: list.thisUpdate, CheckedAt: r.deps.Now()}, nil
}

// ask asks the responders about a certificate. Of many who want to know about
// the same one at once, one asks; that one hanging up does not end it for the
// others.
func (r *Revocation) ask(ctx context.Context, key answerKey, h Handle, issuer *anchor) (singleAnswer, error) {
	result := r.asking.DoChan(key.flight(), func() (any, error) {
		one, err := r.askOCSP(context.WithoutCancel(ctx), h, issuer)
		if err == nil && one.status == statusGood {
			r.hold(key, Freshness{Source: "ocsp", ProducedAt: one.thisUpdate, CheckedAt: one.checked}, one.nextUpdate)
		}
		return one, err
	})
	select {
	case got := <-result:
		one, _ := got.Val.(singleAnswer)
		return one, got.Err
	case <-ctx.Done():
		return singleAnswer{}, ctx.Err()
	}
}

// held returns a good answer that still counts.
func (r *Revocation) held(key answerKey) (Freshness, bool) {
	if r.deps.MaxAge <= 0 {
		return Freshness{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h, ok := r.answers[key]
	if ok && !h.counts(r.deps.Now(), r.deps.MaxAge) {
		delete(r.answers, key)
		ok = false
	}
	return h.fresh, ok
}

// hold remembers a good answer. One without nextUpdate says that newer
// information is always available (RFC 6960 §4.2.2.1), and is not held.
func (r *Revocation) hold(key answerKey, fresh Freshness, nextUpdate time.Time) {
	until := fresh.CheckedAt.Round(0).Add(r.deps.MaxAge)
	if nextUpdate.Before(until) {
		until = nextUpdate
	}
	if r.deps.MaxAge <= 0 || !fresh.CheckedAt.Round(0).Before(until) {
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
