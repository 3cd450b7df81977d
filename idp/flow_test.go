package idp_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestSignInFromNothingToUserinfo is the whole of the protocol once: card, folder, consent, code, tokens, userinfo, refresh,
// revocation; and an unmodified go-oidc verifies the ID token.
func TestSignInFromNothingToUserinfo(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	r := idptest.NewRequest()

	login := b.Get(r.Path())
	if login.URL.Path != "/login" || !strings.Contains(login.Body, "試験サービス") {
		t.Fatalf("login page %s lacks the service", login.URL)
	}
	back := b.SignIn(login, "taro")
	q := back.URL.Query()
	if q.Get("state") != r.Params.Get("state") || q.Get("iss") != h.Issuer {
		t.Errorf("state %q, iss %q", q.Get("state"), q.Get("iss"))
	}

	tokens := h.Redeem(t, q.Get("code"), r)
	if tokens.Status != http.StatusOK || tokens.Text("token_type") != "Bearer" || tokens.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("token answer %d %s", tokens.Status, tokens.Raw)
	}
	provider, err := oidc.NewProvider(t.Context(), h.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	id, err := provider.Verifier(&oidc.Config{ClientID: idptest.ClientID}).Verify(t.Context(), tokens.Text("id_token"))
	if err != nil {
		t.Fatal(err)
	}
	if err := id.VerifyAccessToken(tokens.Text("access_token")); err != nil {
		t.Error(err)
	}
	if id.Nonce != r.Params.Get("nonce") {
		t.Errorf("nonce %q", id.Nonce)
	}
	var claims struct {
		ACR      string   `json:"acr"`
		AMR      []string `json:"amr"`
		AuthTime int64    `json:"auth_time"`
		SID      string   `json:"sid"`
		RAT      int64    `json:"rat"`
	}
	if err := id.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if claims.ACR != "phrh" || len(claims.AMR) == 0 || claims.AuthTime == 0 || claims.SID == "" || claims.RAT != 0 {
		t.Errorf("claims %+v", claims)
	}

	info := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token"))
	if info.Status != http.StatusOK || info.Text("sub") != id.Subject {
		t.Errorf("userinfo %d %s", info.Status, info.Raw)
	}
	fresh := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token")))
	if fresh.Status != http.StatusOK || fresh.Text("refresh_token") == tokens.Text("refresh_token") || fresh.Text("refresh_token") == "" {
		t.Fatalf("refresh %d %s", fresh.Status, fresh.Raw)
	}
	again, err := provider.Verifier(&oidc.Config{ClientID: idptest.ClientID}).Verify(t.Context(), fresh.Text("id_token"))
	if err != nil || again.Subject != id.Subject || again.Nonce != "" {
		t.Errorf("refreshed id token: %v, %+v", err, again)
	}
	revoked := h.PostForm(t, "/revoke", idptest.ClientID, idptest.Secret, url.Values{"token": {fresh.Text("refresh_token")}})
	if revoked.Status != http.StatusOK {
		t.Errorf("revoke %d %s", revoked.Status, revoked.Raw)
	}
	for name, token := range map[string]string{"first": tokens.Text("access_token"), "second": fresh.Text("access_token")} {
		if a := h.Bearer(t, http.MethodGet, "/userinfo", token); a.Status != http.StatusUnauthorized || !strings.Contains(a.Header.Get("WWW-Authenticate"), "invalid_token") {
			t.Errorf("%s access token after revocation: %d %s", name, a.Status, a.Header.Get("WWW-Authenticate"))
		}
	}
}

// TestSecondSignInAsksNothing: with a session and a consent, authorize answers at once, in another service too after its own consent.
func TestSecondSignInAsksNothing(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	first := idptest.NewRequest()
	subject := subjectOf(t, h, h.Code(t, b, first, "taro"), first)

	r := idptest.NewRequest()
	p := b.Get(r.Path())
	if p.Body != "" || p.URL.Query().Get("code") == "" {
		t.Fatalf("asked again: %s %s", p.URL, p.Error())
	}
	if got := subjectOf(t, h, p.URL.Query().Get("code"), r); got != subject {
		t.Errorf("subject %q, then %q", subject, got)
	}
	other := idptest.NewRequest("client_id", idptest.PublicID, "redirect_uri", idptest.PublicURI, "scope", "openid")
	if p = b.Get(other.Path()); p.URL.Path != "/consent" {
		t.Fatalf("another service got in without consent: %s", p.URL)
	}
	p = b.Post("/consent", url.Values{"tx": {p.Tx()}, "decision": {"allow"}})
	a := h.PostForm(t, "/token", idptest.PublicID, "", idptest.CodeForm(p.URL.Query().Get("code"), other))
	if a.Status != http.StatusOK || a.Text("refresh_token") != "" {
		t.Fatalf("public client: %d %s", a.Status, a.Raw)
	}
	if info := h.Bearer(t, http.MethodGet, "/userinfo", a.Text("access_token")); info.Text("sub") == subject || info.Text("sub") == "" {
		t.Errorf("two services share the subject %q", subject)
	}
}

func subjectOf(t *testing.T, h *idptest.Hub, code string, r idptest.Request) string {
	t.Helper()
	a := h.Redeem(t, code, r)
	if a.Status != http.StatusOK {
		t.Fatalf("redeem: %d %s", a.Status, a.Raw)
	}
	return h.Bearer(t, http.MethodGet, "/userinfo", a.Text("access_token")).Text("sub")
}

// TestConsentDenied: the service is told, and asked again next time.
func TestConsentDenied(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	p := b.Get(idptest.NewRequest().Path())
	p = b.Get(b.CardLogin(p, "taro"))
	p = b.Post("/folder/open", url.Values{"tx": {p.Tx()}})
	p = b.Post("/consent", url.Values{"tx": {p.Tx()}, "decision": {"deny"}})
	if p.URL.Query().Get("error") != "access_denied" || p.URL.Query().Get("iss") != h.Issuer {
		t.Errorf("denied: %s", p.URL)
	}
	if p = b.Get(idptest.NewRequest().Path()); p.URL.Path != "/consent" {
		t.Errorf("after a denial: %s", p.URL)
	}
}

// TestLoginCancelled returns to the service with access_denied.
func TestLoginCancelled(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	p := b.Get(idptest.NewRequest().Path())
	p = b.Post("/login/cancel", url.Values{"tx": {p.Tx()}})
	if p.URL.Query().Get("error") != "access_denied" || !strings.HasPrefix(p.URL.String(), idptest.RedirectURI) {
		t.Errorf("cancelled: %s", p.URL)
	}
}
