package keys

import (
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// What is accepted can be used, passes the judgement again, and is refused with a
// typed error otherwise.
func FuzzParsePublicSet(f *testing.F) {
	for _, alg := range []Alg{ES256, RS256, EdDSA} {
		f.Add(set(newPair(f, alg).jwk(f, `,"kid":"a","use":"sig"`)))
		f.Add(set(newPair(f, alg).jwk(f, `,"kid":"a","use":"enc"`)))
	}
	f.Add([]byte(`{"keys":[` + rfc7638Key + `,{"kty":"oct","k":"AAAA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","d":"AA"},{"kty":"RSA","n":"","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParsePublicSet(b)
		if err != nil {
			if r := reasonOf(err); r != Malformed && r != KeyRefused {
				t.Fatalf("untyped: %v", err)
			}
			return
		}
		if s.Empty() || len(s.Algs())+len(s.KeyAlgs()) == 0 || len(s.keys) > MaxSetKeys {
			t.Fatal("accepted a set of no use")
		}
		for _, alg := range s.KeyAlgs() {
			if _, err := Encrypt([]byte("{}"), "JWT", s, alg, A128GCM); err != nil {
				t.Fatalf("accepted a key that cannot be encrypted to: %v", err)
			}
		}
		for _, k := range s.keys {
			if err := Judge(k.key); err != nil {
				t.Fatalf("kept a key that is refused: %v", err)
			}
		}
	})
}

// Nothing but an untouched token verifies: whatever is accepted carries the
// payload that was signed.
func FuzzVerify(f *testing.F) {
	s := openSet(f, sqldbtest.Open(f), newClock(), ES256, EdDSA)
	for _, alg := range []Alg{ES256, EdDSA} {
		f.Add(sign(f, s, alg))
	}
	f.Add(forge(`{"alg":"none"}`, "{}", "x"))
	f.Add(forge(`{"alg":"HS256","typ":"test+jwt"}`, "{}", "x"))
	f.Add("..")
	body, _ := s.JWKS()
	public, err := ParsePublicSet(body)
	must(f, err)
	f.Fuzz(func(t *testing.T, token string) {
		own, err := s.Verify(token, "test+jwt")
		stranger, err2 := public.Verify(token, VerifyOptions{Algs: Algs(), Typ: "test+jwt"})
		if (err == nil) != (err2 == nil) && err == nil {
			t.Fatalf("only the Set accepts: %v", err2)
		}
		if err == nil && string(own) != `{"sub":"x"}` || err2 == nil && string(stranger.Payload) != `{"sub":"x"}` {
			t.Fatalf("accepted %q", own)
		}
		for _, err := range []error{err, err2} {
			if err != nil && reasonOf(err) == 0 {
				t.Fatalf("untyped: %v", err)
			}
		}
	})
}
