package idp_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

const (
	walledID  = "walled"
	walledURI = "https://walled.example/callback"
)

// walledHub knows a service that nobody can reach, and another one.
func walledHub(t *testing.T, o idptest.Options) *idptest.Hub {
	t.Helper()
	for _, id := range []string{walledID, "walled-too"} {
		o.Clients = append(o.Clients, map[string]any{
			"client_id": id, "client_name": "壁の中", "operator": "壁の中", "redirect_uris": []string{walledURI}, "scope": "openid offline_access",
			"token_endpoint_auth_method": "none", "grant_types": []string{"authorization_code", "refresh_token"},
			"id_token_signed_response_alg": "ES256", "status_list_logout": true,
		})
	}
	return idptest.Start(t, o)
}

// position is where a service looks up a session, as its ID token says.
type position struct {
	uri string
	idx int
}

// enterWalled signs in and returns the position and the whole answer.
func enterWalled(t *testing.T, h *idptest.Hub, b *idptest.Browser, id string, more ...string) (position, idptest.Answer) {
	t.Helper()
	r := idptest.NewRequest(append([]string{"client_id", id, "redirect_uri", walledURI, "scope", "openid"}, more...)...)
	a := h.PostForm(t, "/token", id, "", idptest.CodeForm(h.Code(t, b, r, "taro"), r))
	p, ok := positionOf(t, a)
	if !ok {
		t.Fatalf("no status in the ID token: %d %s", a.Status, a.Raw)
	}
	return p, a
}

func positionOf(t *testing.T, a idptest.Answer) (position, bool) {
	t.Helper()
	status, _ := payloadOfHint(t, a.Text("id_token"))["status"].(map[string]any)
	list, _ := status["status_list"].(map[string]any)
	uri, _ := list["uri"].(string)
	idx, ok := list["idx"].(float64)
	return position{uri, int(idx)}, ok
}

// fetchList is the one outbound request of a service: what it learns, from nothing but the address and the hub's keys.
func fetchList(t *testing.T, h *idptest.Hub, uri string) (claims map[string]any, bits []byte, a idptest.Answer) {
	t.Helper()
	path, ok := strings.CutPrefix(uri, h.Issuer)
	if !ok {
		t.Fatalf("%s is not at %s", uri, h.Issuer)
	}
	a = h.Bearer(t, http.MethodGet, path, "")
	if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "application/statuslist+jwt" {
		t.Fatalf("%d %s %s", a.Status, a.Header, a.Raw)
	}
	header, claims := verified(t, h, a.Raw, "ES256")
	if header["typ"] != "statuslist+jwt" || claims["sub"] != uri {
		t.Errorf("%v %v", header, claims)
	}
	list, _ := claims["status_list"].(map[string]any)
	lst, _ := list["lst"].(string)
	raw, err := base64.RawURLEncoding.DecodeString(lst)
	if err != nil || list["bits"] != float64(1) {
		t.Fatalf("%v, %v", list["bits"], err)
	}
	r, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if bits, err = io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	return claims, bits, a
}

func wantEnded(t *testing.T, h *idptest.Hub, p position, want bool) {
	t.Helper()
	_, bits, _ := fetchList(t, h, p.uri)
	if got := bits[p.idx/8]>>(p.idx%8)&1 == 1; got != want {
		t.Errorf("shown as ended: %v, want %v", got, want)
	}
}

// TestStatusListSaysWhichSessionsEnded: a service that nobody can reach learns of every end from the list that its ID token names, at once,
// and the citizen reads that it looks by itself.
func TestStatusListSaysWhichSessionsEnded(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := walledHub(t, idptest.Options{DB: db})
		home, work := h.Browser(t), h.Browser(t)
		first, _ := enterWalled(t, h, home, walledID)
		again, _ := enterWalled(t, h, home, walledID)
		other, _ := enterWalled(t, h, work, walledID)
		too, _ := enterWalled(t, h, home, "walled-too")
		if first != again || first == other || first.uri != other.uri || first.uri == too.uri {
			t.Errorf("positions %v %v %v %v", first, again, other, too)
		}
		for _, p := range []position{first, other, too} {
			wantEnded(t, h, p, false)
		}
		page := home.Get("/end-session?client_id=" + walledID)
		m := logoutToken.FindStringSubmatch(page.Body)
		if m == nil {
			t.Fatal(page.Body)
		}
		page = home.Post("/end-session/confirm", url.Values{"token": {m[1]}, "scope": {"service"}})
		if !strings.Contains(page.Body, `data-service="walled" data-state="looks"`) {
			t.Errorf("%d %s", page.Status, page.Body)
		}
		wantEnded(t, h, first, true)
		wantEnded(t, h, too, false)
		wantEnded(t, h, other, false)
		second, _ := enterWalled(t, h, home, walledID)
		if second == first {
			t.Error("entered again, and at the position that is shown as ended")
		}
		wantEnded(t, h, second, false)
		page = signOut(t, home, "/end-session")
		if n := strings.Count(page.Body, `data-state="looks"`); n != 2 {
			t.Errorf("%d of 2 look by themselves: %s", n, page.Body)
		}
		wantEnded(t, h, second, true)
		wantEnded(t, h, too, true)
		wantEnded(t, h, other, false)
		work.Post("/account/sign-out-everywhere", nil)
		wantEnded(t, h, other, true)
	})
}

