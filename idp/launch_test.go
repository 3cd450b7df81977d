package idp_test

import (
	"net/url"
	"strings"
	"testing"

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
	if err := h.Clients.Suspend(t.Context(), "unlisted"); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.Get("/account").Body, "data-launch") {
		t.Error("a suspended service can be opened")
	}
}
