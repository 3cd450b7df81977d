package clients

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

func issued(t testing.TB, r *Registry, c *clock, name string, most int64) (RegistrationToken, Policy) {
	t.Helper()
	made, _, err := r.IssueToken(t.Context(), RegistrationToken{Name: name, MaxClients: most, By: hanako, Until: c.now().Add(time.Hour)}, nil)
	must(t, err)
	p, there, err := r.issued(t.Context(), `t.name = $1`, name)
	if must(t, err); !there {
		t.Fatal("it is not there")
	}
	return made, p
}

func (r *Registry) tryRegister(t testing.TB, p Policy, id ID) error {
	m := metadata(t, id, map[string]any{"token_endpoint_auth_method": "none", "redirect_uris": []string{"https://app.example/callback"}})
	_, _, err := r.register(t.Context(), m, nil, keys.RandomSecret(), p, "", func(context.Context) error { return nil })
	return err
}

// TestOfAHundredAtOnceOneGetsTheNameOfAToken, and has its secret; the audit log has one.
func TestOfAHundredAtOnceOneGetsTheNameOfAToken(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		var made, told atomic.Int64
		processes := []*Registry{openRegistry(t, db, c, nil), openRegistry(t, db, c, nil)}
		for _, r := range processes {
			r.d.Record = func(context.Context, audit.Event) error { told.Add(1); return nil }
		}
		atOnce(100, func(i int) {
			_, _, err := processes[i%2].IssueToken(t.Context(), RegistrationToken{Name: "shops", MaxClients: 1, By: hanako, Until: c.now().Add(time.Hour)}, nil)
			if err == nil {
				made.Add(1)
			} else if faultsOf(err) != "name" {
				t.Error(err)
			}
		})
		if made.Load() != 1 || told.Load() != 1 {
			t.Errorf("%d made, %d recorded", made.Load(), told.Load())
		}
	})
}

// TestOfAHundredAtOnceATokenRegistersAsManyAsItMay.
func TestOfAHundredAtOnceATokenRegistersAsManyAsItMay(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		processes := []*Registry{openRegistry(t, db, c, nil), openRegistry(t, db, c, nil)}
		_, p := issued(t, processes[0], c, "shops", 7)
		var made atomic.Int64
		atOnce(100, func(i int) {
			err := processes[i%2].tryRegister(t, p, ID(fmt.Sprintf("d%d", i)))
			if err == nil {
				made.Add(1)
			} else if !errors.Is(err, errTooMany) {
				t.Error(err)
			}
		})
		if made.Load() != 7 {
			t.Errorf("%d registered", made.Load())
		}
	})
}

// TestATokenThatEndsMeanwhileRegistersNothing: a request that was under way when an operator ended the token finds it ended.
func TestATokenThatEndsMeanwhileRegistersNothing(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		r := openRegistry(t, db, c, nil)
		token, p := issued(t, r, c, "shops", 7)
		must(t, r.tryRegister(t, p, "d1"))
		must(t, r.EndToken(t.Context(), token.ID, hanako))
		if err := r.tryRegister(t, p, "d2"); !errors.Is(err, errRegistrationGone) {
			t.Errorf("registered: %v", err)
		}
		m := metadata(t, "d1", map[string]any{"token_endpoint_auth_method": "none", "redirect_uris": []string{"https://app.example/other"}})
		if _, err := r.replace(t.Context(), m, nil, p, "", func(context.Context) error { return nil }); !errors.Is(err, errRegistrationGone) {
			t.Errorf("changed: %v", err)
		}
	})
}
