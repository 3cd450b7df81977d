package cardauth

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// pointDigest is SHA-256 of the name of a distribution point, DER; zero stands
// for the list of all an authority's certificates.
type pointDigest [sha256.Size]byte

func digestPoint(name []byte) pointDigest { return sha256.Sum256(name) }

// listKey is one revocation list: of one authority, for one distribution point.
type listKey struct {
	issuer [keyIDLen]byte
	point  pointDigest
}

// path is where a mirror, or our own directory, has the list.
func (k listKey) path() string {
	name := "all"
	if k.point != (pointDigest{}) {
		name = hex.EncodeToString(k.point[:])
	}
	return hex.EncodeToString(k.issuer[:]) + "/" + name + ".crl"
}

// heldList is a place in the store: what is known about one list. Logins read
// current and nothing else, so that no login waits for one list to replace
// another.
type heldList struct {
	key     listKey
	issuer  *anchor
	current atomic.Pointer[crl] // verified; nil: never had

	mu    sync.Mutex // guards what follows
	due   time.Time  // when it is to be fetched, or tried again
	fails int        // tries that failed since the last that did not
	err   error      // of the last try
	tag   string     // entity tag of the current list; empty: none
}

// good returns the list if there is one that has not run out.
func (l *heldList) good(now time.Time) (*crl, bool) {
	c := l.current.Load()
	return c, c != nil && !now.After(c.nextUpdate)
}

// isDue reports whether the list is to be fetched, and if not why there is none:
// one that ran out is, unless the last try failed.
func (l *heldList) isDue(now time.Time) (bool, error) {
	_, have := l.good(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	return !now.Before(l.due) || !have && l.err == nil, l.err
}

// judgeList reads a list and decides whether it can be relied on (RFC 5280
// §6.3.3): it is this authority's list for this point, of now, and signed.
func (r *Revocation) judgeList(src io.Reader, key listKey, issuer *anchor) (*crl, error) {
	now := r.deps.Now()
	var mine int64
	defer func() { r.reading.Add(-mine) }()
	room := func() bool {
		mine += readStep
		return r.reading.Add(readStep) <= maxStored
	}
	c, err := parseCRL(src, listLimits{r.deps.MaxListBytes, r.deps.MaxListEntries, room}, func(head *crl) error {
		switch {
		case !bytes.Equal(head.issuer, issuer.cert.RawSubject):
			return errors.New("list of another authority")
		case head.thisUpdate.After(now.Add(r.deps.Skew)):
			return errors.New("list from the future")
		case now.After(head.nextUpdate):
			return errListRunOut
		case head.nextUpdate.Before(head.thisUpdate):
			return errors.New("list ends before it begins")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	wanted := pointDigest{}
	if c.point != nil {
		wanted = digestPoint(c.point)
	}
	switch {
	case c.authorityKeyID != nil && !bytes.Equal(c.authorityKeyID, issuer.cert.SubjectKeyId):
		return nil, errors.New("list under another key of the authority")
	case wanted != key.point:
		return nil, errors.New("list of another distribution point")
	}
	public, isRSA := issuer.cert.PublicKey.(*rsa.PublicKey)
	if !isRSA {
		return nil, errors.New("list signature: the authority's key is not RSA")
	}
	if err = rsa.VerifyPKCS1v15(public, c.hash, c.digest, c.signature); err != nil {
		return nil, fmt.Errorf("list signature: %w", err)
	}
	c.entries = c.building.finish()
	c.digest, c.signature, c.issuer, c.point, c.authorityKeyID = nil, nil, nil, nil, nil // what it was judged by may go
	return c, nil
}

var errListRunOut = errors.New("list has run out")

// follows refuses a list that would take the store back: who can serve an old
// list could hide what was revoked since. The same list again is no step back.
func (c *crl) follows(before *crl) error {
	switch {
	case before == nil:
		return nil
	case c.number.Cmp(before.number) < 0:
		return errors.New("list number is lower than the one before")
	case c.thisUpdate.Before(before.thisUpdate):
		return errors.New("list is older than the one before")
	}
	return nil
}
