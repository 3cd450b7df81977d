package cardauth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	maxLists   = 4096             // municipalities times generations of the authority
	listPause  = 10 * time.Second // between attempts at a list that could not be had
	listFactor = 5                // a list may take this many times the responder's timeout
)

// listKey is one revocation list: of one authority, for one municipality.
type listKey struct {
	keyID [keyIDLen]byte
	point pointDigest
}

// pointDigest is SHA-256 of the name of a distribution point, DER.
type pointDigest [sha256.Size]byte

func digestPoint(name []byte) pointDigest { return sha256.Sum256(name) }

// listEntry is what is known about a list.
type listEntry struct {
	list    *crl // nil: never had
	fetched time.Time
	tried   time.Time
	err     error // of the last try
}

// currentList returns a verified, current list for the certificate's distribution
// point. It is fetched when first needed and again after CRLRefresh; one that
// could not be fetched anew counts until its nextUpdate. Of many logins that
// need the same list, one fetches.
func (r *Revocation) currentList(ctx context.Context, h Handle, issuer *anchor) (*crl, error) {
	key := listKey{h.issuerKey, h.point}
	e := r.known(key)
	now := r.deps.Now()
	stale := e.list == nil || !now.Before(e.fetched.Add(r.deps.CRLRefresh)) || now.After(e.list.nextUpdate)
	if stale && !now.Before(e.tried.Add(listPause)) {
		done := r.flight.DoChan(issuer.id+hex.EncodeToString(key.point[:]), func() (any, error) {
			// The others wait for this one: its own caller hanging up must not end it.
			r.refresh(context.WithoutCancel(ctx), key, issuer)
			return nil, nil
		})
		select {
		case <-done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		e = r.known(key)
	}
	switch {
	case e.list == nil && e.err != nil:
		return nil, e.err
	case e.list == nil:
		return nil, errors.New("no list")
	case now.After(e.list.nextUpdate):
		return nil, errors.Join(errors.New("list has run out"), e.err)
	}
	return e.list, nil
}

func (r *Revocation) known(key listKey) listEntry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lists[key]
}

// refresh fetches a list and remembers the outcome. A list that does not hold
// what it must never replaces one that does, and neither does an older one.
func (r *Revocation) refresh(ctx context.Context, key listKey, issuer *anchor) {
	list, err := r.fetchList(ctx, key.point, issuer)
	now := r.deps.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.lists[key]
	if err == nil && e.list != nil && list.thisUpdate.Before(e.list.thisUpdate) {
		err = errors.New("list is older than the one before")
	}
	e.tried, e.err = now, err
	if err == nil {
		e.list, e.fetched, e.tried = list, now, time.Time{}
	}
	if _, there := r.lists[key]; !there && len(r.lists) >= maxLists {
		for victim := range r.lists { // any: the next login fetches it again
			delete(r.lists, victim)
			break
		}
	}
	r.lists[key] = e
}

// fetchList downloads and judges a list (RFC 5280 §6.3.3).
func (r *Revocation) fetchList(ctx context.Context, point pointDigest, issuer *anchor) (*crl, error) {
	if r.deps.CRL == "" {
		return nil, errors.New("no lists configured")
	}
	ctx, cancel := context.WithTimeout(ctx, listFactor*r.deps.Timeout)
	defer cancel()
	req, err := newRequest(ctx, http.MethodGet, r.deps.CRL+listPath(point), nil)
	if err != nil {
		return nil, err
	}
	der, err := fetch(r.client, req, maxCRL)
	if err != nil {
		return nil, err
	}
	return r.judgeList(der, point, issuer)
}

// listPath is where a mirror keeps the list of a distribution point.
func listPath(point pointDigest) string {
	return "/" + hex.EncodeToString(point[:]) + ".crl"
}

func (r *Revocation) judgeList(der []byte, point pointDigest, issuer *anchor) (*crl, error) {
	c, err := parseCRL(der)
	if err != nil {
		return nil, err
	}
	now := r.deps.Now()
	switch {
	case !bytes.Equal(c.issuer, issuer.cert.RawSubject):
		return nil, errors.New("list of another authority")
	case c.authorityKeyID != nil && !bytes.Equal(c.authorityKeyID, issuer.cert.SubjectKeyId):
		return nil, errors.New("list under another key of the authority")
	case c.point == nil || digestPoint(c.point) != point:
		return nil, errors.New("list of another distribution point")
	case c.thisUpdate.After(now.Add(r.deps.Skew)):
		return nil, errors.New("list from the future")
	case now.After(c.nextUpdate):
		return nil, errors.New("list has run out")
	}
	if err = checkSigned(issuer.cert, c.algorithm, c.signed, c.signature); err != nil {
		return nil, fmt.Errorf("list signature: %w", err)
	}
	c.signed, c.signature, c.issuer, c.point, c.authorityKeyID = nil, nil, nil, nil, nil // the download may go
	return c, nil
}
