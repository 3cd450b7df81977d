package ephemeraltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

const (
	// short is a life that ends within a test. Redis is waited for, so it is not longer, and not so short that a busy
	// machine lets it end too early.
	short = 800 * time.Millisecond
	long  = time.Hour
)

// Suite holds a store to its contract. advance lets time pass for it. The store must be empty and nobody else's.
func Suite(t *testing.T, s ephemeral.Store, advance func(time.Duration)) {
	t.Helper()
	for _, c := range []struct {
		name string
		fn   func(t *testing.T, s ephemeral.Store)
	}{
		{"Lifecycle", lifecycle},
		{"Values", values},
		{"Keys", keys},
		{"Refusals", refusals},
		{"Versions", versions},
		{"Counters", counters},
		{"ContextEnds", contextEnds},
		{"Contention", contention},
	} {
		t.Run(c.name, func(t *testing.T) { c.fn(t, s) })
	}
	t.Run("Expiry", func(t *testing.T) { expiry(t, s, advance) })
	t.Run("ExpiryContention", func(t *testing.T) { expiryContention(t, s, advance) })
}

// want fails the test unless err is target.
func want(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: got error %v, want %v", what, err, target)
	}
}

func get(t *testing.T, s ephemeral.Store, key, value string) ephemeral.Record {
	t.Helper()
	r, err := s.Get(t.Context(), key)
	if err != nil || string(r.Value) != value {
		t.Fatalf("get %s: %q, %v; want %q", key, r.Value, err, value)
	}
	return r
}

func create(t *testing.T, s ephemeral.Store, key, value string, ttl time.Duration) {
	t.Helper()
	if err := s.Create(t.Context(), key, []byte(value), ttl); err != nil {
		t.Fatalf("create %s: %v", key, err)
	}
}

func lifecycle(t *testing.T, s ephemeral.Store) {
	ctx, key := t.Context(), "test:1:lifecycle"
	_, err := s.Get(ctx, key)
	want(t, "get absent", err, ephemeral.ErrNotFound)
	_, err = s.Take(ctx, key)
	want(t, "take absent", err, ephemeral.ErrNotFound)
	want(t, "swap absent", s.Swap(ctx, key, 1, nil, long), ephemeral.ErrConflict)
	want(t, "delete absent", s.Delete(ctx, key), nil)

	create(t, s, key, "one", long)
	want(t, "create again", s.Create(ctx, key, []byte("two"), long), ephemeral.ErrExists)
	r := get(t, s, key, "one")
	want(t, "swap", s.Swap(ctx, key, r.Version, []byte("three"), long), nil)
	want(t, "swap old version", s.Swap(ctx, key, r.Version, []byte("four"), long), ephemeral.ErrConflict)
	r = get(t, s, key, "three")
	want(t, "swap keeping life", s.Swap(ctx, key, r.Version, []byte("five"), ephemeral.KeepLife), nil)
	v, err := s.Take(ctx, key)
	if err != nil || string(v) != "five" {
		t.Errorf("take: %q, %v", v, err)
	}
	_, err = s.Take(ctx, key)
	want(t, "take again", err, ephemeral.ErrNotFound)

	create(t, s, key, "six", long)
	want(t, "delete", s.Delete(ctx, key), nil)
	_, err = s.Get(ctx, key)
	want(t, "get deleted", err, ephemeral.ErrNotFound)
}

// values go in and out unchanged.
func values(t *testing.T, s ephemeral.Store) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for name, v := range map[string][]byte{
		"nil": nil, "empty": {}, "zero": {0}, "all": all, "max": bytes.Repeat([]byte{0xff}, ephemeral.MaxValue),
	} {
		key := "test:1:value-" + name
		want(t, name+": create", s.Create(t.Context(), key, v, long), nil)
		r := get(t, s, key, string(v))
		want(t, name+": swap", s.Swap(t.Context(), key, r.Version, v, long), nil)
		got, err := s.Take(t.Context(), key)
		if err != nil || !bytes.Equal(got, v) {
			t.Errorf("%s: took %d bytes, %v", name, len(got), err)
		}
	}
}

