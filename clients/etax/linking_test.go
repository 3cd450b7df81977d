package etax

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

func (w *world) wantNothingTied() {
	w.t.Helper()
	var n int
	if err := w.db.QueryRow(w.t.Context(), `SELECT COUNT(*) FROM etax_binding`).Scan(&n); err != nil || n != 0 {
		w.t.Errorf("%d ties, %v", n, err)
	}
}

// TestForeignPageTiesNobody: a page of the attacker's posts his own number and password in the browser of somebody who has just signed in here, so that
// what she files would be his to read (account-linking CSRF). With the mark of her form, which he cannot know, it is refused all the same.
func TestForeignPageTiesNobody(t *testing.T) {
	w := newWorld(t)
	taro := w.browser()
	mark := taro.launch().Hidden("/bind").Get("for")
	for _, from := range []string{"cross-site", "same-site"} {
		form := url.Values{"number": {otherNumber}, "password": {"other-password"}, "for": {mark}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/bind", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", from)
		r.Header.Set("Origin", "https://evil.example")
		resp, err := taro.b.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", from, resp.StatusCode)
		}
	}
	w.wantNothingTied()
}

// TestAttackersCallbackTiesNobody: the attacker signs in, keeps the address he would return by, and leads somebody else's browser there: she would enter
// her number into a session of his (link injection).
func TestAttackersCallbackTiesNobody(t *testing.T) {
	w := newWorld(t)
	w.hub.Set(func(s *rptest.Settings) { s.Person = "mallory" })
	mallory := w.browser()
	mallory.b.Stop(rp.PathCallback)
	his := mallory.launch().Header.Get("Location")
	w.hub.Set(func(s *rptest.Settings) { s.Person = "taro" })
	taro := w.browser()
	taro.launch()
	page, err := taro.b.Get(his)
	if err != nil {
		t.Fatal(err)
	}
	if page.Error() != "other_browser" {
		t.Errorf("%d %q", page.Status, page.Error())
	}
	taro.launch()
	wantAt(t, taro.post("/bind", "number", demoNumber, "password", demoPassword), "/home", "")
	for sub, want := range map[string]bool{"taro-at-etax": true, "mallory-at-etax": false} {
		if b, err := findBinding(t.Context(), w.db, sub); (b != nil) != want || err != nil {
			t.Errorf("%s: %v, %v", sub, b, err)
		}
	}
}

// TestLaunchForAnotherHubOrPage: whoever makes a browser begin a login here decides neither at which hub, nor on which page it ends.
func TestLaunchForAnotherHubOrPage(t *testing.T) {
	w := newWorld(t)
	for query, reason := range map[string]string{
		"iss=https%3A%2F%2Fevil.example": "issuer_foreign", "": "issuer_foreign",
		"iss=" + url.QueryEscape(w.hub.URL) + "&target_link_uri=https%3A%2F%2Fevil.example%2Fbind": "target_foreign",
		"iss=" + url.QueryEscape(w.hub.URL) + "&target_link_uri=%2F%2Fevil.example":                "target_foreign",
	} {
		page := w.browser().get(rp.PathInitiate + "?" + query)
		if page.Error() != reason || page.URL.Path != rp.PathInitiate {
			t.Errorf("%s: %q at %s", query, page.Error(), page.URL)
		}
	}
	if n := w.hub.Count("GET /authorize"); n != 0 {
		t.Errorf("%d logins begun", n)
	}
}
