package idp_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

var ownerField = regexp.MustCompile(`name="owner" value="([^"]+)"`)

// TestDetailsPostedAfterTheSessionEndedAreNotLost: what a citizen wrote while her session ran out waits for her login, unsaved; nobody else
// who signs in in that browser sees it, and no other browser does.
func TestDetailsPostedAfterTheSessionEndedAreNotLost(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	b := atHome(t, h, "taro")
	owner := ownerField.FindStringSubmatch(b.Get("/account/details").Body)[1]
	c.advance(31 * time.Minute)
	form := detailsForm("nickname", "のこる", "email", "これから", "owner", owner)
	login := b.Post("/account/details", form)
	if login.URL.Path != "/login" {
		t.Fatalf("posted: %d %s", login.Status, login.URL)
	}
	p := b.SignIn(login, "taro")
	for _, want := range []string{"まだ保存していません", `value="のこる"`, `value="これから"`, `id="email-error"`} {
		if p.Status != http.StatusOK || !strings.Contains(p.Body, want) {
			t.Errorf("after the login the page lacks %s: %d %s", want, p.Status, p.URL)
		}
	}
	kept := p.URL.RequestURI()
	if again := b.Get(kept); !strings.Contains(again.Body, "のこる") {
		t.Error("a reload loses it")
	}
	if plain := b.Get("/account/details"); strings.Contains(plain.Body, "のこる") {
		t.Error("it was saved without a word")
	}
	if other := atHome(t, h, "taro").Get(kept); strings.Contains(other.Body, "のこる") {
		t.Error("another browser shows it")
	}
	c.advance(31 * time.Minute)
	hers := b.SignIn(b.Post("/account/details", form), "hanako")
	if hers.Status != http.StatusOK || strings.Contains(hers.Body, "のこる") {
		t.Errorf("who signs in next reads it: %d %s", hers.Status, hers.URL)
	}
}

// Without a browser cookie a form is kept all the same: the cookie that comes with the answer is the one it is kept for.
func TestDetailsPostedWithoutCookiesAreKept(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	owner := ownerField.FindStringSubmatch(atHome(t, h, "taro").Get("/account/details").Body)[1]
	b := h.Browser(t)
	form := url.Values{"nickname": {"のこる"}, "owner": {owner}}
	if p := b.SignIn(b.Post("/account/details", form), "taro"); !strings.Contains(p.Body, "のこる") {
		t.Errorf("%d %s", p.Status, p.URL)
	}
}