// keys that cannot exist are not found and cannot be made; the longest one can.
func keys(t *testing.T, s ephemeral.Store) {
	ctx := t.Context()
	for _, key := range []string{"", "a b", "a\x00b", "a\nb", "つ", "a\xffb", "a\x7f", strings.Repeat("k", ephemeral.MaxKey+1)} {
		_, err := s.Get(ctx, key)
		want(t, "get", err, ephemeral.ErrNotFound)
		_, err = s.Take(ctx, key)
		want(t, "take", err, ephemeral.ErrNotFound)
		want(t, "swap", s.Swap(ctx, key, 1, nil, long), ephemeral.ErrConflict)
		want(t, "delete", s.Delete(ctx, key), nil)
		if err := s.Create(ctx, key, nil, long); err == nil || (len(key) > 2 && strings.Contains(err.Error(), key)) {
			t.Errorf("create %q: %v", key, err)
		}
		if _, err := s.Increment(ctx, key, 1, long); err == nil {
			t.Errorf("increment %q", key)
		}
	}
	longest := strings.Repeat("k", ephemeral.MaxKey)
	create(t, s, longest, "v", long)
	get(t, s, longest, "v")
	// Case and neighbours are different keys.
	_, err := s.Get(ctx, strings.ToUpper(longest))
	want(t, "other case", err, ephemeral.ErrNotFound)
	want(t, "pattern", s.Delete(ctx, "*"), nil)
	get(t, s, longest, "v")
}

func refusals(t *testing.T, s ephemeral.Store) {
	ctx, key := t.Context(), "test:1:refusals"
	tooLong := make([]byte, ephemeral.MaxValue+1)
	for _, ttl := range []time.Duration{-1, 0, 1, time.Millisecond - 1} {
		if err := s.Create(ctx, key, nil, ttl); err == nil {
			t.Errorf("created for %v", ttl)
		}
		if _, err := s.Increment(ctx, key, 1, ttl); err == nil {
			t.Errorf("incremented for %v", ttl)
		}
	}
	if err := s.Create(ctx, key, tooLong, long); err == nil {
		t.Error("created a huge value")
	}
	create(t, s, key, "v", long)
	r := get(t, s, key, "v")
	for _, ttl := range []time.Duration{-1, 1, time.Millisecond - 1} {
		if err := s.Swap(ctx, key, r.Version, nil, ttl); err == nil || errors.Is(err, ephemeral.ErrConflict) {
			t.Errorf("swapped for %v: %v", ttl, err)
		}
	}
	if err := s.Swap(ctx, key, r.Version, tooLong, long); err == nil || errors.Is(err, ephemeral.ErrConflict) {
		t.Errorf("swapped in a huge value: %v", err)
	}
	get(t, s, key, "v")
}

// versions never come back: not by swapping to and fro, not by deleting and creating.
func versions(t *testing.T, s ephemeral.Store) {
	ctx, key := t.Context(), "test:1:versions"
	seen := map[ephemeral.Version]bool{}
	for i := range 60 {
		create(t, s, key, "same", long)
		for range 2 {
			r := get(t, s, key, "same")
			if seen[r.Version] || r.Version <= 0 {
				t.Fatalf("round %d: version %d", i, r.Version)
			}
			for old := range seen {
				if err := s.Swap(ctx, key, old, []byte("stolen"), long); !errors.Is(err, ephemeral.ErrConflict) {
					t.Fatalf("round %d: swap with a version of the past: %v", i, err)
				}
				break // one of them, whichever
			}
			seen[r.Version] = true
			want(t, "swap", s.Swap(ctx, key, r.Version, []byte("same"), long), nil)
		}
		r := get(t, s, key, "same")
		if seen[r.Version] {
			t.Fatalf("round %d: version %d", i, r.Version)
		}
		seen[r.Version] = true
		if i%2 == 0 {
			want(t, "delete", s.Delete(ctx, key), nil)
		} else if _, err := s.Take(ctx, key); err != nil {
			t.Fatal(err)
		}
	}
}

