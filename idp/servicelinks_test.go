package idp_test

import (
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestServicesOwnPagesAreLinked: OpenID Connect Registration §2 policy_uri and tos_uri, at login and consent, in a tab that knows nothing
// of this one. What nobody checked is linked at the service's own host only (§9.1), and a logo never: fetching it would tell the service
// who is about to sign in.
func TestServicesOwnPagesAreLinked(t *testing.T) {
	client := func(id, policy, terms string, verified bool) map[string]any {
		return map[string]any{
			"client_id": id, "client_name": "見本", "operator": "Test", "redirect_uris": []string{"https://own.example/" + id}, "scope": "openid",
			"token_endpoint_auth_method": "none", "development": true, "policy_uri": policy, "tos_uri": terms, "logo_uri": "https://own.example/logo.png",
			"verified": verified,
		}
	}
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{
		client("own", "https://own.example/policy?a=1&b=2", "https://own.example/terms", false),
		client("elsewhere", "https://bank.example/policy", "https://own.example.bank.example/terms", false),
		client("port", "https://own.example:8443/policy", "http://localhost/terms", false),
		client("checked", "https://www.example/policy", "http://localhost/terms", true),
	}})
	link := func(id, href string) string {
		return `<a id="` + id + `" href="` + href + `" target="_blank" rel="noopener noreferrer">`
	}
	for id, want := range map[string][]string{
		"own":       {link("service-policy", "https://own.example/policy?a=1&amp;b=2"), link("service-terms", "https://own.example/terms")},
		"elsewhere": nil,
		"port":      nil,
		"checked":   {link("service-policy", "https://www.example/policy")},
	} {
		b := h.Browser(t)
		login := b.Get(idptest.NewRequest("client_id", id, "redirect_uri", "https://own.example/"+id, "scope", "openid").Path())
		consent := b.Get(b.CardLogin(login, "taro"))
		if strings.Contains(consent.Body, `id="open-folder"`) {
			consent = b.Post("/folder/open", map[string][]string{"tx": {consent.Tx()}})
		}
		for _, p := range []idptest.Page{login, consent} {
			for _, l := range want {
				if !strings.Contains(p.Body, l) {
					t.Errorf("%s, %s: no %s", id, p.URL.Path, l)
				}
			}
			if n := strings.Count(p.Body, `target="_blank"`); n != len(want) || strings.Contains(p.Body, "logo.png") || p.Tx() == "" {
				t.Errorf("%s, %s: %d links, want %d\n%s", id, p.URL.Path, n, len(want), p.Body)
			}
		}
	}
}
