package ephemeral_test

import (
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

func TestUnderKeepsTwoProgramsApart(t *testing.T) {
	t.Parallel()
	all, err := ephemeral.NewSQL(t.Context(), sqldbtest.Open(t), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	part := ephemeral.Under("part:", all)
	if err := part.Create(t.Context(), "k", []byte("one"), time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := all.Create(t.Context(), "k", []byte("other"), time.Minute); err != nil {
		t.Fatalf("the same key outside: %v", err)
	}
	r, err := part.Get(t.Context(), "k")
	if err != nil || string(r.Value) != "one" {
		t.Fatalf("%q %v", r.Value, err)
	}
	if err := part.Swap(t.Context(), "k", r.Version, []byte("two"), time.Minute); err != nil {
		t.Fatal(err)
	}
	if b, err := part.Take(t.Context(), "k"); err != nil || string(b) != "two" {
		t.Errorf("%q %v", b, err)
	}
	if err := part.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if r, err := all.Get(t.Context(), "k"); err != nil || string(r.Value) != "other" {
		t.Errorf("what is outside became %q %v", r.Value, err)
	}
	if n, err := part.Increment(t.Context(), "n", 2, time.Minute); err != nil || n != 2 {
		t.Errorf("%d %v", n, err)
	}
	if n, err := all.Increment(t.Context(), "n", 1, time.Minute); err != nil || n != 1 {
		t.Errorf("a counter outside: %d %v", n, err)
	}
}
