package clients

import (
	"encoding/json"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// objectClaims are those of a good request object; more replaces some, nil leaves one out.
func objectClaims(c *clock, id ID, more map[string]any) map[string]any {
	all := map[string]any{
		"iss": id, "client_id": id, "aud": issuer, "exp": c.now().Add(5 * time.Minute).Unix(), "nbf": c.now().Unix(),
		"response_type": "code", "scope": "openid", "redirect_uri": "https://" + string(id) + ".example/callback",
	}
	maps.Copy(all, more)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

// TestVerifyRequestObject mirrors fapi2-security-profile-final-ensure-request-object-* and
// ensure-matching-key-in-authorization-request, and the cases of RFC 9101 §6 and §10.8.
func TestVerifyRequestObject(t *testing.T) {
	ctx, c := t.Context(), newClock()
	r := openRegistry(t, sqldbtest.Open(t), c, nil)
	own, strange := newECKey(t, "own"), newECKey(t, "own")
	rs := newRSAKey(t, "rsa", jose.RS256)
	ps := signing{jose.PS256, "rsa", rs.private}
	hmac := signing{jose.HS256, "own", []byte("0123456789abcdef0123456789abcdef")}
	published := jwks(t, own, rs)
	for id, more := range map[ID]map[string]any{
		"oidc": nil, "fapi": {"profile": "fapi2"}, "pinned": {"request_object_signing_alg": "PS256"},
	} {
		all := map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": published}
		maps.Copy(all, more)
		_, err := r.put(ctx, metadata(t, id, all), nil)
		must(t, err)
	}
	at := func(d time.Duration) int64 { return c.now().Add(d).Unix() }
	type change = map[string]any
	for _, tc := range []struct {
		name   string
		id     ID
		key    signing
		typ    string
		more   change
		want   Reason
		signed bool // claims come back although it is refused
	}{
		{"good", "oidc", own, "", nil, 0, true},
		{"good", "fapi", own, "oauth-authz-req+jwt", nil, 0, true},
		{"typ JWT", "fapi", own, "JWT", nil, 0, true},
		{"typ with application/", "fapi", own, "application/oauth-authz-req+jwt", nil, 0, true},
		{"typ of a proof", "oidc", own, "dpop+jwt", nil, BadRequestObject, false},
		{"several audiences", "fapi", own, "", change{"aud": []string{issuer, "https://other1.example.com", "invalid"}}, 0, true},
		{"8 seconds early", "fapi", own, "", change{"nbf": at(8 * time.Second)}, 0, true},
		{"PS256", "fapi", ps, "", nil, 0, true},
		{"RS256", "oidc", rs, "", nil, 0, true},
		{"RS256 in fapi2", "fapi", rs, "", nil, BadRequestObject, false},
		{"registered algorithm", "pinned", ps, "", nil, 0, true},
		{"another than the registered algorithm", "pinned", own, "", nil, BadRequestObject, false},
		{"HMAC", "oidc", hmac, "", nil, BadRequestObject, false},
		{"stranger's key", "fapi", strange, "", nil, BadRequestObject, false},
		{"next to nothing in it", "oidc", own, "", change{"iss": nil, "aud": nil, "exp": nil, "nbf": nil, "client_id": nil}, 0, true},
		{"no iss", "fapi", own, "", change{"iss": nil}, BadRequestObject, true},
		{"iss of another", "oidc", own, "", change{"iss": "other"}, BadRequestObject, true},
		{"client_id of another", "oidc", own, "", change{"client_id": "other"}, BadRequestObject, true},
		{"no client_id", "fapi", own, "", change{"client_id": nil}, 0, true},
		{"sub is the client", "oidc", own, "", change{"sub": "oidc"}, BadRequestObject, true},
		{"no aud", "fapi", own, "", change{"aud": nil}, BadRequestObject, true},
		{"foreign aud", "fapi", own, "", change{"aud": "https://other.example"}, BadRequestObject, true},
		{"foreign aud", "oidc", own, "", change{"aud": []string{"https://other.example"}}, BadRequestObject, true},
		{"aud is the endpoint", "oidc", own, "", change{"aud": issuer + "/par"}, BadRequestObject, true},
		{"aud is a number", "oidc", own, "", change{"aud": 1}, BadRequestObject, true},
		{"no exp", "fapi", own, "", change{"exp": nil}, BadRequestObject, true},
		{"no nbf", "fapi", own, "", change{"nbf": nil}, BadRequestObject, true},
		{"expired", "fapi", own, "", change{"exp": at(-5 * time.Minute), "nbf": at(-6 * time.Minute)}, BadRequestObject, true},
		{"expired", "oidc", own, "", change{"exp": at(-11 * time.Second)}, BadRequestObject, true},
		{"nbf 70 minutes ago", "fapi", own, "", change{"nbf": at(-70 * time.Minute)}, BadRequestObject, true},
		{"nbf 70 minutes ago", "oidc", own, "", change{"nbf": at(-70 * time.Minute)}, 0, true},
		{"exp in 70 minutes", "fapi", own, "", change{"exp": at(70 * time.Minute)}, BadRequestObject, true},
		{"nbf in a minute", "fapi", own, "", change{"nbf": at(time.Minute)}, BadRequestObject, true},
		{"iat in a minute", "oidc", own, "", change{"iat": at(time.Minute)}, BadRequestObject, true},
		{"exp is a word", "oidc", own, "", change{"exp": "soon"}, BadRequestObject, false},
		{"exp beyond numbers", "oidc", own, "", change{"exp": 1e300}, BadRequestObject, true},
	} {
		t.Run(string(tc.id)+" "+tc.name, func(t *testing.T) {
			client, err := r.Get(ctx, tc.id)
			must(t, err)
			got, _, err := r.VerifyRequestObject(ctx, client, tc.key.sign(t, tc.typ, objectClaims(c, tc.id, tc.more)), RequestObjectRules{Issuer: issuer})
			if reasonOf(err) != tc.want || (tc.want == 0) != (err == nil) || (got != nil) != tc.signed {
				t.Errorf("%v, claims %s", err, got)
			}
		})
	}
	client, err := r.Get(ctx, "fapi")
	must(t, err)
	unsigned := "eyJhbGciOiJub25lIn0.e30." // {"alg":"none"}
	for _, object := range []string{"", "e30.e30.e30", unsigned, unsigned + "e30", "a.b.c.d.e"} {
		if got, _, err := r.VerifyRequestObject(ctx, client, object, RequestObjectRules{Issuer: issuer}); got != nil || reasonOf(err) != BadRequestObject {
			t.Errorf("%q: %v", object, err)
		}
	}
	if _, _, err := r.VerifyRequestObject(ctx, client, unsigned, RequestObjectRules{}); err == nil || reasonOf(err) != 0 {
		t.Errorf("no issuer to compare with: %v", err)
	}
}

// TestRequestObjectIsPushedOnce: with a store, one of a hundred uses of one jti wins; an object without a jti, and the same jti of another
// client, are nobody's concern.
func TestRequestObjectIsPushedOnce(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		ctx, c := t.Context(), newClock()
		r := openRegistry(t, sqldbtest.Open(t), c, nil)
		own := newECKey(t, "own")
		clients := map[ID]*Client{}
		for _, id := range []ID{"one", "two"} {
			var err error
			clients[id], err = r.put(ctx, metadata(t, id, map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(t, own)}), nil)
			must(t, err)
		}
		rules := RequestObjectRules{Issuer: issuer, Store: store}
		object := own.sign(t, "", objectClaims(c, "one", map[string]any{"jti": "once"}))
		var won, lost atomic.Int64
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				switch _, _, err := r.VerifyRequestObject(ctx, clients["one"], object, rules); {
				case err == nil:
					won.Add(1)
				case reasonOf(err) == RequestObjectReplayed:
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || lost.Load() != 99 {
			t.Errorf("%d won, %d lost", won.Load(), lost.Load())
		}
		if _, _, err := r.VerifyRequestObject(ctx, clients["two"], own.sign(t, "", objectClaims(c, "two", map[string]any{"jti": "once"})), rules); err != nil {
			t.Errorf("another client: %v", err)
		}
		for range 2 {
			if _, _, err := r.VerifyRequestObject(ctx, clients["one"], own.sign(t, "", objectClaims(c, "one", nil)), rules); err != nil {
				t.Errorf("no jti: %v", err)
			}
			if _, _, err := r.VerifyRequestObject(ctx, clients["one"], object, RequestObjectRules{Issuer: issuer}); err != nil {
				t.Errorf("no store: %v", err)
			}
		}
	})
}

