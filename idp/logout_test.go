package idp_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

var logoutToken = regexp.MustCompile(`name="token" value="([^"]+)"`)

// signOut answers the question that an address asks with "all", and returns the page after it.
func signOut(t *testing.T, b *idptest.Browser, address string) idptest.Page {
	t.Helper()
	p := b.Get(address)
	m := logoutToken.FindStringSubmatch(p.Body)
	if m == nil {
		t.Fatalf("no question at %s: %d %s", p.URL, p.Status, p.Error())
	}
	return b.Post("/end-session/confirm", url.Values{"token": {m[1]}, "scope": {"all"}})
}

// payloadOfHint reads the claims of an ID token.
func payloadOfHint(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWS: %q", token)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(b, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
