package idp_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
)

// soon is longer than the card app takes to notice.
const soon = 3 * time.Second

// TestCardOutIsSignedOut: taking the card out ends the sessions that asked for it, and no other; services are told once, and the next page
// says why.
func TestCardOutIsSignedOut(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		h := idptest.Start(t, idptest.Options{Transient: store, Own: true})
		first, second, unasked, other := h.Browser(t), h.Browser(t), h.Browser(t), h.Browser(t)
		first.CardWatch, second.CardWatch, other.CardWatch = true, true, true
		h.Code(t, first, idptest.NewRequest(), "taro")
		h.Code(t, second, idptest.NewRequest(), "taro")
		h.Code(t, unasked, idptest.NewRequest(), "taro")
		h.Code(t, other, idptest.NewRequest(), "hanako")
		if p := first.Get("/account"); !strings.Contains(p.Body, "data-card-watch") {
			t.Fatal("the account page does not say that the card is watched")
		}
		if err := h.Drawer.Eject("taro"); err != nil {
			t.Fatal(err)
		}
		within(t, soon, "signed out", func() bool { return !knownToHub(first) && !knownToHub(second) })
		if p := first.Get("/account"); !strings.Contains(p.Body, `data-notice="card-removed"`) {
			t.Errorf("the next page does not say why: %s", p.URL)
		}
		if !knownToHub(unasked) || !knownToHub(other) {
			t.Error("somebody was signed out whose card is in, or who had not asked for it")
		}
		if n := counted(t, h.DB, `SELECT COUNT(*) FROM logout_delivery WHERE reason = 'card-removed'`); n != 2 {
			t.Errorf("%d notices for two sessions with one service", n)
		}
		if n := counted(t, h.DB, `SELECT COUNT(*) FROM audit_event WHERE kind = 'session.ended'`); n != 2 {
			t.Errorf("%d audit rows", n)
		}
		if err := h.Drawer.Insert("taro"); err != nil {
			t.Fatal(err)
		}
		h.Code(t, first, idptest.NewRequest(), "taro")
		time.Sleep(2 * soon / 3)
		if !knownToHub(first) {
			t.Error("signed out although the card is in again")
		}
	})
}

// TestCardOutBeforeTheBrowserIsBack: who takes the card out as soon as it has signed is not signed in by the browser that comes late.
func TestCardOutBeforeTheBrowserIsBack(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Own: true})
	b := h.Browser(t)
	h.Code(t, b, idptest.NewRequest(), "taro") // the folder is open
	late := h.Browser(t)
	late.CardWatch = true
	back := late.CardLogin(late.Get(idptest.NewRequest().Path()), "taro")
	if err := h.Drawer.Eject("taro"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(soon)
	p := late.Get(back)
	if p.URL.Path != "/login" || !strings.Contains(p.Body, `data-notice="card-removed"`) {
		t.Errorf("at %s", p.URL)
	}
	if knownToHub(late) {
		t.Error("signed in with a card that is out")
	}
	if !knownToHub(b) {
		t.Error("another browser was signed out")
	}
}

