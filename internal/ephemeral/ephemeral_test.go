package ephemeral_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

func TestSweep(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		now := time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)
		s, err := ephemeral.NewSQL(ctx, db, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		const expired = 1200 // more than two batches
		err = db.Tx(ctx, func(ctx context.Context) error {
			for i := range expired {
				if err := s.Create(ctx, fmt.Sprint("test:1:", i), nil, time.Minute); err != nil {
					return err
				}
			}
			return s.Create(ctx, "test:1:stays", nil, time.Hour)
		})
		if err != nil {
			t.Fatal(err)
		}
		rows := func() (n int) {
			if err := db.QueryRow(ctx, `SELECT count(*) FROM ephemeral`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n, err := s.Sweep(ctx); n != 0 || err != nil || rows() != expired+1 {
			t.Fatal(n, err, rows())
		}
		now = now.Add(time.Minute)
		if n, err := s.Sweep(ctx); n != expired || err != nil || rows() != 1 {
			t.Fatal(n, err, rows())
		}
		if _, err := s.Get(ctx, "test:1:stays"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRunSweepsAndEnds(t *testing.T) {
	db := sqldbtest.Open(t)
	now := time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)
	s, err := ephemeral.NewSQL(t.Context(), db, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), "test:1:a", nil, time.Second); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	for n := 1; n != 0; {
		if err := db.QueryRow(t.Context(), `SELECT count(*) FROM ephemeral`).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// TestStoreSurvivesReopening: what a killed process had stored is there for the next.
func TestStoreSurvivesReopening(t *testing.T) {
	addr := sqldbtest.SQLite(t)
	for i, db := range []*sqldb.DB{sqldbtest.OpenDSN(t, addr), sqldbtest.OpenDSN(t, addr)} {
		s, err := ephemeral.NewSQL(t.Context(), db, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Create(t.Context(), "test:1:a", []byte("v"), time.Hour)
		if want := []error{nil, ephemeral.ErrExists}[i]; !errors.Is(err, want) {
			t.Fatalf("opening %d: %v", i, err)
		}
	}
}

func TestNewSQLNeedsItsParts(t *testing.T) {
	if _, err := ephemeral.NewSQL(t.Context(), nil, time.Now); err == nil {
		t.Error("no database")
	}
	if _, err := ephemeral.NewSQL(t.Context(), sqldbtest.Open(t), nil); err == nil {
		t.Error("no clock")
	}
}

func benchEach(b *testing.B, fn func(b *testing.B, s ephemeral.Store)) {
	b.Helper()
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": sqldbtest.SQLite, "postgres": sqldbtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			s, err := ephemeral.NewSQL(b.Context(), sqldbtest.OpenDSN(b, dsn(b)), time.Now)
			if err != nil {
				b.Fatal(err)
			}
			fn(b, s)
		})
	}
	b.Run("redis", func(b *testing.B) { fn(b, ephemeraltest.OpenRedis(b)) })
}

// grant is a value of the size of the records that matter most.
var grant = make([]byte, 1500)

func BenchmarkCreate(b *testing.B) {
	benchEach(b, func(b *testing.B, s ephemeral.Store) {
		for i := 0; b.Loop(); i++ {
			if err := s.Create(b.Context(), fmt.Sprint("bench:1:", i), grant, time.Hour); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkGet(b *testing.B) {
	benchEach(b, func(b *testing.B, s ephemeral.Store) {
		if err := s.Create(b.Context(), "bench:1:get", grant, time.Hour); err != nil {
			b.Fatal(err)
		}
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := s.Get(b.Context(), "bench:1:get"); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

// BenchmarkSwap is a redemption: read the record, replace it.
func BenchmarkSwap(b *testing.B) {
	benchEach(b, func(b *testing.B, s ephemeral.Store) {
		if err := s.Create(b.Context(), "bench:1:swap", grant, time.Hour); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			r, err := s.Get(b.Context(), "bench:1:swap")
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Swap(b.Context(), "bench:1:swap", r.Version, grant, time.Hour); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkTake(b *testing.B) {
	benchEach(b, func(b *testing.B, s ephemeral.Store) {
		for b.Loop() {
			if err := s.Create(b.Context(), "bench:1:take", grant, time.Hour); err != nil {
				b.Fatal(err)
			}
			if _, err := s.Take(b.Context(), "bench:1:take"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkIncrement(b *testing.B) {
	benchEach(b, func(b *testing.B, s ephemeral.Store) {
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := s.Increment(b.Context(), "bench:1:count", 1, time.Hour); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}
