package clients

import (
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// bareJWKS is a key set whose keys have neither kid nor use nor alg.
func bareJWKS(t testing.TB, of ...signing) json.RawMessage {
	t.Helper()
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	must(t, json.Unmarshal(jwks(t, of...), &set))
	for _, k := range set.Keys {
		delete(k, "kid")
		delete(k, "use")
		delete(k, "alg")
	}
	b, err := json.Marshal(set)
	must(t, err)
	return b
}

// What the suite's fapi2-security-profile-final-* and oidcc-ensure-client-assertion-*
// modules send, in both profiles.
func TestAssertionInBothProfiles(t *testing.T) {
	type change = map[string]any
	ctx, c := t.Context(), newClock()
	r, store := openRegistry(t, sqldbtest.Open(t), c, nil), ephemeraltest.Open(t)
	own, rs := newECKey(t, "own"), newRSAKey(t, "rsa", jose.RS256)
	withoutKID := signing{own.alg, "", own.private}
	for _, profile := range []Profile{OIDC, FAPI2} {
		for id, more := range map[ID]change{
			"keyed-":  {"jwks": jwks(t, own, rs)},
			"bare-":   {"jwks": bareJWKS(t, own, rs)},
			"pinned-": {"jwks": jwks(t, own, newRSAKey(t, "p", jose.PS256)), "token_endpoint_auth_signing_alg": "PS256"},
		} {
			more["profile"], more["token_endpoint_auth_method"] = profile, "private_key_jwt"
			_, err := r.put(ctx, metadata(t, id+ID(profile), more), nil)
			must(t, err)
		}
	}
	at := func(d time.Duration) int64 { return c.now().Add(d).Unix() }
	for _, tc := range []struct {
		name        string // the suite's module, where there is one
		client      ID
		key         signing
		more        change
		oidc, fapi2 Reason // 0: accepted
	}{
		{"issuer as a string: ensure-client-assertion-with-iss-aud-succeeds", "keyed-", own, nil, 0, 0},
		{"array of the issuer alone: par-array-as-audience-for-jwt-client-assertion", "keyed-", own, change{"aud": []string{issuer}}, 0, BadAssertion},
		{"array with the issuer", "keyed-", own, change{"aud": []string{issuer, issuer + "/token"}}, 0, BadAssertion},
		{"par-token-endpoint-as-audience-for-jwt-client-assertion", "keyed-", own, change{"aud": issuer + "/token"}, 0, BadAssertion},
		{"par-endpoint-as-audience-for-jwt-client-assertion", "keyed-", own, change{"aud": issuer + "/par"}, 0, BadAssertion},
		{"ensure-client-assertion-with-wrong-aud-fails", "keyed-", own, change{"aud": "https://elsewhere.example"}, BadAssertion, BadAssertion},
		{"ensure-jwt-client-assertion-with-iat-nbf-8-seconds-in-the-future-is-accepted", "keyed-", own, change{"iat": at(8 * time.Second), "nbf": at(8 * time.Second)}, 0, 0},
		{"ensure-jwt-client-assertion-with-iat-over-60-seconds-in-the-future-fails", "keyed-", own, change{"iat": at(61 * time.Second)}, AssertionExpired, AssertionExpired},
		{"ensure-jwt-client-assertion-with-nbf-over-60-seconds-in-the-future-fails", "keyed-", own, change{"nbf": at(61 * time.Second)}, AssertionExpired, AssertionExpired},
		{"ensure-client-assertion-with-exp-is-5-minutes-in-past-fails", "keyed-", own, change{"exp": at(-5 * time.Minute)}, AssertionExpired, AssertionExpired},
		{"ensure-client-assertion-with-no-sub-fails", "keyed-", own, change{"sub": nil}, BadAssertion, BadAssertion},
		{"no iss that names the client", "keyed-", own, change{"iss": "bare-oidc"}, BadAssertion, BadAssertion},
		{"ensure-signed-client-assertion-with-RS256-fails", "keyed-", rs, nil, 0, BadAssertion},
		{"no kid in the header", "keyed-", withoutKID, nil, 0, 0},
		{"neither kid nor use in the key set", "bare-", withoutKID, nil, 0, 0},
		{"a kid that the key set does not have", "bare-", own, nil, BadAssertion, BadAssertion},
		{"another algorithm than the registered one", "pinned-", own, nil, BadAssertion, BadAssertion},
	} {
		for profile, want := range map[Profile]Reason{OIDC: tc.oidc, FAPI2: tc.fapi2} {
			t.Run(tc.name+"/"+string(profile), func(t *testing.T) {
				id := tc.client + ID(profile)
				cred := asserted(id, tc.key.sign(t, "", claims(c, id, tc.more)))
				_, err := r.Authenticate(ctx, cred, rules(store))
				if reasonOf(err) != want || (want == 0) != (err == nil) {
					t.Fatalf("%v", err)
				}
				if want != 0 {
					return
				}
				if _, err := r.Authenticate(ctx, cred, rules(store)); reasonOf(err) != AssertionReplayed {
					t.Errorf("the same again: %v", err)
				}
			})
		}
	}
}

// One client's assertion under another's client_id, and beside another method.
func TestAssertionStandsAlone(t *testing.T) {
	c, key := newClock(), newECKey(t, "a")
	assertion := key.sign(t, "", claims(c, "a", nil))
	form := url.Values{"client_assertion": {assertion}, "client_assertion_type": {assertionType}}
	for name, want := range map[string]Reason{"client_id": ClientMismatch, "client_secret": MultipleMethods} {
		form := url.Values{"client_assertion": form["client_assertion"], "client_assertion_type": form["client_assertion_type"], name: {"b"}}
		if _, err := ParseCredentials(nil, form); reasonOf(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseCredentials(map[string][]string{"Authorization": {basic("a:s")}}, form); reasonOf(err) != MultipleMethods {
		t.Errorf("with Basic: %v", err)
	}
}

// No authentication at all: invalid_client, by the reason that says so.
func TestUnauthenticatedRequestNamesNoClient(t *testing.T) {
	if _, err := ParseCredentials(nil, url.Values{"grant_type": {"client_credentials"}}); reasonOf(err) != NoCredentials {
		t.Errorf("%v", err)
	}
}

func FuzzUnverifiedIssuer(f *testing.F) {
	for _, s := range []string{"a.b.c", unsigned(`{"iss":"a"}`), unsigned(`{"iss":1}`), unsigned(`{"iss":"a","aud":["x"],"exp":1e400}`), ".."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := unverifiedIssuer(s)
		if err != nil {
			return
		}
		if _, err := ParseID(string(id)); err != nil {
			t.Fatalf("%q names %q", s, id)
		}
	})
}
