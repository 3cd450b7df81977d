package clients

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

const issuer = "https://hub.example"

func rules(s ephemeral.Store) AssertionRules {
	return AssertionRules{Issuer: issuer, Audiences: []string{issuer + "/token", issuer + "/par"}, Store: s}
}

func asserted(id ID, assertion string) Credentials {
	return Credentials{id: id, method: PrivateKeyJWT, proof: keys.NewSecret([]byte(assertion))}
}

// claims are those of a good assertion; more replaces some, nil leaves one out.
func claims(c *clock, id ID, more map[string]any) map[string]any {
	all := map[string]any{
		"iss": id, "sub": id, "aud": issuer, "jti": string(keys.RandomSecret().Reveal()), "exp": c.now().Add(time.Minute).Unix(), "iat": c.now().Unix(),
	}
	maps.Copy(all, more)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

func TestAuthenticateWithSecret(t *testing.T) {
	ctx, r := t.Context(), openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	secrets := map[ID]keys.Secret{}
	for id, more := range map[ID]map[string]any{
		"basic": nil, "other": nil, "post": {"token_endpoint_auth_method": "client_secret_post"}, "public": {"token_endpoint_auth_method": "none"},
	} {
		secret := keys.RandomSecret()
		given := &secret
		if id == "public" {
			given = nil
		}
		_, err := r.put(ctx, metadata(t, id, more), given)
		must(t, err)
		secrets[id] = secret
	}
	for _, c := range []struct {
		name string
		cred Credentials
		want Reason
	}{
		{"basic", Credentials{id: "basic", method: SecretBasic, proof: secrets["basic"]}, 0},
		{"post", Credentials{id: "post", method: SecretPost, proof: secrets["post"]}, 0},
		{"public", Credentials{id: "public", method: None, proof: keys.Secret{}}, 0},
		{"other client's secret", Credentials{id: "basic", method: SecretBasic, proof: secrets["other"]}, BadSecret},
		{"empty secret", Credentials{id: "basic", method: SecretBasic, proof: keys.NewSecret(nil)}, BadSecret},
		{"no secret", Credentials{id: "basic", method: SecretBasic, proof: keys.Secret{}}, BadSecret},
		{"the digest instead of the secret", Credentials{id: "basic", method: SecretBasic, proof: keys.NewSecret([]byte(seedDigest(secrets["basic"])))}, BadSecret},
		{"post for a basic client", Credentials{id: "basic", method: SecretPost, proof: secrets["basic"]}, MethodMismatch},
		{"basic for a post client", Credentials{id: "post", method: SecretBasic, proof: secrets["post"]}, MethodMismatch},
		{"confidential client without credentials", Credentials{id: "basic", method: None, proof: keys.Secret{}}, MethodMismatch},
		{"public client with a secret", Credentials{id: "public", method: SecretBasic, proof: keys.NewSecret([]byte("x"))}, MethodMismatch},
		{"assertion of a secret client", asserted("basic", "a.b.c"), MethodMismatch},
		{"unknown client", Credentials{id: "nobody", method: SecretBasic, proof: secrets["basic"]}, UnknownClient},
		{"zero credentials", Credentials{}, NoCredentials},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := r.Authenticate(ctx, c.cred, AssertionRules{})
			if reasonOf(err) != c.want || (c.want == 0) != (err == nil) || (err == nil) != (got != nil) {
				t.Fatalf("%v", err)
			}
			if got != nil && got.ID() != c.cred.id {
				t.Errorf("authenticated %s", got.ID())
			}
		})
	}
}

