package ephemeral

import (
	"context"
	"time"
)

// Under is a part of a store whose keys all begin with prefix, for a program that shares the store with another one.
func Under(prefix string, s Store) Store { return under{prefix, s} }

type under struct {
	prefix string
	store  Store
}

func (u under) Get(ctx context.Context, key string) (Record, error) {
	return u.store.Get(ctx, u.prefix+key)
}

func (u under) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return u.store.Create(ctx, u.prefix+key, value, ttl)
}

func (u under) Swap(ctx context.Context, key string, old Version, value []byte, ttl time.Duration) error {
	return u.store.Swap(ctx, u.prefix+key, old, value, ttl)
}

func (u under) Take(ctx context.Context, key string) ([]byte, error) {
	return u.store.Take(ctx, u.prefix+key)
}

func (u under) Delete(ctx context.Context, key string) error {
	return u.store.Delete(ctx, u.prefix+key)
}

func (u under) Increment(ctx context.Context, key string, by int64, ttl time.Duration) (int64, error) {
	return u.store.Increment(ctx, u.prefix+key, by, ttl)
}
