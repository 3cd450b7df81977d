package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// header returns the protected header of a compact JWE.
func jweHeader(t *testing.T, token string) (header map[string]any, parts []string) {
	t.Helper()
	parts = strings.Split(token, ".")
	if len(parts) != 5 {
		t.Fatalf("%d parts", len(parts))
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &header); err != nil {
		t.Fatal(err)
	}
	return header, parts
}

// TestEncryptIsReadByItsRecipientAlone: every algorithm with every content encryption, read with an independent call of the library,
// and the members of the header are exactly those of RFC 7516 §4.1 that are needed.
func TestEncryptIsReadByItsRecipientAlone(t *testing.T) {
	ec, rsaKey, other := newPair(t, ES256), newPair(t, RS256), newPair(t, ES256)
	set := mustSet(t, other.jwk(t, `,"kid":"s","use":"sig"`), ec.jwk(t, `,"kid":"e","use":"enc"`), rsaKey.jwk(t, `,"kid":"r","use":"enc"`))
	for _, alg := range KeyAlgs() {
		for _, enc := range ContentEncs() {
			t.Run(fmt.Sprint(alg, "/", enc), func(t *testing.T) {
				token, err := Encrypt([]byte("a.b.c"), "JWT", set, alg, enc)
				if err != nil {
					t.Fatal(err)
				}
				private, kid, members := any(ec.private), "e", []string{"alg", "cty", "enc", "epk", "kid"}
				if alg == RSAOAEP256 {
					private, kid, members = rsaKey.private, "r", []string{"alg", "cty", "enc", "kid"}
				}
				header, parts := jweHeader(t, token)
				if header["alg"] != string(alg) || header["enc"] != string(enc) || header["kid"] != kid || header["cty"] != "JWT" {
					t.Errorf("header %v", header)
				}
				if got := slices.Sorted(maps.Keys(header)); !slices.Equal(got, members) {
					t.Errorf("header members %v, want %v", got, members)
				}
				if (parts[1] == "") != (alg == ECDHES) { // RFC 7518 §4.6: direct agreement has no encrypted key
					t.Errorf("encrypted key %q", parts[1])
				}
				jwe, err := jose.ParseEncryptedCompact(token, []jose.KeyAlgorithm{jose.KeyAlgorithm(alg)}, []jose.ContentEncryption{jose.ContentEncryption(enc)})
				if err != nil {
					t.Fatal(err)
				}
				if plain, err := jwe.Decrypt(private); err != nil || string(plain) != "a.b.c" {
					t.Errorf("%q, %v", plain, err)
				}
				if alg != RSAOAEP256 {
					if _, err := jwe.Decrypt(other.private); err == nil {
						t.Error("read with the key for signatures")
					}
				}
				again, err := Encrypt([]byte("a.b.c"), "JWT", set, alg, enc)
				if err != nil || again == token {
					t.Errorf("the same twice, %v", err)
				}
			})
		}
	}
}

