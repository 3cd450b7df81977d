package clients

import (
	"context"
	"errors"
	"time"

	"github.com/tsunagu-id/tsunagu/keys"
)

const (
	// keysFresh is how long a fetched key set is used without asking again. A key
	// that a client takes out of its set is refused after that time.
	keysFresh = 10 * time.Minute
	// keysStale is how long it is used while the client's server does not answer.
	keysStale = time.Hour
	// retryAfter is the least time between two requests to one address, whatever
	// tokens arrive: an unknown key id is anybody's to send.
	retryAfter = 30 * time.Second
	// maxRemote bounds the number of key sets kept.
	maxRemote = 4096
)

var (
	errOutOfDate    = errors.New("key set is out of date")
	errNothingOfUse = errors.New("key set has neither a key of use here nor a certificate")
)

// remoteSet is what is known of the key set at an address.
type remoteSet struct {
	set     keys.PublicSet
	fetched time.Time // zero: never
	tried   time.Time
	err     error // of the last try
}

// usable returns the set if it was fetched less than the given time ago, or else
// why the last try failed.
func (s remoteSet) usable(now time.Time, within time.Duration) (keys.PublicSet, error) {
	if !s.fetched.IsZero() && now.Sub(s.fetched) < within {
		return s.set, nil
	}
	if s.err != nil {
		return keys.PublicSet{}, s.err
	}
	return keys.PublicSet{}, errOutOfDate
}

// keys returns the key set at an address, from memory while it is fresh.
func (f *Fetcher) keys(ctx context.Context, address string) (keys.PublicSet, error) {
	if set, err := f.known(address).usable(f.now(), keysFresh); err == nil {
		return set, nil
	}
	return f.refresh(ctx, address)
}

// refresh asks the address, unless it was asked less than retryAfter ago; then, and
// if it fails, what is known is used while it is not stale. Requests for one
// address are joined, and one caller that gives up does not cut off the others.
func (f *Fetcher) refresh(ctx context.Context, address string) (keys.PublicSet, error) {
	known := f.known(address)
	if !known.tried.IsZero() && f.now().Sub(known.tried) < retryAfter {
		return known.usable(f.now(), keysStale)
	}
	done := f.flight.DoChan(address, func() (any, error) {
		return nil, f.load(context.WithoutCancel(ctx), address)
	})
	select {
	case <-done:
		return f.known(address).usable(f.now(), keysStale)
	case <-ctx.Done():
		return keys.PublicSet{}, ctx.Err()
	}
}

func (f *Fetcher) known(address string) remoteSet {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sets[address]
}

// load fetches, judges and remembers, success or failure.
func (f *Fetcher) load(ctx context.Context, address string) error {
	body, err := f.get(ctx, address)
	var set keys.PublicSet
	if err == nil {
		set, err = keys.ReadPublicSet(body)
	}
	if err == nil && set.Empty() && !set.HasCertificates() {
		err = errNothingOfUse
	}
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.sets[address]
	s.tried, s.err = now, err
	if err == nil {
		s.set, s.fetched = set, now
	}
	if _, there := f.sets[address]; !there && len(f.sets) >= maxRemote {
		f.drop(now)
	}
	f.sets[address] = s
	return err
}

// drop makes room: addresses that no client names any more are not asked again and
// grow old; should all be young, the oldest goes.
func (f *Fetcher) drop(now time.Time) {
	var oldest string
	for address, s := range f.sets {
		if now.Sub(s.tried) >= keysStale {
			delete(f.sets, address)
		} else if oldest == "" || s.tried.Before(f.sets[oldest].tried) {
			oldest = address
		}
	}
	if len(f.sets) >= maxRemote {
		delete(f.sets, oldest)
	}
}

// dialled returns host and port as the transport dials them.
func (a address) dialled() string {
	if a.port != "" {
		return a.authority()
	}
	if a.scheme == "http" {
		return a.host + ":80"
	}
	return a.host + ":443"
}