// FuzzRequestObjectClaims: whatever a client signs is judged without a panic, and what profile fapi2 accepts has every claim it demands.
func FuzzRequestObjectClaims(f *testing.F) {
	c := newClock()
	good, err := json.Marshal(objectClaims(c, "fapi", nil))
	must(f, err)
	f.Add(string(good))
	for _, s := range []string{`{}`, `null`, `{"aud":null}`, `{"exp":1e400}`, `{"aud":[1]}`, `{"nbf":-1,"exp":1800000001}`, `{"iss":"fapi","ISS":"x"}`} {
		f.Add(s)
	}
	strict, loose := &Client{m: Metadata{ClientID: "fapi", Profile: FAPI2}}, &Client{m: Metadata{ClientID: "fapi", Profile: OIDC}}
	f.Fuzz(func(t *testing.T, payload string) {
		var claims requestObjectClaims
		if json.Unmarshal([]byte(payload), &claims) != nil {
			return
		}
		now := c.now()
		for _, client := range []*Client{strict, loose} {
			if err := claims.check(client, client == strict, issuer, now); err != nil {
				if reasonOf(err) != BadRequestObject {
					t.Fatalf("%v", err)
				}
				continue
			}
			if claims.Expires != nil && at(*claims.Expires).Add(skew).Before(now) {
				t.Errorf("expired: %s", payload)
			}
			if client == strict && (claims.Issuer == nil || claims.Audience == nil || claims.Expires == nil || claims.NotBefore == nil) {
				t.Errorf("incomplete: %s", payload)
			}
		}
	})
}
