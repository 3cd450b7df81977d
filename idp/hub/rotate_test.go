package hub_test

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/hub"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

// oidcc-server-rotate-keys: after a rotation the JWKS names new keys beside all of the old ones; a second call changes nothing while
// those wait.
func TestRotateKeysPublishesSuccessorsBesideTheOldKeys(t *testing.T) {
	dir := t.TempDir()
	db, err := sqldb.Open(t.Context(), "sqlite:"+filepath.Join(dir, "hub.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	sealer, err := keys.CreateSealer(filepath.Join(dir, "seal.key"))
	if err != nil {
		t.Fatal(err)
	}
	serving, err := keys.Open(t.Context(), keys.Deps{DB: db, Sealer: sealer, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	before := kids(t, serving)
	for i, want := range []int{len(keys.Algs()), 0} {
		announced, err := hub.RotateKeys(t.Context(), db, sealer, time.Now, keys.Algs())
		if err != nil {
			t.Fatal(err)
		}
		if len(announced) != want {
			t.Errorf("call %d announced %v, want %d algorithms", i+1, announced, want)
		}
	}
	if err := serving.Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := kids(t, serving)
	if len(after) != 2*len(before) {
		t.Errorf("%d keys published, want twice %d", len(after), len(before))
	}
	for kid := range before {
		if !after[kid] {
			t.Errorf("key %s is no longer published", kid)
		}
	}
}

// A rotation that cannot be written down does not happen: a second call would not write it down either.
func TestRotationThatIsNotWrittenDownDoesNotHappen(t *testing.T) {
	dir := t.TempDir()
	db, err := sqldb.Open(t.Context(), "sqlite:"+filepath.Join(dir, "hub.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	sealer, err := keys.CreateSealer(filepath.Join(dir, "seal.key"))
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.New(t.Context(), db, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	serving, err := keys.Open(t.Context(), keys.Deps{DB: db, Sealer: sealer, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	before := kids(t, serving)
	if _, err := db.Exec(t.Context(), `CREATE TRIGGER full BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'disk full'); END`); err != nil {
		t.Fatal(err)
	}
	if announced, err := hub.RotateKeys(t.Context(), db, sealer, time.Now, keys.Algs()); err == nil || len(announced) > 0 {
		t.Errorf("announced %v, %v", announced, err)
	}
	if err := serving.Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := kids(t, serving); !maps.Equal(before, after) {
		t.Errorf("%d keys published, %d before", len(after), len(before))
	}
	if _, err := db.Exec(t.Context(), `DROP TRIGGER full`); err != nil {
		t.Fatal(err)
	}
	if _, err := hub.RotateKeys(t.Context(), db, sealer, time.Now, keys.Algs()); err != nil {
		t.Fatal(err)
	}
	rows, err := log.List(t.Context(), audit.Query{Kind: "key.announced", Limit: 100})
	if err != nil || len(rows) != len(keys.Algs()) {
		t.Errorf("%d rotations written down, %v", len(rows), err)
	}
}

func kids(t *testing.T, s *keys.Set) map[string]bool {
	t.Helper()
	body, _ := s.JWKS()
	var set struct {
		Keys []struct {
			KID string `json:"kid"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, k := range set.Keys {
		out[k.KID] = true
	}
	return out
}

func TestRotationNamesAlgorithms(t *testing.T) {
	for in, want := range map[string]int{"all": len(keys.Algs()), "ES256": 1, "RS256,PS256": 2, "": 0, "HS256": 0, "ES256,": 0, "es256": 0} {
		got, err := hub.ParseRotation(in)
		if len(got) != want || (err != nil) != (want == 0) {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
}
