package cardauth

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	listPause    = 10 * time.Second // before the second try at a list that could not be had
	maxListPause = 5 * time.Minute
	lookEvery    = time.Second // how often Run looks for lists that are due
	background   = 4           // lists that Run fetches at once
)

// Run keeps the lists fresh until ctx ends, then returns nil: those of the
// configured authorities that an earlier start left in the directory, the whole
// list of each if there are such, and every list that a login needed. A list
// that could not be had anew counts until its nextUpdate.
func (r *Revocation) Run(ctx context.Context) error {
	if r.deps.CRL == "" {
		<-ctx.Done()
		return nil
	}
	r.recall()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		r.refreshDue(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// refreshDue fetches the lists that are due, a few at a time.
func (r *Revocation) refreshDue(ctx context.Context) {
	now := r.deps.Now()
	r.listsMu.RLock()
	var due []*heldList
	for _, l := range r.lists {
		if is, _ := l.isDue(now); is {
			due = append(due, l)
		}
	}
	r.listsMu.RUnlock()
	var g errgroup.Group
	g.SetLimit(background)
	for _, l := range due {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			select {
			case <-r.refreshOnce(ctx, l):
			case <-ctx.Done(): // it ends by its own timeout
			}
			return nil
		})
	}
	_ = g.Wait() // no error: see above
}

// recall makes places for the lists that are known before anybody logs in.
func (r *Revocation) recall() {
	var known []*anchor
	if r.deps.Anchors != nil {
		known = slices.AppendSeq(known, maps.Values(r.deps.Anchors.byKeyID))
	}
	if r.deps.SigningAnchors != nil {
		known = slices.AppendSeq(known, maps.Values(r.deps.SigningAnchors.set.byKeyID))
	}
	for _, a := range known {
		whole := listKey{issuer: [keyIDLen]byte(a.cert.SubjectKeyId)}
		if r.deps.WholeList {
			_, _ = r.place(whole, a) // a full table: no room for more
		}
		r.recallPoints(whole, a)
	}
}

// recallPoints finds an authority's lists in the directory, and clears away what
// a crash left half-written.
func (r *Revocation) recallPoints(key listKey, a *anchor) {
	if r.deps.Directory == "" {
		return
	}
	folder := filepath.Dir(filepath.Join(r.deps.Directory, key.path()))
	entries, err := os.ReadDir(folder)
	if err != nil {
		return // no list of this authority yet
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), temporaryPrefix) {
			_ = os.Remove(filepath.Join(folder, e.Name())) // or at the next start
			continue
		}
		digest, err := hex.DecodeString(strings.TrimSuffix(e.Name(), ".crl"))
		if err != nil || len(digest) != len(key.point) || r.deps.WholeList {
			continue
		}
		key.point = pointDigest(digest)
		_, _ = r.place(key, a) // a full table: no room for more
	}
}

// untilRefresh says when to look for a newer list: after CRLRefresh, or half of
// what is left of this one if that is sooner, less up to a quarter, so that it is
// never the same moment for all lists.
func (r *Revocation) untilRefresh(now, nextUpdate time.Time) time.Duration {
	return max(listPause, r.spread(r.soon(now, nextUpdate), 0.75))
}

// soon is CRLRefresh, or half of what is left of a list if that is sooner.
func (r *Revocation) soon(now, nextUpdate time.Time) time.Duration {
	return min(r.deps.CRLRefresh, nextUpdate.Sub(now)/2)
}

// backoff says when to try again after a failure: twice as long each time.
func (r *Revocation) backoff(l *heldList) time.Duration {
	l.mu.Lock()
	fails := l.fails
	l.mu.Unlock()
	pause := maxListPause
	if fails < 8 {
		pause = min(maxListPause, listPause<<fails)
	}
	return r.spread(pause, 0.5)
}

// spread returns a part of d between from and all of it, at random.
func (r *Revocation) spread(d time.Duration, from float64) time.Duration {
	return time.Duration(float64(d) * (from + (1-from)*r.random()))
}

// fraction is a random number in [0, 1).
func fraction() float64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // cannot fail
	return float64(binary.BigEndian.Uint64(b[:])>>11) / (1 << 53)
}
