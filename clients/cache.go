package clients

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how long a cache is trusted without asking the database.
const lookEvery = time.Second

// cache is the clients read since the stamp had one value. A change of any client
// drops the whole of it: clients change a few times a day and are read thousands
// of times a second.
type cache struct {
	stamp     int64
	forgotten bool         // never fresh; takes the place of a cache that was dropped
	looked    atomic.Int64 // Unix nanoseconds of the last comparison with the database
	clients   sync.Map     // ID → *Client
	list      atomic.Pointer[[]*Client]
	servers   atomic.Pointer[map[string]*Client] // by resource; never changed once it is here
}

func (c *cache) fresh(now time.Time) bool {
	age := time.Duration(now.UnixNano() - c.looked.Load())
	return !c.forgotten && 0 <= age && age < lookEvery
}

// Get returns a client, from memory if it can. ErrUnknown: there is none.
// ErrSuspended: there is one, and it is returned beside the error so that a page
// can still name it, but it may not ask for anything. Get must not be called in a
// transaction that changes clients.
func (r *Registry) Get(ctx context.Context, id ID) (*Client, error) {
	if isTwin(id) { // short-lived and rare: not remembered
		if _, err := ParseID(string(id)); err != nil {
			return nil, ErrUnknown
		}
		t, err := r.findTwin(ctx, id)
		return t.Client, err
	}
	cache, err := r.look(ctx)
	if err != nil {
		return nil, err
	}
	var c *Client
	if known, there := cache.clients.Load(id); there {
		c, _ = known.(*Client)
	} else {
		// An unknown id is not remembered: strangers choose them. It costs one read
		// by primary key.
		if _, err := ParseID(string(id)); err != nil {
			return nil, ErrUnknown
		}
		row, err := r.findClient(ctx, id)
		if err != nil {
			return nil, err
		}
		if row.status == statusRetired {
			return nil, ErrUnknown
		}
		if c, err = clientOf(row); err != nil {
			return nil, err
		}
		cache.clients.Store(id, c)
	}
	if c.suspended {
		return c, ErrSuspended
	}
	return c, nil
}

// List returns all clients that are not suspended, in the order of their ids. The
// caller must not change the slice.
func (r *Registry) List(ctx context.Context) ([]*Client, error) {
	cache, err := r.look(ctx)
	if err != nil {
		return nil, err
	}
	if list := cache.list.Load(); list != nil {
		return *list, nil
	}
	rows, err := listClients(ctx, r.d.DB)
	if err != nil {
		return nil, err
	}
	list := make([]*Client, len(rows))
	for i, row := range rows {
		if list[i], err = clientOf(row); err != nil {
			return nil, err
		}
	}
	cache.list.Store(&list)
	return list, nil
}

// look returns the current cache after making sure that it is not older than
// lookEvery. Nobody waits for anybody: callers that find it old at the same moment
// each ask the database, on the connection they may hold already.
func (r *Registry) look(ctx context.Context) (*cache, error) {
	now := r.d.Now() // before the question: the answer is at least as new
	old := r.current.Load()
	if old.fresh(now) {
		return old, nil
	}
	stamp, err := selectStamp(ctx, r.d.DB)
	if err != nil {
		return nil, err
	}
	if old.stamp == stamp && !old.forgotten {
		old.looked.Store(now.UnixNano())
		return old, nil
	}
	c := &cache{stamp: stamp}
	c.looked.Store(now.UnixNano())
	// If somebody was faster, or forgot, theirs stays; ours is good for this caller.
	r.current.CompareAndSwap(old, c)
	return c, nil
}

// forget makes the next look ask the database, and keeps a look that is under way,
// which may have read the stamp from before, from being remembered.
func (r *Registry) forget() { r.current.Store(&cache{forgotten: true}) }
