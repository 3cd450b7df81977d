package idp_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// count returns how many audit rows of a kind there are.
func count(t *testing.T, h *idptest.Hub, kind audit.Kind) int {
	t.Helper()
	rows, err := h.Audit.List(t.Context(), audit.Query{Limit: 500, Kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	return len(rows)
}

// TestStolenRefreshTokenIsAudited, and a doubled request is not.
func TestStolenRefreshTokenIsAudited(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	r := idptest.NewRequest()
	first := h.Redeem(t, h.Code(t, h.Browser(t), r, "taro"), r).Text("refresh_token")
	refresh := func() { h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(first)) }
	refresh()
	refresh()
	if n := count(t, h, "token.refresh_reused"); n != 0 {
		t.Errorf("%d rows for a doubled request", n)
	}
	c.advance(time.Minute)
	refresh()
	if n := count(t, h, "token.refresh_reused"); n != 1 {
		t.Errorf("%d rows for a theft", n)
	}
}

// TestSecondCardAnswerChangesNothing: two challenges of one login, both answered: the second finds the login done.
func TestSecondCardAnswerChangesNothing(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	r := idptest.NewRequest()
	h.Code(t, b, r, "taro")
	login := b.Get(idptest.NewRequest("prompt", "login").Path())
	one, two := b.CardLogin(login, "taro"), b.CardLogin(login, "taro")
	if p := b.Get(one); p.URL.Query().Get("code") == "" {
		t.Fatalf("first answer: %s %q", p.URL, p.Error())
	}
	b.Get(two)
	if p := b.Get("/account"); p.Status != http.StatusOK {
		t.Errorf("signed out by a second answer: %d %s", p.Status, p.URL)
	}
	if n := count(t, h, "login.succeeded"); n != 2 {
		t.Errorf("%d logins", n)
	}
}

// TestConsentIsOfWhoWasAsked: while one person reads the consent page, another signs in in the next tab. Agreeing in the first tab
// hands over neither of them.
func TestConsentIsOfWhoWasAsked(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	p := b.Get(b.CardLogin(b.Get(idptest.NewRequest().Path()), "taro"))
	page := b.Post("/folder/open", url.Values{"tx": {p.Tx()}})
	if page.URL.Path != "/consent" {
		t.Fatal(page.URL)
	}
	other := idptest.NewRequest("client_id", idptest.PublicID, "redirect_uri", idptest.PublicURI, "scope", "openid", "prompt", "login")
	h.Code(t, b, other, "hanako")
	end := b.Post("/consent", url.Values{"tx": {page.Tx()}, "decision": {"allow"}})
	if end.URL.Path != "/login" || end.URL.Query().Get("code") != "" {
		t.Errorf("agreed for somebody else: %s %q", end.URL, end.Error())
	}
	if n := count(t, h, "consent.granted"); n != 1 {
		t.Errorf("%d consents, want hanako's own", n)
	}
	if again := b.SignIn(end, "taro"); again.URL.Query().Get("code") == "" {
		t.Errorf("the login did not go on: %s %q", again.URL, again.Error())
	}
}

// TestSpentCodeStaysSpent: a pushed request opened in two tabs: what the first became does not come back through the second, not even
// after a replay ended it.
func TestSpentCodeStaysSpent(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	h.Code(t, b, idptest.NewRequest(), "taro")
	r := idptest.NewRequest("prompt", "consent")
	uri := h.PostForm(t, "/par", idptest.ClientID, idptest.Secret, r.Params).Text("request_uri")
	at := "/authorize?" + url.Values{"client_id": {idptest.ClientID}, "request_uri": {uri}}.Encode()
	one, two := b.Get(at), b.Get(at)
	allow := func(p idptest.Page) idptest.Page {
		return b.Post("/consent", url.Values{"tx": {p.Tx()}, "decision": {"allow"}})
	}
	code := allow(one).URL.Query().Get("code")
	if a := h.Redeem(t, code, r); a.Status != http.StatusOK {
		t.Fatalf("first: %d %s", a.Status, a.Raw)
	}
	tokenError(t, "replay", h.Redeem(t, code, r), "invalid_grant")
	if p := allow(two); p.Error() != "request_expired" || p.URL.Query().Get("code") != "" {
		t.Errorf("second tab: %s %q", p.URL, p.Error())
	}
	tokenError(t, "after the second tab", h.Redeem(t, code, r), "invalid_grant")
	audited(t, h, "request.replayed", "")
}

// TestStrangerCannotEndAGrant: an old code or refresh token in another client's hands is unknown, and harms nothing.
func TestStrangerCannotEndAGrant(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	r := idptest.NewRequest()
	code := h.Code(t, h.Browser(t), r, "taro")
	tokens := h.Redeem(t, code, r)
	next := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token")))
	c.advance(time.Minute)
	tokenError(t, "code", h.PostForm(t, "/token", idptest.PublicID, "", idptest.CodeForm(code, r)), "invalid_grant")
	stolen := idptest.RefreshForm(tokens.Text("refresh_token"))
	stolen.Set("client_id", idptest.OtherID)
	stolen.Set("client_secret", idptest.Secret)
	tokenError(t, "refresh token", h.PostForm(t, "/token", "", "", stolen), "invalid_grant")
	if a := h.Bearer(t, http.MethodGet, "/userinfo", next.Text("access_token")); a.Status != http.StatusOK {
		t.Errorf("the grant was ended: %d", a.Status)
	}
}

// TestRevocationSaysWhatItDid: a rotated refresh token of the same client ends the grant and is recorded; another client's attempt is
// refused and is not.
func TestRevocationSaysWhatItDid(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	r := idptest.NewRequest()
	tokens := h.Redeem(t, h.Code(t, h.Browser(t), r, "taro"), r)
	next := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token")))
	foreign := url.Values{"token": {next.Text("access_token")}, "client_id": {idptest.OtherID}, "client_secret": {idptest.Secret}}
	if a := h.PostForm(t, "/revoke", "", "", foreign); a.Status != http.StatusBadRequest {
		t.Errorf("another client: %d %s", a.Status, a.Raw)
	}
	if n := count(t, h, "token.revoked"); n != 0 {
		t.Errorf("%d rows for an attempt", n)
	}
	if a := h.PostForm(t, "/revoke", idptest.ClientID, idptest.Secret, url.Values{"token": {tokens.Text("refresh_token")}}); a.Status != http.StatusOK {
		t.Errorf("rotated token: %d %s", a.Status, a.Raw)
	}
	if n := count(t, h, "token.revoked"); n != 1 {
		t.Errorf("%d rows for a revocation", n)
	}
	if a := h.Bearer(t, http.MethodGet, "/userinfo", next.Text("access_token")); a.Status != http.StatusUnauthorized {
		t.Errorf("the grant lives: %d", a.Status)
	}
}

// TestPublicClientRevokesABoundToken: giving a token back needs no proof of its key.
func TestPublicClientRevokesABoundToken(t *testing.T) {
	c := newClock()
	native := map[string]any{
		"client_id": "native", "client_name": "アプリ", "operator": "運営", "redirect_uris": []string{"https://native.example/cb"},
		"grant_types": []string{"authorization_code", "refresh_token"}, "scope": "openid offline_access", "token_endpoint_auth_method": "none",
	}
	h := idptest.Start(t, idptest.Options{Now: c.now, Clients: []map[string]any{native}})
	holder, thief := newProver(t, c.now), newProver(t, c.now)
	r := idptest.NewRequest("client_id", "native", "redirect_uri", "https://native.example/cb")
	form := idptest.CodeForm(h.Code(t, h.Browser(t), r, "taro"), r)
	tokens := send(t, h.FormRequest(t, "/token", "native", "", form), holder.proof(t, http.MethodPost, h.Issuer+"/token", nil))
	refresh := idptest.RefreshForm(tokens.Text("refresh_token"))
	for name, p := range map[string]*prover{"thief": thief, "nobody": nil} {
		var proofs []string
		if p != nil {
			proofs = []string{p.proof(t, http.MethodPost, h.Issuer+"/token", nil)}
		}
		if a := send(t, h.FormRequest(t, "/token", "native", "", refresh), proofs...); a.Text("error") != "invalid_dpop_proof" {
			t.Errorf("%s refreshes: %d %s", name, a.Status, a.Raw)
		}
	}
	if a := h.PostForm(t, "/revoke", "native", "", url.Values{"token": {tokens.Text("refresh_token")}}); a.Status != http.StatusOK {
		t.Errorf("revoke: %d %s", a.Status, a.Raw)
	}
	if a := send(t, h.FormRequest(t, "/token", "native", "", refresh), holder.proof(t, http.MethodPost, h.Issuer+"/token", nil)); a.Text("error") != "invalid_grant" {
		t.Errorf("after revocation: %d %s", a.Status, a.Raw)
	}
}

// TestFormOfAnotherSiteAtAuthorize: it comes without cookies, and neither makes the hub forget who is signed in nor spoils a login
// that is under way.
func TestFormOfAnotherSiteAtAuthorize(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	h.Code(t, b, idptest.NewRequest(), "taro")
	pending := b.Get(idptest.NewRequest("prompt", "login").Path())

	req := h.FormRequest(t, "/authorize", "", "", idptest.NewRequest("prompt", "none").Params)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := idptest.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) != 0 {
		t.Fatalf("%d, cookies %v", resp.StatusCode, resp.Cookies())
	}
	to, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	if p := b.Get(to.String()); p.URL.Query().Get("code") == "" {
		t.Errorf("prompt=none with a session, by POST: %s %q", p.URL, p.Error())
	}
	if p := b.SignIn(pending, "taro"); p.URL.Query().Get("code") == "" {
		t.Errorf("the pending login is lost: %s %q", p.URL, p.Error())
	}
}