func TestAuthenticateWithAssertion(t *testing.T) {
	ctx, c := t.Context(), newClock()
	store := ephemeraltest.Open(t)
	r := openRegistry(t, sqldbtest.Open(t), c, nil)
	own, spare, strange := newECKey(t, "own"), newECKey(t, "spare"), newECKey(t, "own")
	rs := newRSAKey(t, "rsa", jose.RS256)
	ps := signing{jose.PS256, "rsa", rs.private}
	hmac := signing{jose.HS256, "own", []byte("0123456789abcdef0123456789abcdef")}
	published := jwks(t, own, spare, rs)
	for id, more := range map[ID]map[string]any{
		"oidc": nil, "other": nil, "fapi": {"profile": "fapi2"}, "pinned": {"token_endpoint_auth_signing_alg": "PS256"},
	} {
		all := map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": published}
		maps.Copy(all, more)
		_, err := r.put(ctx, metadata(t, id, all), nil)
		must(t, err)
	}
	at := func(d time.Duration) int64 { return c.now().Add(d).Unix() }
	type change = map[string]any
	for _, tc := range []struct {
		name string
		id   ID
		key  signing
		typ  string
		more change
		want Reason
	}{
		{"issuer as audience", "oidc", own, "", nil, 0},
		{"token endpoint as audience", "oidc", own, "", change{"aud": issuer + "/token"}, 0},
		{"audiences, one is ours", "oidc", own, "", change{"aud": []string{"https://elsewhere.example", issuer + "/par"}}, 0},
		{"second key", "oidc", spare, "", nil, 0},
		{"no kid", "oidc", signing{jose.ES256, "", own.private}, "", nil, 0},
		{"RS256", "oidc", rs, "", nil, 0},
		{"typ JWT", "oidc", own, "JWT", nil, 0},
		{"typ of RFC 7523bis", "oidc", own, "client-authentication+jwt", nil, 0},
		{"clock 8 s ahead", "oidc", own, "", change{"iat": at(8 * time.Second), "nbf": at(8 * time.Second)}, 0},
		{"expired 8 s ago", "oidc", own, "", change{"exp": at(-8 * time.Second)}, 0},
		{"exp with a fraction", "oidc", own, "", change{"exp": float64(at(time.Minute)) + 0.5}, 0},
		{"without iat", "oidc", own, "", change{"iat": nil}, 0},
		{"unknown claims", "oidc", own, "", change{"scope": "x"}, 0},
		{"fapi2", "fapi", own, "", nil, 0},
		{"fapi2 with PS256", "fapi", ps, "", nil, 0},
		{"pinned to PS256", "pinned", ps, "", nil, 0},

		{"fapi2: token endpoint as audience", "fapi", own, "", change{"aud": issuer + "/token"}, BadAssertion},
		{"fapi2: list of the issuer", "fapi", own, "", change{"aud": []string{issuer}}, BadAssertion},
		{"fapi2: RS256", "fapi", rs, "", nil, BadAssertion},
		{"pinned: other algorithm", "pinned", own, "", nil, BadAssertion},
		{"stranger's key under our kid", "oidc", strange, "", nil, BadAssertion},
		{"HMAC", "oidc", hmac, "", nil, BadAssertion},
		{"other client's assertion", "oidc", own, "", change{"iss": "other", "sub": "other"}, BadAssertion},
		{"iss is not sub", "oidc", own, "", change{"sub": "other"}, BadAssertion},
		{"without sub", "oidc", own, "", change{"sub": nil}, BadAssertion},
		{"other audience", "oidc", own, "", change{"aud": "https://elsewhere.example/token"}, BadAssertion},
		{"audience with a slash more", "oidc", own, "", change{"aud": issuer + "/"}, BadAssertion},
		{"empty audience", "oidc", own, "", change{"aud": ""}, BadAssertion},
		{"empty list of audiences", "oidc", own, "", change{"aud": []string{}}, BadAssertion},
		{"audience is a number", "oidc", own, "", change{"aud": 7}, BadAssertion},
		{"without audience", "oidc", own, "", change{"aud": nil}, BadAssertion},
		{"without jti", "oidc", own, "", change{"jti": nil}, BadAssertion},
		{"empty jti", "oidc", own, "", change{"jti": ""}, BadAssertion},
		{"jti too long", "oidc", own, "", change{"jti": fmt.Sprintf("%0257d", 1)}, BadAssertion},
		{"without exp", "oidc", own, "", change{"exp": nil}, BadAssertion},
		{"exp is a string", "oidc", own, "", change{"exp": "1900000000"}, BadAssertion},
		{"exp in an hour", "oidc", own, "", change{"exp": at(time.Hour)}, BadAssertion},
		{"exp out of range", "oidc", own, "", change{"exp": 1e300}, BadAssertion},
		{"negative exp", "oidc", own, "", change{"exp": -1}, BadAssertion},
		{"expired", "oidc", own, "", change{"exp": at(-11 * time.Second)}, AssertionExpired},
		{"not yet valid", "oidc", own, "", change{"nbf": at(61 * time.Second)}, AssertionExpired},
		{"issued in the future", "oidc", own, "", change{"iat": at(61 * time.Second)}, AssertionExpired},
		{"an access token as assertion", "oidc", own, "at+jwt", nil, BadAssertion},
	} {
		t.Run(tc.name, func(t *testing.T) {
			token := tc.key.sign(t, tc.typ, claims(c, tc.id, tc.more))
			got, err := r.Authenticate(ctx, asserted(tc.id, token), rules(store))
			if reasonOf(err) != tc.want || (tc.want == 0) != (err == nil) || (err == nil) != (got != nil) {
				t.Fatalf("%v", err)
			}
			if err == nil {
				if _, err := r.Authenticate(ctx, asserted(tc.id, token), rules(store)); reasonOf(err) != AssertionReplayed {
					t.Errorf("again: %v", err)
				}
			}
		})
	}
}