// TestEncryptChoosesTheRecipientsKey: a key for encryption before one for any purpose, never one for signatures; kid only if it has one.
func TestEncryptChoosesTheRecipientsKey(t *testing.T) {
	a, b, r := newPair(t, ES256), newPair(t, ES256), newPair(t, RS256)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	foreign := pair{"ES384", p384}.jwk(t, `,"kid":"p384","use":"enc"`)
	for _, c := range []struct {
		name string
		jwks []string
		alg  KeyAlg
		kid  any
		want Reason
	}{
		{"use enc before no use", []string{a.jwk(t, `,"kid":"any"`), b.jwk(t, `,"kid":"enc","use":"enc"`)}, ECDHES, "enc", 0},
		{"key_ops", []string{a.jwk(t, `,"kid":"any"`), b.jwk(t, `,"kid":"ops","key_ops":["deriveKey"]`)}, ECDHES, "ops", 0},
		{"no use", []string{a.jwk(t, `,"kid":"any"`)}, ECDHESA256KW, "any", 0},
		{"no kid", []string{r.jwk(t, `,"use":"enc"`)}, RSAOAEP256, nil, 0},
		{"alg named", []string{a.jwk(t, `,"kid":"other","use":"enc","alg":"ECDH-ES"`), b.jwk(t, `,"kid":"kw","alg":"ECDH-ES+A256KW"`)}, ECDHESA256KW, "kw", 0},
		{"for signatures", []string{a.jwk(t, `,"use":"sig"`)}, ECDHES, nil, KeyUnknown},
		{"for ES256", []string{a.jwk(t, `,"alg":"ES256"`)}, ECDHES, nil, KeyUnknown},
		{"for verifying", []string{a.jwk(t, `,"key_ops":["verify"]`)}, ECDHES, nil, KeyUnknown},
		{"of another type", []string{a.jwk(t, "")}, RSAOAEP256, nil, KeyUnknown},
		{"on another curve", []string{foreign, r.jwk(t, "")}, ECDHES, nil, KeyUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			token, err := Encrypt([]byte("{}"), "", mustSet(t, c.jwks...), c.alg, A256GCM)
			if reasonOf(err) != c.want || (c.want == 0) != (err == nil) {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			header, _ := jweHeader(t, token)
			if header["kid"] != c.kid {
				t.Errorf("kid %v", header["kid"])
			}
			if _, there := header["cty"]; there {
				t.Error("cty without need")
			}
		})
	}
}

// TestEncryptRefusesWhatItDoesNotOffer: the lists are closed.
func TestEncryptRefusesWhatItDoesNotOffer(t *testing.T) {
	s := mustSet(t, newPair(t, ES256).jwk(t, ""), newPair(t, RS256).jwk(t, ""))
	for _, alg := range []KeyAlg{"", "none", "dir", "RSA1_5", "RSA-OAEP", "A256KW", "ECDH-ES+A128KW", "PBES2-HS256+A128KW"} {
		if _, err := Encrypt(nil, "", s, alg, A256GCM); reasonOf(err) != AlgRefused {
			t.Errorf("%q: %v", alg, err)
		}
		if _, err := ParseKeyAlg(string(alg)); reasonOf(err) != AlgRefused {
			t.Errorf("%q is parsed", alg)
		}
	}
	for _, enc := range []ContentEnc{"", "none", "A192GCM", "A256CBC-HS512"} {
		if _, err := Encrypt(nil, "", s, ECDHES, enc); reasonOf(err) != AlgRefused {
			t.Errorf("%q: %v", enc, err)
		}
	}
	if _, err := Encrypt(nil, "", PublicSet{}, ECDHES, A256GCM); reasonOf(err) != KeyUnknown {
		t.Errorf("empty set: %v", err)
	}
}

// TestKeysForEncryptionAreJudgedToo: a weak key for encryption refuses the set as a weak key for signatures does.
func TestKeysForEncryptionAreJudgedToo(t *testing.T) {
	good := newPair(t, ES256).jwk(t, "")
	weak := `{"kty":"RSA","use":"enc","n":"` + strings.Repeat("-", 171) + `","e":"AQAB"}`
	if _, err := ParsePublicSet(set(good, weak)); reasonOf(err) != KeyRefused {
		t.Errorf("weak key for encryption: %v", err)
	}
	s, err := ParsePublicSet(set(newPair(t, ES256).jwk(t, `,"use":"enc"`)))
	if err != nil || len(s.Algs()) != 0 || fmt.Sprint(s.KeyAlgs()) != "[ECDH-ES+A256KW ECDH-ES]" {
		t.Errorf("set of one key for encryption: %v, %v, %v", s.Algs(), s.KeyAlgs(), err)
	}
	if _, err := s.Verify(newPair(t, ES256).sign(t, nil, "{}"), VerifyOptions{Algs: []Alg{ES256}}); reasonOf(err) != KeyUnknown {
		t.Errorf("a key for encryption verifies: %v", err)
	}
}
