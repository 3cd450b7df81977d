package clients

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

// reads returns the plain text of a JWE that was encrypted to the key.
func reads(t *testing.T, key signing, token string) (string, error) {
	t.Helper()
	jwe, err := jose.ParseEncryptedCompact(token, []jose.KeyAlgorithm{jose.ECDH_ES_A256KW}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return "", err
	}
	plain, err := jwe.Decrypt(key.private)
	return string(plain), err
}

// usedSet is a key set in which the first key is for signatures and any further ones for encryption.
func usedSet(t *testing.T, of ...signing) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for i, s := range of {
		private := jose.JSONWebKey{Key: s.private, KeyID: s.kid, Use: "sig"}
		if i > 0 {
			private.Use = "enc"
		}
		set.Keys = append(set.Keys, private.Public())
	}
	b, err := json.Marshal(set)
	must(t, err)
	return b
}

// TestEncryptToKeysByReference: OpenID Connect Core §10.2.1: the key is that of the set the client publishes; one that the client adds is
// found when no key in memory fits, and an unreachable set is told from one without a key.
func TestEncryptToKeysByReference(t *testing.T) {
	c := newClock()
	how := Encryption{Alg: keys.ECDHESA256KW, Enc: keys.A256GCM}
	signs, encrypts := newECKey(t, "s"), newECKey(t, "e")
	p := newPublisher(t, says(usedSet(t, signs)))
	r := openRegistry(t, sqldbtest.Open(t), c, fetcher(t, c, p))
	client, err := r.put(t.Context(), metadata(t, "a", map[string]any{
		"jwks_uri": p.URL + "/jwks", "development": true, "token_endpoint_auth_method": "none",
		"id_token_encrypted_response_alg": "ECDH-ES+A256KW", "id_token_encrypted_response_enc": "A256GCM",
	}), nil)
	must(t, err)
	encrypt := func() (string, error) { return r.Encrypt(t.Context(), client, []byte("a.b.c"), "JWT", how) }
	var refused *keys.Error
	if _, err := encrypt(); !errors.As(err, &refused) || refused.Reason != keys.KeyUnknown {
		t.Errorf("a set of keys for signatures: %v", err)
	}
	p.set(says(usedSet(t, signs, encrypts)))
	c.pass(retryAfter)
	token, err := encrypt()
	must(t, err)
	if plain, err := reads(t, encrypts, token); err != nil || plain != "a.b.c" {
		t.Errorf("%q, %v", plain, err)
	}
	p.set(fails)
	c.pass(keysFresh)
	if _, err := encrypt(); err != nil {
		t.Errorf("server away, set not yet stale: %v", err)
	}
	c.pass(keysStale)
	if _, err := encrypt(); reasonOf(err) != KeysUnavailable {
		t.Errorf("server away, set stale: %v", err)
	}
}
