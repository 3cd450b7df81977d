package federation

import (
	"errors"
	"sync"
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

func TestSubjectIsOnePerPersonAndSector(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		subjects, _, _ := open(t, db)
		taro, hanako := newAccount(), newAccount()
		seen := map[string]bool{}
		for _, account := range []AccountID{taro, hanako} {
			for _, sector := range []string{"portal.example", "etax.example"} {
				sub, err := subjects.For(ctx, account, sector)
				if err != nil {
					t.Fatal(err)
				}
				if len(sub) < 26 { // 26 letters of base32 are 130 bits
					t.Errorf("subject %q is too short to be unguessable", sub)
				}
				if seen[sub] {
					t.Errorf("subject %q was given out twice", sub)
				}
				seen[sub] = true
				if again, err := subjects.For(ctx, account, sector); err != nil || again != sub {
					t.Errorf("second call gave %q, %v; want %q", again, err, sub)
				}
				if who, err := subjects.Account(ctx, sector, sub); err != nil || who != account {
					t.Errorf("Account = %q, %v; want %q", who, err, account)
				}
			}
		}
	})
}

func TestSubjectOfAnotherSectorIsUnknown(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		subjects, _, _ := open(t, db)
		sub, err := subjects.For(t.Context(), newAccount(), "portal.example")
		if err != nil {
			t.Fatal(err)
		}
		_, err = subjects.Account(t.Context(), "etax.example", sub)
		if e, ok := errors.AsType[*Error](err); !ok || e.Reason != SubjectUnknown {
			t.Errorf("got %v, want SubjectUnknown", err)
		}
	})
}

func TestSubjectNeedsAPersonAndASector(t *testing.T) {
	subjects, _, _ := open(t, sqldbtest.Open(t))
	if _, err := subjects.For(t.Context(), "", "portal.example"); err == nil {
		t.Error("made a subject for nobody")
	}
	if _, err := subjects.For(t.Context(), newAccount(), ""); err == nil {
		t.Error("made a subject for no sector")
	}
}

func TestHundredAtOnceGetOneSubject(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		subjects, _, _ := open(t, db)
		account := newAccount()
		got := make([]string, 100)
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				sub, err := subjects.For(t.Context(), account, "etax.example")
				if err != nil {
					t.Error(err)
				}
				got[i] = sub
			})
		}
		wg.Wait()
		for _, sub := range got {
			if sub == "" || sub != got[0] {
				t.Fatalf("got %q and %q for one person", got[0], sub)
			}
		}
	})
}
