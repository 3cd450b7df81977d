package idp_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/keys"
)

// frontClients are a service that only the browser can tell, one that is told both ways, and one with a query in its address.
func frontClients(back string) []map[string]any {
	service := func(id string, more map[string]any) map[string]any {
		m := map[string]any{
			"client_id": id, "client_name": id, "operator": "試験の運営者", "redirect_uris": []string{"https://" + id + ".example/callback"},
			"scope": "openid", "token_endpoint_auth_method": "none", "frontchannel_logout_uri": "https://" + id + ".example/bye",
			"post_logout_redirect_uris": []string{"https://" + id + ".example/after"},
		}
		for k, v := range more {
			m[k] = v
		}
		return m
	}
	return []map[string]any{
		service("front", nil),
		service("both", map[string]any{"backchannel_logout_uri": back + "/bye", "development": true}),
		service("query", map[string]any{"frontchannel_logout_uri": "https://query.example/bye?from=hub", "frontchannel_logout_session_required": true}),
	}
}

func startFront(t *testing.T, now func() time.Time) *idptest.Hub {
	t.Helper()
	h, _ := startTold(t, now)
	return h
}

// startTold also returns what the service with a back channel is sent.
func startTold(t *testing.T, now func() time.Time) (*idptest.Hub, <-chan url.Values) {
	t.Helper()
	told := make(chan url.Values, 10)
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err == nil {
			told <- r.PostForm
		}
		w.WriteHeader(http.StatusOK)
	}))
	t.Cleanup(back.Close)
	return idptest.Start(t, idptest.Options{Now: now, Clients: frontClients(back.URL), Reachable: []string{back.Listener.Addr().String()}}), told
}

// TestLogoutTokenNamesThePersonAndSessionOfTheIDToken: Back-Channel Logout §2.4, §2.5; conformance suite:
// oidcc-backchannel-rp-initiated-logout. It has arrived when the citizen sees the page.
func TestLogoutTokenNamesThePersonAndSessionOfTheIDToken(t *testing.T) {
	h, told := startTold(t, nil)
	b := h.Browser(t)
	idToken, _ := enterPublic(t, h, b, "both")
	signOut(t, b, "/end-session")
	var form url.Values
	select {
	case form = <-told:
	default:
		t.Fatal("not told at once")
	}
	if len(form) != 1 || len(form["logout_token"]) != 1 {
		t.Fatalf("form %v", form)
	}
	token := form.Get("logout_token")
	if _, err := h.Keys.Verify(token, "logout+jwt", keys.ES256); err != nil { // the algorithm of the client's ID tokens
		t.Fatal(err)
	}
	got, want := payloadOfHint(t, token), payloadOfHint(t, idToken)
	for _, name := range []string{"iss", "aud", "sub", "sid"} {
		if got[name] != want[name] || got[name] == nil {
			t.Errorf("%s: %v, in the ID token %v", name, got[name], want[name])
		}
	}
	events, _ := got["events"].(map[string]any)
	event, ok := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any)
	if !ok || len(events) != 1 || len(event) != 0 {
		t.Errorf("events %v", got["events"])
	}
	if _, ok := got["nonce"]; ok || got["jti"] == "" || got["exp"].(float64)-got["iat"].(float64) != 120 {
		t.Errorf("%v", got)
	}
}

// enterPublic signs in at a service without a secret, and returns the sid of its ID token with the token.
func enterPublic(t *testing.T, h *idptest.Hub, b *idptest.Browser, id string) (idToken, sid string) {
	t.Helper()
	r := idptest.NewRequest("client_id", id, "redirect_uri", "https://"+id+".example/callback", "scope", "openid")
	a := h.PostForm(t, "/token", id, "", idptest.CodeForm(h.Code(t, b, r, "taro"), r))
	if a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	sid, _ = payloadOfHint(t, a.Text("id_token"))["sid"].(string) // absent unless the client takes part in signing out
	return a.Text("id_token"), sid
}

var framePattern = regexp.MustCompile(`<iframe src="([^"]+)" hidden sandbox="allow-same-origin allow-scripts allow-forms"`)

