package ephemeral

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis keeps records in Redis 6 or newer: a record is a hash of value (v) and version (n), a counter is a number. Every
// operation is one command or one script on one key, so it runs unchanged on a Cluster.
//
// The server is the only clock. It should keep an append-only file (appendfsync everysec) and must not evict
// (maxmemory-policy noeviction): an evicted grant signs somebody out, an evicted replay mark admits a replay.
type Redis struct {
	client redis.UniversalClient
	prefix string
}

// NewRedis returns a store that puts prefix before every key; hubs that share a server differ in it.
func NewRedis(c redis.UniversalClient, prefix string) *Redis {
	return &Redis{client: c, prefix: prefix}
}

// Versions go through Lua as text: its numbers are exact only up to 2^53. Where a script finds the version that it was about to
// write, the client has sent the command twice because the first answer was lost; the first one was done.

// createScript: value, version, milliseconds.
var createScript = redis.NewScript(`
local n = redis.call('HGET', KEYS[1], 'n')
if n then return n == ARGV[2] and 1 or 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'n', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`)

// swapScript: value, new version, milliseconds or 0, old version. HSET keeps the remaining life.
var swapScript = redis.NewScript(`
local n = redis.call('HGET', KEYS[1], 'n')
if n == ARGV[2] then return 1 end
if n ~= ARGV[4] then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'n', ARGV[2])
if ARGV[3] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1`)

// takeScript has no arguments.
var takeScript = redis.NewScript(`
local v = redis.call('HGET', KEYS[1], 'v')
if v then redis.call('DEL', KEYS[1]) end
return v`)

// incrementScript: by, milliseconds. A script runs to its end or not at all, so no counter is left without a life.
var incrementScript = redis.NewScript(`
local sum = redis.call('INCRBY', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return sum`)

// Get implements [Store].
func (r *Redis) Get(ctx context.Context, key string) (Record, error) {
	if !storable(key) {
		return Record{}, ErrNotFound
	}
	fields, err := r.client.HMGet(ctx, r.prefix+key, "v", "n").Result()
	if err != nil {
		return Record{}, fmt.Errorf("ephemeral: get: %w", err)
	}
	value, ok := fields[0].(string)
	if !ok {
		return Record{}, ErrNotFound
	}
	text, _ := fields[1].(string)
	version, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return Record{}, fmt.Errorf("ephemeral: get: version: %w", err)
	}
	return Record{Value: []byte(value), Version: Version(version)}, nil
}

// Create implements [Store].
func (r *Redis) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := checkWrite(key, value, ttl); err != nil {
		return err
	}
	done, err := createScript.Run(ctx, r.client, []string{r.prefix + key}, value, versionText(newVersion()), ttl.Milliseconds()).Int()
	if err != nil {
		return fmt.Errorf("ephemeral: create: %w", err)
	}
	if done == 0 {
		return ErrExists
	}
	return nil
}

// Swap implements [Store].
func (r *Redis) Swap(ctx context.Context, key string, old Version, value []byte, ttl time.Duration) error {
	if !storable(key) {
		return ErrConflict
	}
	if err := checkSwap(key, value, ttl); err != nil {
		return err
	}
	done, err := swapScript.Run(ctx, r.client, []string{r.prefix + key},
		value, versionText(newVersion()), ttl.Milliseconds(), versionText(old)).Int()
	if err != nil {
		return fmt.Errorf("ephemeral: swap: %w", err)
	}
	if done == 0 {
		return ErrConflict
	}
	return nil
}

// Take implements [Store].
func (r *Redis) Take(ctx context.Context, key string) ([]byte, error) {
	if !storable(key) {
		return nil, ErrNotFound
	}
	value, err := takeScript.Run(ctx, r.client, []string{r.prefix + key}).Text()
	if errors.Is(err, redis.Nil) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("ephemeral: take: %w", err)
	}
	return []byte(value), nil
}

// Delete implements [Store].
func (r *Redis) Delete(ctx context.Context, key string) error {
	if !storable(key) {
		return nil
	}
	if err := r.client.Del(ctx, r.prefix+key).Err(); err != nil {
		return fmt.Errorf("ephemeral: delete: %w", err)
	}
	return nil
}

// Increment implements [Store].
func (r *Redis) Increment(ctx context.Context, key string, by int64, ttl time.Duration) (int64, error) {
	if err := checkWrite(key, nil, ttl); err != nil {
		return 0, err
	}
	sum, err := incrementScript.Run(ctx, r.client, []string{r.prefix + key}, by, ttl.Milliseconds()).Int64()
	if err != nil {
		return 0, fmt.Errorf("ephemeral: increment: %w", err)
	}
	return sum, nil
}

func versionText(v Version) string { return strconv.FormatInt(int64(v), 10) }