// removalToken makes a login in the browser for a card app that watches the card, and returns the app's token.
func removalToken(t *testing.T, h *idptest.Hub, b *idptest.Browser) string {
	t.Helper()
	at := b.Challenge(b.Get(idptest.NewRequest("prompt", "login").Path()))
	leaf, _, err := h.PKI.Drawer().Leaves("taro")
	if err != nil {
		t.Fatal(err)
	}
	response := idptest.Respond(t, h.Fetch(t, at), leaf).Compact(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at, bytes.NewReader(response))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Prefer", "respond-async, card-watch")
	resp, err := h.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Return  string `json:"return_uri"`
		Removal string `json:"removal_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Removal == "" || resp.Header.Get("Preference-Applied") != "card-watch" {
		t.Fatalf("no token: %v, %+v", err, answer)
	}
	b.Finish(b.Get(answer.Return))
	if !knownToHub(b) {
		t.Fatal("not signed in")
	}
	return answer.Removal
}

func reportRemoval(t *testing.T, h *idptest.Hub, token string) int {
	t.Helper()
	return h.PostForm(t, "/card/removals", "", "", url.Values{"token": {token}}).Status
}

// TestCardOutStillCountsAfterAPhone: who let the card watch over the session and then signs in once more through a phone has not taken that back.
func TestCardOutStillCountsAfterAPhone(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	token := removalToken(t, h, b)
	w := &pair{t: t, h: h, pc: b, phone: h.Browser(t), r: idptest.NewRequest("prompt", "login")}
	w.show(b.Get(w.r.Path()))
	w.tokens("taro")
	if status := reportRemoval(t, h, token); status != http.StatusNoContent || knownToHub(b) {
		t.Errorf("%d, or still signed in", status)
	}
}

// TestRemovalUnderContention: a hundred reports at once end the session once; every one of them is told so or to ask again.
func TestRemovalUnderContention(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		h := idptest.Start(t, idptest.Options{Transient: store})
		b := h.Browser(t)
		token := removalToken(t, h, b)
		got := volley(t, func(int) *http.Request {
			return h.FormRequest(t, "/card/removals", "", "", url.Values{"token": {token}})
		})
		if got[http.StatusNoContent] == 0 || got[http.StatusNoContent]+got[http.StatusConflict] != crowd {
			t.Errorf("statuses %v", got)
		}
		if knownToHub(b) {
			t.Error("still signed in")
		}
		if status := reportRemoval(t, h, token); status != http.StatusNoContent {
			t.Errorf("afterwards: %d", status)
		}
		if n := counted(t, h.DB, `SELECT COUNT(*) FROM logout_delivery`); n != 1 {
			t.Errorf("%d notices to one service", n)
		}
	})
}

// claimRemoval leaves the record as somebody does who is killed before the session has ended.
func claimRemoval(t *testing.T, store ephemeral.Store, token string) {
	t.Helper()
	key := "removal:1:" + idp.DigestForTest(token)
	rec, err := store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(rec.Value, &members); err != nil {
		t.Fatal(err)
	}
	members["t"] = time.Now().UnixMilli()
	b, err := json.Marshal(members)
	if err == nil {
		err = store.Swap(t.Context(), key, rec.Version, b, ephemeral.KeepLife)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestRemovalCutOffIsMadeGood: whoever had begun to end the session was killed; the card app's next try does it.
func TestRemovalCutOffIsMadeGood(t *testing.T) {
	var ahead time.Duration
	store := ephemeraltest.Open(t)
	h := idptest.Start(t, idptest.Options{Transient: store, Now: func() time.Time { return time.Now().Add(ahead) }})
	b := h.Browser(t)
	token := removalToken(t, h, b)
	claimRemoval(t, store, token)
	if status := reportRemoval(t, h, token); status != http.StatusConflict || !knownToHub(b) {
		t.Errorf("while somebody is at it: %d", status)
	}
	ahead = 20 * time.Second
	if status := reportRemoval(t, h, token); status != http.StatusNoContent || knownToHub(b) {
		t.Errorf("after the lease: %d", status)
	}
}

// TestRemovalTokenDoesNothingElse: it opens nothing, ends no other session, and means nothing once another login took its session over.
func TestRemovalTokenDoesNothingElse(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b, other := h.Browser(t), h.Browser(t)
	token := removalToken(t, h, b)
	h.Code(t, other, idptest.NewRequest(), "taro")
	for _, wrong := range []string{"", "x", strings.Repeat("A", 44), token + "\x00"} {
		if status := reportRemoval(t, h, wrong); status != http.StatusBadRequest {
			t.Errorf("%q: %d", wrong, status)
		}
	}
	if status := reportRemoval(t, h, strings.Repeat("A", 43)); status != http.StatusNoContent { // says nothing of what there is
		t.Errorf("a guess: %d", status)
	}
	if a := h.Bearer(t, http.MethodGet, "/userinfo", token); a.Status != http.StatusUnauthorized {
		t.Errorf("as an access token: %d", a.Status)
	}
	if p := h.Browser(t).Get("/login/return?code=" + token); p.Error() != "return_unknown" {
		t.Errorf("as a return code: %d %s", p.Status, p.Error())
	}
	if !knownToHub(b) || !knownToHub(other) {
		t.Fatal("a session ended")
	}
	// The same session, signed in to again without the wish.
	if p := b.SignIn(b.Get(idptest.NewRequest("prompt", "login").Path()), "taro"); p.URL.Query().Get("code") == "" {
		t.Fatalf("at %s", p.URL)
	}
	if status := reportRemoval(t, h, token); status != http.StatusNoContent || !knownToHub(b) {
		t.Errorf("the token of an earlier login ended a later one: %d", status)
	}
	token = removalToken(t, h, b)
	if status := reportRemoval(t, h, token); status != http.StatusNoContent || knownToHub(b) || !knownToHub(other) {
		t.Errorf("at last: %d", status)
	}
}
