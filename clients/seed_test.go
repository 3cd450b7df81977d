package clients

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

func seedFile(entries ...[]byte) []byte {
	parts := make([]string, len(entries))
	for i, e := range entries {
		parts[i] = string(e)
	}
	return []byte("[" + strings.Join(parts, ",\n") + "]")
}

func seedDigest(s keys.Secret) string {
	sum := sha256.Sum256(s.Reveal())
	return hex.EncodeToString(sum[:])
}

func TestSeedIsAppliedOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, r := t.Context(), openRegistry(t, db, newClock(), nil)
		secret := keys.RandomSecret()
		public := map[string]any{"token_endpoint_auth_method": "none"}
		a := document(t, "a", map[string]any{"client_secret_sha256": seedDigest(secret)})
		file := seedFile(a, document(t, "b", public))
		version := func(id ID) int64 {
			t.Helper()
			c, err := r.Get(ctx, id)
			must(t, err)
			return c.Version()
		}
		for range 3 {
			must(t, r.Seed(ctx, file))
		}
		if version("a") != 1 || version("b") != 1 {
			t.Fatalf("versions %d, %d", version("a"), version("b"))
		}
		if _, err := r.Authenticate(ctx, Credentials{id: "a", method: SecretBasic, proof: secret}, AssertionRules{}); err != nil {
			t.Errorf("the seeded secret: %v", err)
		}

		// What an operator did later stays until the entry changes.
		_, err := r.put(ctx, metadata(t, "b", map[string]any{"token_endpoint_auth_method": "none", "client_name": "later"}), nil)
		must(t, err)
		must(t, r.Seed(ctx, file))
		if c, err := r.Get(ctx, "b"); err != nil || c.Name("ja") != "later" {
			t.Errorf("the seed undid a later change: %v", err)
		}
		must(t, r.Seed(ctx, seedFile(a, document(t, "b", map[string]any{"token_endpoint_auth_method": "none", "client_name": "newest"}))))
		if c, err := r.Get(ctx, "b"); err != nil || c.Name("ja") != "newest" || version("b") != 3 || version("a") != 1 {
			t.Errorf("the changed entry: %v", err)
		}
		must(t, r.Seed(ctx, []byte("[]")))
		if list, err := r.List(ctx); err != nil || !sameIDs(list, "a", "b") {
			t.Errorf("a client went with its entry: %v", err)
		}
	})
}

func TestSeedIsAllOrNothing(t *testing.T) {
	ctx, r := t.Context(), openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	public := map[string]any{"token_endpoint_auth_method": "none"}
	good := document(t, "good", public)
	must(t, r.Seed(ctx, seedFile(document(t, "moved", public))))
	for _, c := range []struct{ name, file, want string }{
		{"faults of all entries", string(seedFile(good, []byte(`{}`), []byte(`7`))), "[1].client_id, [1].client_name, [1].operator, [1].redirect_uris, [2].(document)"},
		{"id twice", string(seedFile(good, good)), "[1].client_id"},
		{"plain secret", string(seedFile(document(t, "a", map[string]any{"client_secret": "x"}))), "[0].client_secret"},
		{"digest too short", string(seedFile(document(t, "a", map[string]any{"client_secret_sha256": "abcd"}))), "[0].client_secret_sha256"},
		{"digest not hexadecimal", string(seedFile(document(t, "a", map[string]any{"client_secret_sha256": strings.Repeat("x", 64)}))), "[0].client_secret_sha256"},
		{"no digest", string(seedFile(good, document(t, "a", nil))), "client_secret"},
		{"changed sector", string(seedFile(good, document(t, "moved", map[string]any{"token_endpoint_auth_method": "none", "redirect_uris": []string{"https://b.example/cb"}}))), "redirect_uris"},
		{"not an array", `{}`, "(document)"},
		{"cut", `[{}`, "(document)"},
		{"too large", `["` + strings.Repeat("a", maxSeed) + `"]`, "(document)"},
	} {
		if err := r.Seed(ctx, []byte(c.file)); faultsOf(err) != c.want {
			t.Errorf("%s: %q, %v", c.name, faultsOf(err), err)
		}
		if _, err := r.Get(ctx, "good"); !errors.Is(err, ErrUnknown) {
			t.Fatalf("%s: half of the file was applied", c.name)
		}
	}
}

// Somebody puts the digest of nothing into the file: no secret is still no secret.
func TestEmptySecretNeverPasses(t *testing.T) {
	ctx, r := t.Context(), openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	empty := sha256.Sum256(nil)
	must(t, r.Seed(ctx, seedFile(document(t, "a", map[string]any{"client_secret_sha256": hex.EncodeToString(empty[:])}))))
	for _, proof := range []keys.Secret{{}, keys.NewSecret(nil)} {
		if _, err := r.Authenticate(ctx, Credentials{id: "a", method: SecretBasic, proof: proof}, AssertionRules{}); reasonOf(err) != BadSecret {
			t.Errorf("%v", err)
		}
	}
}

// A copy of the database lets nobody in.
func TestNoSecretIsStored(t *testing.T) {
	ctx, db := t.Context(), sqldbtest.Open(t)
	r, secret := openRegistry(t, db, newClock(), nil), keys.RandomSecret()
	_, err := r.put(ctx, metadata(t, "a", nil), &secret)
	must(t, err)
	row, err := r.findClient(ctx, "a")
	must(t, err)
	b, err := json.Marshal([]any{row.id, row.metadata, string(row.secrets[0].digest), row.secrets[0].digest, row.seed})
	must(t, err)
	if strings.Contains(string(b), secretOf(secret)) || len(row.secrets[0].digest) != sha256.Size {
		t.Errorf("stored: %s", b)
	}
}