func counters(t *testing.T, s ephemeral.Store) {
	ctx, key := t.Context(), "test:1:counters"
	for i, c := range []struct{ by, want int64 }{{1, 1}, {1, 2}, {0, 2}, {-5, -3}, {1 << 40, 1<<40 - 3}} {
		if n, err := s.Increment(ctx, key, c.by, long); err != nil || n != c.want {
			t.Errorf("step %d: %d, %v; want %d", i, n, err, c.want)
		}
	}
	want(t, "delete", s.Delete(ctx, key), nil)
	if n, err := s.Increment(ctx, key, 1, long); err != nil || n != 1 {
		t.Errorf("after delete: %d, %v", n, err)
	}
}

// contextEnds: an ended context is an error and not one of the three answers.
func contextEnds(t *testing.T, s ephemeral.Store) {
	key := "test:1:context"
	create(t, s, key, "v", long)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, getErr := s.Get(ctx, key)
	_, takeErr := s.Take(ctx, key)
	_, incErr := s.Increment(ctx, key+"-n", 1, long)
	for i, err := range []error{
		getErr, takeErr, incErr, s.Create(ctx, key, nil, long), s.Swap(ctx, key, 1, nil, long), s.Delete(ctx, key),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	get(t, s, key, "v")
}

func expiry(t *testing.T, s ephemeral.Store, advance func(time.Duration)) {
	ctx := t.Context()
	key := func(name string) string { return "test:1:expiry-" + name }
	for _, k := range []string{"get", "take", "swap", "create", "keep", "extend"} {
		create(t, s, key(k), k, short)
	}
	stale, err := s.Get(ctx, key("swap"))
	if err != nil {
		t.Fatal(err)
	}
	keep, extend := get(t, s, key("keep"), "keep"), get(t, s, key("extend"), "extend")
	want(t, "swap keeping life", s.Swap(ctx, key("keep"), keep.Version, []byte("kept"), ephemeral.KeepLife), nil)
	want(t, "swap to a long life", s.Swap(ctx, key("extend"), extend.Version, []byte("extended"), long), nil)
	for range 2 { // the second increment does not prolong
		if _, err := s.Increment(ctx, key("count"), 1, short); err != nil {
			t.Fatal(err)
		}
		advance(short / 2)
	}
	advance(short / 4)

	for _, k := range []string{"get", "keep"} {
		_, err := s.Get(ctx, key(k))
		want(t, "get "+k, err, ephemeral.ErrNotFound)
	}
	_, err = s.Take(ctx, key("take"))
	want(t, "take", err, ephemeral.ErrNotFound)
	want(t, "swap", s.Swap(ctx, key("swap"), stale.Version, nil, long), ephemeral.ErrConflict)
	create(t, s, key("create"), "anew", long)
	get(t, s, key("create"), "anew")
	want(t, "create anew again", s.Create(ctx, key("create"), nil, long), ephemeral.ErrExists)
	get(t, s, key("extend"), "extended")
	if n, err := s.Increment(ctx, key("count"), 1, long); err != nil || n != 1 {
		t.Errorf("counter after its life: %d, %v", n, err)
	}
	if n, err := s.Increment(ctx, key("count"), 1, long); err != nil || n != 2 {
		t.Errorf("counter in its second life: %d, %v", n, err)
	}
	// A shorter life than before.
	create(t, s, key("shrink"), "shrink", long)
	r := get(t, s, key("shrink"), "shrink")
	want(t, "swap to a short life", s.Swap(ctx, key("shrink"), r.Version, []byte("shrunk"), short), nil)
	advance(short + short/4)
	_, err = s.Get(ctx, key("shrink"))
	want(t, "get shrunk", err, ephemeral.ErrNotFound)
}

// label makes a key that says what it is for.
func label(what string, round int) string { return fmt.Sprintf("test:1:%s-%d", what, round) }
