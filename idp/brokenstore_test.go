package idp_test

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

var errUnplugged = errors.New("store unplugged")

// brokenStore is a store that stops answering.
type brokenStore struct {
	ephemeral.Store
	broken atomic.Bool
}

func (b *brokenStore) Get(ctx context.Context, key string) (ephemeral.Record, error) {
	if b.broken.Load() {
		return ephemeral.Record{}, errUnplugged
	}
	return b.Store.Get(ctx, key)
}

func (b *brokenStore) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if b.broken.Load() {
		return errUnplugged
	}
	return b.Store.Create(ctx, key, value, ttl)
}

func (b *brokenStore) Swap(ctx context.Context, key string, old ephemeral.Version, value []byte, ttl time.Duration) error {
	if b.broken.Load() {
		return errUnplugged
	}
	return b.Store.Swap(ctx, key, old, value, ttl)
}
