package clients

import (
	"errors"
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

// TestServerOf: a resource has one server, which keeps it while it is suspended, and gives it up when its registration does.
func TestServerOf(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, c := t.Context(), newClock()
		r := openRegistry(t, db, c, nil)
		secret := keys.RandomSecret()
		const resource = "https://api.example/tax"
		if _, err := r.ServerOf(ctx, resource); !errors.Is(err, ErrUnknown) {
			t.Fatalf("before: %v", err)
		}
		_, err := r.put(ctx, metadata(t, "etax", map[string]any{"serves": []string{resource, "urn:example:tax"}}), &secret)
		must(t, err)
		if got, err := r.ServerOf(ctx, resource); err != nil || got.ID() != "etax" || len(got.Serves()) != 2 {
			t.Fatalf("%v, %v", got, err)
		}
		if _, err := r.ServerOf(ctx, resource+"/"); !errors.Is(err, ErrUnknown) {
			t.Errorf("another spelling: %v", err)
		}
		var faults *FieldErrors
		if _, err = r.put(ctx, metadata(t, "thief", map[string]any{"serves": []string{"urn:example:other", resource}}), &secret); !errors.As(err, &faults) || faults.List[0].Field != "serves[1]" {
			t.Errorf("served twice: %v", err)
		}
		must(t, r.Suspend(ctx, "etax", forTest))
		if got, err := r.ServerOf(ctx, resource); !errors.Is(err, ErrSuspended) || got.ID() != "etax" {
			t.Errorf("suspended: %v, %v", got, err)
		}
		if _, err = r.put(ctx, metadata(t, "thief", map[string]any{"serves": []string{resource}}), &secret); !errors.As(err, &faults) {
			t.Errorf("taken from a suspended server: %v", err)
		}
		must(t, r.Resume(ctx, "etax", forTest))
		_, err = r.put(ctx, metadata(t, "etax", nil), nil)
		must(t, err)
		if _, err := r.ServerOf(ctx, resource); !errors.Is(err, ErrUnknown) {
			t.Errorf("given up: %v", err)
		}
	})
}