// TestOddInput is answered below 500 and as the standards say.
func TestOddInput(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	r := idptest.NewRequest("scope", "openid offline_access links")
	tokens := h.Redeem(t, h.Code(t, b, r, "taro"), r)
	for _, state := range []string{"\xff", "a\nb", "a\x00b"} {
		if p := b.Get(idptest.NewRequest("state", state).Path()); p.URL.Query().Get("error") != "invalid_request" || p.URL.Query().Has("state") {
			t.Errorf("state %q: %s", state, p.URL)
		}
	}
	form := idptest.RefreshForm(tokens.Text("refresh_token"))
	form.Set("scope", strings.Repeat("openid ", 2000))
	if a := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, form); a.Status != http.StatusOK || a.Text("scope") != "openid" {
		t.Errorf("scope two thousand times: %d %.200s", a.Status, a.Raw)
	}
	login := h.Browser(t)
	tx := login.Get(idptest.NewRequest().Path()).Tx()
	for range 20 {
		login.Post("/login/cancel", url.Values{"tx": {tx}})
	}
	if n := count(t, h, "login.cancelled"); n != 1 {
		t.Errorf("%d rows for one cancelled login", n)
	}
}

// TestSuspendedClientLosesAccess at once, with tokens it already holds.
func TestSuspendedClientLosesAccess(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	r := idptest.NewRequest()
	tokens := h.Redeem(t, h.Code(t, h.Browser(t), r, "taro"), r)
	if err := h.Clients.Suspend(t.Context(), idptest.ClientID, idptest.Because); err != nil {
		t.Fatal(err)
	}
	if a := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")); a.Status != http.StatusUnauthorized {
		t.Errorf("userinfo: %d", a.Status)
	}
}

