package idp_test

import (
	"net/url"
	"regexp"
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
