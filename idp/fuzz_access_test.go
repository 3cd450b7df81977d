package idp

import (
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

func fuzzKeys(f *testing.F) *keys.Set {
	f.Helper()
	sealer, err := keys.CreateSealer(filepath.Join(f.TempDir(), "seal.key"))
	if err != nil {
		f.Fatal(err)
	}
	set, err := keys.Open(f.Context(), keys.Deps{DB: sqldbtest.Open(f), Sealer: sealer, Now: time.Now, Algs: []keys.Alg{keys.ES256}})
	if err != nil {
		f.Fatal(err)
	}
	return set
}

// FuzzReadAccess: no text that we did not sign is an access token, however it is put together.
func FuzzReadAccess(f *testing.F) {
	set := fuzzKeys(f)
	p := &Provider{issuer: "https://hub.example", keys: set}
	good, err := set.Sign(accessAlg, accessType, accessClaims{Issuer: p.issuer, ID: newToken(kindJWT, newID()), Expires: time.Now().Unix()})
	if err != nil {
		f.Fatal(err)
	}
	id, err := set.Sign(keys.ES256, "JWT", accessClaims{Issuer: p.issuer})
	if err != nil {
		f.Fatal(err)
	}
	other, err := set.Sign(accessAlg, accessType, accessClaims{Issuer: "https://elsewhere.example"})
	if err != nil {
		f.Fatal(err)
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + strings.Split(good, ".")[1] + "."
	for _, s := range []string{good, id, other, none, "a.b.c", ".", good + ".", strings.ToUpper(good)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := p.readAccess(token)
		if token == good && err != nil || err == nil && strings.Split(token, ".")[1] != strings.Split(good, ".")[1] {
			t.Errorf("%q: %v, %v", token, claims, err)
		}
	})
}