func framesOf(p idptest.Page) []string {
	var out []string
	for _, m := range framePattern.FindAllStringSubmatch(p.Body, -1) {
		out = append(out, html.UnescapeString(m[1]))
	}
	return out
}

func address(base, issuer, sid string) string {
	sep := "?"
	if strings.Contains(base, "?") {
		sep = "&"
	}
	return base + sep + url.Values{"iss": {issuer}, "sid": {sid}}.Encode()
}

// TestSignedOutPageTellsServicesByTheBrowser: one frame for each service of the session that wants it, with iss and sid, and a policy
// that allows their origins and no other. Front-Channel Logout §2, §3.
func TestSignedOutPageTellsServicesByTheBrowser(t *testing.T) {
	h := startFront(t, nil)
	b := h.Browser(t)
	_, frontSID := enterPublic(t, h, b, "front")
	_, bothSID := enterPublic(t, h, b, "both")
	_, querySID := enterPublic(t, h, b, "query")
	h.Code(t, b, idptest.NewRequest(), "taro") // this one cannot be told
	p := signOut(t, b, "/end-session")
	want := []string{
		address("https://front.example/bye", h.Issuer, frontSID), address("https://both.example/bye", h.Issuer, bothSID),
		address("https://query.example/bye?from=hub", h.Issuer, querySID),
	}
	if got := framesOf(p); !slices.Equal(got, want) || frontSID == bothSID {
		t.Errorf("frames %q\nwant %q", got, want)
	}
	csp := p.Header.Get("Content-Security-Policy")
	if !strings.HasSuffix(csp, "; frame-src https://front.example https://both.example https://query.example") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("policy %q", csp)
	}
	for _, line := range []string{
		`data-service="front" data-state="asked">`, `data-service="both" data-state="confirmed" data-browser>`,
		`data-service="query" data-state="asked">`, `data-service="app" data-state="unsupported">`,
	} {
		if !strings.Contains(p.Body, line) {
			t.Errorf("no %s in\n%s", line, p.Body)
		}
	}
	if strings.Contains(p.Body, "<script") || strings.Contains(p.Body, `id="signed-out-next"`) {
		t.Error("nobody asked for the citizen, and the page goes on")
	}
	// The address shows nothing to another browser.
	if q := h.Browser(t).Get(p.URL.String()); len(framesOf(q)) != 0 || strings.Contains(q.Header.Get("Content-Security-Policy"), "frame-src") {
		t.Error("another browser is made to tell")
	}
	// The account page is as honest the next day.
	h.Code(t, b, idptest.NewRequest(), "taro")
	if a := b.Get("/account"); !strings.Contains(a.Body, `data-service="front" data-state="asked"`) {
		t.Error("account page does not say who was asked")
	}
}