// TestStatusListOfExpiredSessions: a session whose time ran out tells nobody, and is shown as ended soon after. What a service goes on doing
// in the citizen's absence is no session: its ID tokens name no position any more.
func TestStatusListOfExpiredSessions(t *testing.T) {
	c := newClock()
	h := walledHub(t, idptest.Options{Now: c.now})
	p, a := enterWalled(t, h, h.Browser(t), walledID, "scope", "openid offline_access", "prompt", "consent")
	a = h.PostForm(t, "/token", walledID, "", idptest.RefreshForm(a.Text("refresh_token")))
	if again, _ := positionOf(t, a); again != p {
		t.Errorf("refreshed: %v, want %v", again, p)
	}
	wantEnded(t, h, p, false)
	c.advance(13 * time.Hour)
	wantEnded(t, h, p, false) // nobody looked yet
	h.Process(t)
	within(t, soon, "shown as ended", func() bool {
		_, bits, _ := fetchList(t, h, p.uri)
		return bits[p.idx/8]>>(p.idx%8)&1 == 1
	})
	a = h.PostForm(t, "/token", walledID, "", idptest.RefreshForm(a.Text("refresh_token")))
	if again, any := positionOf(t, a); any || a.Status != http.StatusOK {
		t.Errorf("a refreshed ID token of a session that is over: %v, %d", again, a.Status)
	}
}

// TestStatusListIsCached: it may be kept for its ttl and no longer, is asked for again cheaply, and any page may read it, as §8 wants. Lists
// of other times, and lists that do not exist, are refused. A client that did not ask for it is given no position.
func TestStatusListIsCached(t *testing.T) {
	c := newClock()
	h := walledHub(t, idptest.Options{Now: c.now})
	p, _ := enterWalled(t, h, h.Browser(t), walledID)
	claims, _, a := fetchList(t, h, p.uri)
	if a.Header.Get("Cache-Control") != "public, max-age=60" || claims["ttl"] != float64(60) || a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%v %v", a.Header, claims)
	}
	if exp, iat := claims["exp"].(float64), claims["iat"].(float64); exp-iat != 300 || int64(iat) != c.now().Unix() {
		t.Errorf("%v", claims)
	}
	quiet := false
	for range 20 { // until nothing turns for five seconds
		c.advance(5 * time.Second)
		_, _, next := fetchList(t, h, p.uri)
		if quiet = next.Header.Get("ETag") == a.Header.Get("ETag"); quiet {
			if next.Header.Get("Cache-Control") != "public, max-age=55" {
				t.Error(next.Header)
			}
			break
		}
		a = next
	}
	if !quiet {
		t.Fatal("signed anew every time")
	}
	ask := func(path, header, value string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
		must(t, err)
		req.Header.Set(header, value)
		resp, err := h.Client().Do(req)
		must(t, err)
		b, err := io.ReadAll(resp.Body)
		must(t, err)
		_ = resp.Body.Close()
		return resp.StatusCode, string(b)
	}
	if status, body := ask(p.uri, "If-None-Match", a.Header.Get("ETag")); status != http.StatusNotModified || body != "" {
		t.Errorf("unchanged: %d %q", status, body)
	}
	if status, _ := ask(p.uri+"?time=1", "Accept", "application/statuslist+jwt"); status != http.StatusNotImplemented {
		t.Errorf("of another time: %d", status)
	}
	for _, id := range []string{"x", strings.Repeat("A", 26), "%00"} {
		if status, body := ask(h.Issuer+"/status-lists/"+id, "Accept", "*/*"); status != http.StatusNotFound || strings.Contains(body, "<html") {
			t.Errorf("%s: %d %q", id, status, body)
		}
	}
	r := idptest.NewRequest()
	if _, any := positionOf(t, h.Redeem(t, h.Code(t, h.Browser(t), r, "taro"), r)); any {
		t.Error("a client that did not ask for it is given a position")
	}
}

// TestStatusListOfARepresentative: what she does for herself and what she does for another are two positions, each ended with all that is
// about that person, and both with her session; as a logout token by its sub, or its sid, says it.
func TestStatusListOfARepresentative(t *testing.T) {
	f := startFamily(t, idptest.Options{})
	id := f.represent(f.taro, f.hanako)
	both := func() (hers, acting position) {
		t.Helper()
		hers, one := positionOf(t, f.enter(f.hanako, "hanako"))
		acting, two := positionOf(t, f.enterFor(f.hanako, id))
		if !one || !two || hers == acting {
			t.Fatalf("%v and %v", hers, acting)
		}
		return hers, acting
	}
	hers, acting := both()
	wantEnded(t, f.Hub, acting, false)
	f.taro.Post("/account/sign-out-everywhere", nil)
	wantEnded(t, f.Hub, acting, true)
	wantEnded(t, f.Hub, hers, false)
	hers, acting = both()
	f.hanako.Post("/account/sign-out-everywhere", nil)
	wantEnded(t, f.Hub, acting, true)
	wantEnded(t, f.Hub, hers, true)
}
