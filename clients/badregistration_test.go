package clients

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// What would lock citizens out, or let somebody in, is refused with the field it stands in and what to write instead, whichever way it
// comes; and nothing of it is stored.
func TestBadRegistrationsNameTheFieldAndTheRemedy(t *testing.T) {
	ctx, r := t.Context(), openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	live(t, r, "live", nil)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	small, err := json.Marshal(map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "kid": "a", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(weak.N.Bytes()),
	}}})
	must(t, err)
	redirect := func(s string) map[string]any { return map[string]any{"redirect_uris": []string{s}} }
	keysAt := func(s string) map[string]any {
		return map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": s}
	}
	for name, c := range map[string]struct {
		more  map[string]any
		field string
	}{
		"fragment":              {redirect("https://a.example/cb#x"), "redirect_uris[0]"},
		"empty fragment":        {redirect("https://a.example/cb#"), "redirect_uris[0]"},
		"wildcard":              {redirect("https://*.a.example/cb"), "redirect_uris[0]"},
		"http on a public host": {redirect("http://a.example/cb"), "redirect_uris[0]"},
		"foreign scheme":        {redirect("javascript:alert(1)"), "redirect_uris[0]"},
		"data":                  {redirect("data:text/html,x"), "redirect_uris[0]"},
		"loopback in earnest":   {redirect("http://localhost:3000/cb"), "redirect_uris[0]"},
		"keys at 10.0.0.1":      {keysAt("https://10.0.0.1/jwks"), "jwks_uri"},
		"keys at the cloud's":   {keysAt("https://169.254.169.254/latest/meta-data"), "jwks_uri"},
		"keys at [fd00::1]":     {keysAt("https://[fd00::1]/jwks"), "jwks_uri"},
		"keys on this machine":  {keysAt("https://127.0.0.1/jwks"), "jwks_uri"},
		"keys by plain http":    {keysAt("http://a.example/jwks"), "jwks_uri"},
		"RSA 1024":              {map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": json.RawMessage(small)}, "jwks"},
		"unsigned ID tokens":    {map[string]any{"id_token_signed_response_alg": "none"}, "id_token_signed_response_alg"},
		"unsigned requests":     {map[string]any{"request_object_signing_alg": "none"}, "request_object_signing_alg"},
		"unknown member":        {map[string]any{"redirect_urls": []string{"https://a.example/cb"}}, "redirect_urls"},
		"value of another type": {map[string]any{"listed": "yes"}, "listed"},
	} {
		_, drafted := r.Draft(ctx, NewClient{Writing: writing(t, "bad", 0, hanako, c.more)})
		_, saved := r.Save(ctx, "live", writing(t, "live", 0, hanako, c.more))
		_, applied := r.Apply(ctx, "bad", Application{Document: writing(t, "bad", 0, hanako, c.more).Document, By: hanako})
		for way, err := range map[string]error{"drafted": drafted, "saved": saved, "applied": applied} {
			list, ok := asFaults(err)
			if !ok {
				t.Errorf("%s, %s: %v", name, way, err)
				continue
			}
			named := false
			for _, f := range list.List {
				named = named || f.Field == c.field && f.Problem != "" && f.Remedy != ""
			}
			if !named {
				t.Errorf("%s, %s: %+v names no %s", name, way, list.List, c.field)
			}
		}
	}
	if _, err := r.Detail(ctx, "bad"); refusalOf(err) != NotFound {
		t.Errorf("something was stored: %v", err)
	}
	if d, err := r.Detail(ctx, "live"); err != nil || d.Draft != nil {
		t.Errorf("something was stored: %+v, %v", d.Draft, err)
	}
}