// TestBrowserTellsBeforeItGoesBack: the service that asked gets the citizen and its state back, after the browser had the time to tell.
// Conformance suite: oidcc-frontchannel-rp-initiated-logout.
func TestBrowserTellsBeforeItGoesBack(t *testing.T) {
	h := startFront(t, nil)
	b := h.Browser(t)
	idToken, sid := enterPublic(t, h, b, "front")
	state := strings.Repeat("s", 128)
	p := b.Get("/end-session?" + url.Values{"id_token_hint": {idToken}, "post_logout_redirect_uri": {"https://front.example/after"}, "state": {state}}.Encode())
	if p.URL.Path != "/signed-out" || p.Status != http.StatusOK {
		t.Fatalf("%d %s %s", p.Status, p.URL, p.Error())
	}
	if got := framesOf(p); !slices.Equal(got, []string{address("https://front.example/bye", h.Issuer, sid)}) {
		t.Errorf("frames %q", got)
	}
	if !strings.Contains(p.Body, `href="https://front.example/after?state=`+state+`"`) || !strings.Contains(p.Body, `id="signed-out-next"`) {
		t.Errorf("no way back in\n%s", p.Body)
	}
	m := regexp.MustCompile(`<script defer src="(/static/[0-9a-f]+/signed-out\.js)"></script>`).FindStringSubmatch(p.Body)
	if m == nil || b.Get(m[1]).Status != http.StatusOK {
		t.Error("nothing goes on by itself")
	}
	if q := b.Get(idptest.NewRequest("prompt", "none").Path()); q.URL.Query().Get("error") != "login_required" {
		t.Errorf("still signed in: %s", q.URL)
	}
	// Without anybody for the browser to tell there is no page in between.
	r := idptest.NewRequest()
	hint := h.Redeem(t, h.Code(t, b, r, "taro"), r).Text("id_token")
	p = b.Get("/end-session?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {idptest.LogoutURI}, "state": {"x"}}.Encode())
	if p.URL.String() != idptest.LogoutURI+"?state=x" {
		t.Errorf("%s %s", p.URL, p.Error())
	}
}

// TestLeavingOneServiceTellsItAlone: the others of the session hear nothing.
func TestLeavingOneServiceTellsItAlone(t *testing.T) {
	h := startFront(t, nil)
	b := h.Browser(t)
	enterPublic(t, h, b, "query")
	_, sid := enterPublic(t, h, b, "front")
	m := logoutToken.FindStringSubmatch(b.Get("/end-session?client_id=front").Body)
	p := b.Post("/end-session/confirm", url.Values{"token": {m[1]}, "scope": {"service"}})
	if got := framesOf(p); !slices.Equal(got, []string{address("https://front.example/bye", h.Issuer, sid)}) {
		t.Errorf("frames %q", got)
	}
	if !strings.Contains(p.Body, "frontからログアウトしました") {
		t.Errorf("the page does not name the one service:\n%s", p.Body)
	}
}

// TestEverywhereTellsThisBrowsersServices: a browser elsewhere cannot be made to tell anybody.
func TestEverywhereTellsThisBrowsersServices(t *testing.T) {
	h := startFront(t, nil)
	home, work := h.Browser(t), h.Browser(t)
	_, sid := enterPublic(t, h, home, "front")
	enterPublic(t, h, work, "query")
	p := home.Post("/account/sign-out-everywhere", nil)
	if got := framesOf(p); !slices.Equal(got, []string{address("https://front.example/bye", h.Issuer, sid)}) {
		t.Errorf("frames %q", got)
	}
	for _, line := range []string{`data-service="front" data-state="asked"`, `data-service="query" data-state="unsupported"`} {
		if !strings.Contains(p.Body, line) {
			t.Errorf("no %s", line)
		}
	}
}

// TestSignedOutPageTellsOnlyAtOnce: whoever comes back to the page later may have signed in at the services again.
func TestSignedOutPageTellsOnlyAtOnce(t *testing.T) {
	c := newClock()
	h := startFront(t, c.now)
	b := h.Browser(t)
	enterPublic(t, h, b, "front")
	p := signOut(t, b, "/end-session")
	if len(framesOf(b.Get(p.URL.String()))) != 1 {
		t.Error("a reload does not tell")
	}
	c.advance(2*time.Minute + time.Second)
	if q := b.Get(p.URL.String()); len(framesOf(q)) != 0 || !strings.Contains(q.Body, `data-state="asked"`) {
		t.Error("the page still tells")
	}
}

// TestDiscoveryOffersLogout: conformance suite: oidcc-frontchannel-logout-discovery-endpoint-verification, and those of the
// back channel, of RP-initiated logout and of session management.
func TestDiscoveryOffersLogout(t *testing.T) {
	h := idptest.Start(t, idptest.Options{TLS: true})
	doc := h.Bearer(t, http.MethodGet, "/.well-known/openid-configuration", "").JSON
	for _, name := range []string{"frontchannel_logout_supported", "frontchannel_logout_session_supported", "backchannel_logout_supported", "backchannel_logout_session_supported"} {
		if doc[name] != true {
			t.Errorf("%s: %v", name, doc[name])
		}
	}
	for _, name := range []string{"end_session_endpoint", "check_session_iframe"} {
		if s, ok := doc[name].(string); !ok || !strings.HasPrefix(s, h.Issuer+"/") {
			t.Errorf("%s: %v", name, doc[name])
		}
	}
	plain, err := json.Marshal(idptest.Start(t, idptest.Options{}).Bearer(t, http.MethodGet, "/.well-known/openid-configuration", "").JSON)
	if err != nil || strings.Contains(string(plain), "check_session_iframe") {
		t.Error("a frame is offered over http")
	}
}
