package rp_test

import (
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

// TestBoundTokens: with a key of our own every request carries a proof, the hub's nonce is learned once and then sent at the first
// try, and resources are called with the bound token.
func TestBoundTokens(t *testing.T) {
	w := newWorld(t, func(c *rp.Config) {
		key, ok := c.Credential.(*rp.Key)
		if !ok {
			t.Fatal("no key")
		}
		c.Bound = key
	})
	w.hub.Set(func(s *rptest.Settings) { s.DPoP = true })
	b := w.browser()
	if page := w.get(b, "/inner"); !page.Has(taro) {
		t.Fatalf("not signed in: %s", page.Body)
	}
	if n := w.hub.Count("POST /token"); n != 2 {
		t.Errorf("%d token requests for the first login, want one for the nonce and one with it", n)
	}
	if w.hub.LastRequest().Get("dpop_jkt") == "" {
		t.Error("the code was not bound to the key")
	}
	w.clock.advance(6 * time.Minute) // the access token grows old
	if page := w.get(b, "/api"); !page.Has("[taro-at-service none]") {
		t.Errorf("api: %s", page.Body)
	}
	if page := w.get(b, "/userinfo"); !page.Has("[taro-at-service taro-at-service]") {
		t.Errorf("userinfo: %s", page.Body)
	}
	if n := w.hub.Count("POST /token"); n != 3 {
		t.Errorf("%d token requests after one refresh, want 3: the nonce was not kept", n)
	}
}

// TestBearerInPlaceOfBound: a hub, or somebody between, that hands out a token anybody could use is refused.
func TestBearerInPlaceOfBound(t *testing.T) {
	w := newWorld(t, func(c *rp.Config) { c.Bound, _ = c.Credential.(*rp.Key) })
	if page := w.get(w.browser(), "/inner"); page.Has(taro) {
		t.Errorf("signed in with a bearer token: %s", page.Body)
	}
}
