package idp_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestServicesAreLaunchedFromTheFolder: a service that registered initiate_login_uri opens with one press, though no directory lists
// it; the address keeps its query and gets iss (OIDC Core §4). One that registered none has no button. Conformance suite, for the
// registration of the address: oidcc-3rd_party-init-login.
func TestServicesAreLaunchedFromTheFolder(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{{
		"client_id": "unlisted", "client_name": "unlisted", "operator": "試験の運営者", "redirect_uris": []string{"https://unlisted.example/callback"},
		"scope": "openid", "token_endpoint_auth_method": "none", "initiate_login_uri": "https://unlisted.example/start?from=hub",
	}}})
	b := h.Browser(t)
	enterPublic(t, h, b, "unlisted")
	h.Code(t, b, idptest.NewRequest("client_id", idptest.PublicID, "redirect_uri", idptest.PublicURI, "scope", "openid"), "taro")
	page := b.Get("/account")
	if want := `href="https://unlisted.example/start?from=hub&amp;iss=` + url.QueryEscape(h.Issuer) + `" data-launch="unlisted"`; !strings.Contains(page.Body, want) {
		t.Errorf("no %s in\n%s", want, page.Body)
	}
	if strings.Contains(page.Body, `data-launch="`+idptest.PublicID) {
		t.Error("a service without an address can be opened")
	}
	if err := h.Clients.Suspend(t.Context(), "unlisted", idptest.Because); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.Get("/account").Body, "data-launch") {
		t.Error("a suspended service can be opened")
	}
}

// TestBrokenLinkHasAWayBack: a service that lost its tie is shown as such in the folder, with the launch that leads to a new one; and one that
// does not answer says since when, and can be opened all the same.
func TestBrokenLinkHasAWayBack(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	r := idptest.NewRequest("scope", "openid link")
	token := h.Redeem(t, h.Code(t, b, r, "taro"), r).Text("access_token")
	if page := b.Get("/account"); strings.Contains(page.Body, "data-broken") || strings.Contains(page.Body, "data-down") {
		t.Errorf("%s", page.Body)
	}
	for _, state := range []string{"linked", "broken"} {
		if a := h.JSON(t, http.MethodPut, "/api/link", token, `{"state":"`+state+`","tie":"t1"}`); a.Text("state") != state {
			t.Fatalf("%d %s", a.Status, a.Raw)
		}
	}
	since := h.Now().Add(-time.Hour)
	if _, err := h.DB.Exec(t.Context(), `INSERT INTO federation_health (client, health, since, failures, next_ms, good_ms) VALUES ($1, 'down', $2, 3, $3, $3)`,
		idptest.ClientID, since.Unix(), h.Now().Add(time.Hour).UnixMilli()); err != nil {
		t.Fatal(err)
	}
	page := b.Get("/account")
	for _, want := range []string{`data-broken="app"`, "つなぎ直す", `data-down="app"`, since.In(time.FixedZone("JST", 9*3600)).Format("15:04") + "から、動いていないようです", `data-launch="app"`} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("no %s in\n%s", want, page.Body)
		}
	}
}