// Two clients may draw the same jti; and a jti stays spent until its assertion has
// expired in every clock we accept.
func TestJTIBelongsToItsClient(t *testing.T) {
	ctx, c := t.Context(), newClock()
	store, r, key := ephemeraltest.Open(t), openRegistry(t, sqldbtest.Open(t), c, nil), newECKey(t, "a")
	for _, id := range []ID{"a", "b"} {
		_, err := r.put(ctx, metadata(t, id, map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(t, key)}), nil)
		must(t, err)
		_, err = r.Authenticate(ctx, asserted(id, key.sign(t, "", claims(c, id, map[string]any{"jti": "1"}))), rules(store))
		must(t, err)
	}
	// Another assertion with a spent jti is refused as well.
	if _, err := r.Authenticate(ctx, asserted("a", key.sign(t, "", claims(c, "a", map[string]any{"jti": "1", "exp": c.now().Unix() + 30}))), rules(store)); reasonOf(err) != AssertionReplayed {
		t.Errorf("%v", err)
	}
}

// Whoever cannot sign for a client cannot spend its jti either.
func TestForgedAssertionSpendsNothing(t *testing.T) {
	ctx, c := t.Context(), newClock()
	store, r, own, strange := ephemeraltest.Open(t), openRegistry(t, sqldbtest.Open(t), c, nil), newECKey(t, "a"), newECKey(t, "a")
	_, err := r.put(ctx, metadata(t, "a", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(t, own)}), nil)
	must(t, err)
	said := claims(c, "a", nil)
	if _, err := r.Authenticate(ctx, asserted("a", strange.sign(t, "", said)), rules(store)); reasonOf(err) != BadAssertion {
		t.Fatalf("forged: %v", err)
	}
	if _, err := r.Authenticate(ctx, asserted("a", own.sign(t, "", said)), rules(store)); err != nil {
		t.Errorf("the client's own: %v", err)
	}
}

// A replayed assertion has one winner among 100 at once, on every store.
func TestAssertionReplayedAtOnce(t *testing.T) {
	ctx, c := t.Context(), newClock()
	r, key := openRegistry(t, sqldbtest.Open(t), c, nil), newECKey(t, "a")
	_, err := r.put(ctx, metadata(t, "a", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(t, key)}), nil)
	must(t, err)
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		cred := asserted("a", key.sign(t, "", claims(c, "a", nil)))
		var wins, replays atomic.Int32
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				_, err := r.Authenticate(ctx, cred, rules(store))
				switch {
				case err == nil:
					wins.Add(1)
				case reasonOf(err) == AssertionReplayed:
					replays.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 || replays.Load() != 99 {
			t.Errorf("%d accepted, %d replays", wins.Load(), replays.Load())
		}
	})
}

// Without rules nothing may match by accident, an empty audience least of all.
func TestIncompleteRulesAreOurFault(t *testing.T) {
	ctx, c := t.Context(), newClock()
	store, r, key := ephemeraltest.Open(t), openRegistry(t, sqldbtest.Open(t), c, nil), newECKey(t, "a")
	_, err := r.put(ctx, metadata(t, "a", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(t, key)}), nil)
	must(t, err)
	for _, bad := range []AssertionRules{{}, {Issuer: issuer}, {Store: store}, {Issuer: issuer, Store: store, Audiences: []string{""}}} {
		_, err := r.Authenticate(ctx, asserted("a", key.sign(t, "", claims(c, "a", nil))), bad)
		if err == nil || reasonOf(err) != 0 {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestErrorText(t *testing.T) {
	cause := errors.New("cause")
	err := &Error{Reason: BadAssertion, Client: "a", Detail: "detail", Err: cause}
	if err.Error() != "assertion_invalid (client a): detail: cause" || !errors.Is(err, cause) {
		t.Error(err.Error())
	}
	var seen []string
	for r := Malformed; r <= KeysUnavailable; r++ {
		if slices.Contains(seen, r.String()) || r.String() == "" {
			t.Errorf("%d: %s", r, r)
		}
		seen = append(seen, r.String())
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	ctx, c := b.Context(), newClock()
	r, store := openRegistry(b, sqldbtest.Open(b), c, nil), ephemeraltest.Open(b)
	secret, key := keys.RandomSecret(), newECKey(b, "a")
	_, err := r.put(ctx, metadata(b, "basic", nil), &secret)
	must(b, err)
	_, err = r.put(ctx, metadata(b, "jwt", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(b, key)}), nil)
	must(b, err)
	b.Run("client_secret_basic", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.Authenticate(ctx, Credentials{id: "basic", method: SecretBasic, proof: secret}, rules(store)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("private_key_jwt", func(b *testing.B) {
		tokens := make([]Credentials, 5000)
		for i := range tokens {
			tokens[i] = asserted("jwt", key.sign(b, "", claims(c, "jwt", nil)))
		}
		b.ResetTimer()
		for i := 0; i < b.N; i++ {
			if _, err := r.Authenticate(ctx, tokens[i%len(tokens)], rules(store)); err != nil && reasonOf(err) != AssertionReplayed {
				b.Fatal(err)
			}
		}
	})
}