// TestServiceThatWasLeftStaysLeft: entering it again does not revive the tokens of before.
func TestServiceThatWasLeftStaysLeft(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	b := h.Browser(t)
	r := idptest.NewRequest("scope", "openid")
	tokens := h.Redeem(t, h.Code(t, b, r, "taro"), r)
	info := func() int { return h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")).Status }
	if info() != http.StatusOK {
		t.Fatal("token is dead from the start")
	}
	page := b.Get("/end-session?client_id=" + idptest.ClientID)
	b.Post("/end-session/confirm", url.Values{"token": {page.URL.Query().Get("token")}, "scope": {"service"}})
	if info() != http.StatusUnauthorized {
		t.Error("token lives after leaving")
	}
	c.advance(time.Second)
	h.Code(t, b, idptest.NewRequest("scope", "openid"), "taro")
	if info() != http.StatusUnauthorized {
		t.Error("token came back")
	}
}

// TestCodeDiesWithTheSession: who signs out before the service has redeemed its code is not signed in by it afterwards, whatever the
// scopes.
func TestCodeDiesWithTheSession(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	r := idptest.NewRequest()
	code := h.Code(t, b, r, "taro")
	page := b.Get("/end-session")
	b.Post("/end-session/confirm", url.Values{"token": {page.URL.Query().Get("token")}, "scope": {"all"}})
	notSignedIn(t, b)
	tokenError(t, "code after signing out", h.Redeem(t, code, r), "invalid_grant")
}

// TestEverywhereIncludesSessionsThatIdledOut: a service's own session may outlive the hub's it came from. Signing out everywhere tells
// every service the person agreed to.
func TestEverywhereIncludesSessionsThatIdledOut(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	h.Code(t, h.Browser(t), idptest.NewRequest(), "taro")
	c.advance(31 * time.Minute) // nobody touched the hub since
	other := h.Browser(t)
	h.Code(t, other, idptest.NewRequest("client_id", idptest.PublicID, "redirect_uri", idptest.PublicURI, "scope", "openid"), "taro")
	other.Post("/account/sign-out-everywhere", url.Values{})
	for _, client := range []string{idptest.ClientID, idptest.PublicID} {
		var n int
		if err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM logout_delivery WHERE client = $1`, client).Scan(&n); err != nil || n != 1 {
			t.Errorf("%s: %d deliveries, %v", client, n, err)
		}
	}
}
