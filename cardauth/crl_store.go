package cardauth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// maxLists bounds the table: municipalities times generations of the
	// authority. Only certificates that an anchor signed put lists into it.
	maxLists = 8192
	// maxStored bounds the entries of all lists together, and once more those of
	// lists that nobody has verified yet: 48 MB each.
	maxStored  = 12 << 20
	listFactor = 5 // a login waits for a list this many times the responder's timeout
)

// listOf returns the place of the list that a certificate would be on.
func (r *Revocation) listOf(h Handle, issuer *anchor) (*heldList, error) {
	key := listKey{issuer: h.issuerKey, point: h.point}
	if r.deps.WholeList {
		key.point = pointDigest{}
	}
	return r.place(key, issuer)
}

func (r *Revocation) place(key listKey, issuer *anchor) (*heldList, error) {
	r.listsMu.RLock()
	l := r.lists[key]
	r.listsMu.RUnlock()
	if l != nil {
		return l, nil
	}
	r.listsMu.Lock()
	defer r.listsMu.Unlock()
	if l = r.lists[key]; l != nil {
		return l, nil
	}
	if len(r.lists) >= maxLists {
		return nil, errors.New("too many lists")
	}
	l = &heldList{key: key, issuer: issuer}
	r.lists[key] = l
	return l, nil
}

// currentList returns a verified, current list for the certificate's
// distribution point. A login waits only where there is none; newer ones are
// Run's business. Of many logins that need the same list, one fetches.
func (r *Revocation) currentList(ctx context.Context, h Handle, issuer *anchor) (*crl, error) {
	if r.deps.CRL == "" {
		return nil, errors.New("no lists configured")
	}
	l, err := r.listOf(h, issuer)
	if err != nil {
		return nil, err
	}
	if c, ok := l.good(r.deps.Now()); ok {
		return c, nil
	}
	if due, why := l.isDue(r.deps.Now()); !due {
		return nil, fmt.Errorf("no list, and not asked again yet: %w", why)
	}
	wait, cancel := context.WithTimeout(ctx, listFactor*r.deps.Timeout)
	defer cancel()
	select {
	case <-r.refreshOnce(ctx, l):
	case <-wait.Done():
		return nil, fmt.Errorf("waiting for a list: %w", wait.Err())
	}
	if c, ok := l.good(r.deps.Now()); ok {
		return c, nil
	}
	_, why := l.isDue(r.deps.Now())
	return nil, errors.Join(errors.New("no list, or one that has run out"), why)
}

// refreshOnce fetches a list unless that is under way, and says when it ended.
func (r *Revocation) refreshOnce(ctx context.Context, l *heldList) <-chan struct{} {
	ended := make(chan struct{})
	result := r.fetching.DoChan(string(l.key.issuer[:])+string(l.key.point[:]), func() (any, error) {
		// Others wait for this one: its own caller hanging up must not end it.
		r.refresh(context.WithoutCancel(ctx), l)
		return nil, nil
	})
	go func() { <-result; close(ended) }()
	return ended
}

// refresh gets a list, from the directory if there was none since the start,
// else from the mirror, and remembers the outcome. What does not hold what it
// must replaces nothing.
func (r *Revocation) refresh(ctx context.Context, l *heldList) {
	before := l.current.Load()
	if before == nil {
		if c, err := r.fromDirectory(l); err == nil && r.replace(l, nil, c) == nil {
			now := r.deps.Now()
			l.settle(now, r.spread(r.soon(now, c.nextUpdate), 0), "")
			return
		}
	}
	got, err := r.download(ctx, l)
	if err == nil && got.list != nil {
		err = r.replace(l, before, got.list)
	}
	if got.keep(err == nil) != nil {
		r.metrics.copyFailed()
	}
	now := r.deps.Now()
	if err != nil {
		r.metrics.listFailed()
		l.failed(now, r.backoff(l), err)
		return
	}
	l.settle(now, r.untilRefresh(now, l.current.Load().nextUpdate), got.tag)
}

// replace puts a list in the place of the one before, in one step for whoever
// reads it, or says why it must not be. The memory of all lists is bounded here.
func (r *Revocation) replace(l *heldList, before, c *crl) error {
	if err := c.follows(before); err != nil {
		return err
	}
	more := int64(c.entries.count)
	if before != nil {
		more -= int64(before.entries.count)
	}
	if r.stored.Add(more) > maxStored && more > 0 {
		r.stored.Add(-more)
		return errNoRoom
	}
	l.current.Store(c)
	return nil
}

func (l *heldList) settle(now time.Time, until time.Duration, tag string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.due, l.fails, l.err, l.tag = now.Add(until), 0, nil, tag
}

func (l *heldList) failed(now time.Time, pause time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.due, l.err = now.Add(pause), err
	l.fails++
}
