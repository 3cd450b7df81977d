package idp_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestOwnLinksWithRealTokens: a service reads and changes its links with a token of its own; the token of a person does not open them, the token of
// another service shows nothing of them, and none makes a link for somebody who never signed in.
func TestOwnLinksWithRealTokens(t *testing.T) {
	service := func(id string) map[string]any {
		return map[string]any{
			"client_id": id, "client_name": id, "operator": "試験の運営者", "redirect_uris": []string{"https://" + id + ".example/callback"},
			"grant_types": []string{"authorization_code", "client_credentials"}, "scope": "openid link links.own",
			"token_endpoint_auth_method": "client_secret_basic", "client_secret_sha256": secretDigest(),
		}
	}
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{service("one"), service("two")}})
	own := func(id string) string {
		a := h.PostForm(t, "/token", id, idptest.Secret, url.Values{"grant_type": {"client_credentials"}, "scope": {"links.own"}})
		if a.Text("scope") != "links.own" {
			t.Fatalf("%d %s", a.Status, a.Raw)
		}
		return a.Text("access_token")
	}
	r := idptest.NewRequest("client_id", "one", "redirect_uri", "https://one.example/callback", "scope", "openid link")
	a := h.PostForm(t, "/token", "one", idptest.Secret, idptest.CodeForm(h.Code(t, h.Browser(t), r, "taro"), r))
	hers, sub := a.Text("access_token"), idClaims(t, a.Text("id_token"))["sub"].(string)
	if a := h.JSON(t, http.MethodPut, "/api/link", hers, `{"state":"linked","tie":"t1"}`); a.Text("tie") != "t1" {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	path := "/api/links/" + sub
	for name, c := range map[string]struct {
		method, path, token string
		status              int
	}{
		"her token":              {http.MethodGet, "/api/links", hers, http.StatusForbidden},
		"her token, one":         {http.MethodDelete, path, hers, http.StatusForbidden},
		"own token at her link":  {http.MethodGet, "/api/link", own("one"), http.StatusForbidden},
		"another service":        {http.MethodGet, path, own("two"), http.StatusNotFound},
		"another service ends":   {http.MethodDelete, path, own("two"), http.StatusNotFound},
		"the service":            {http.MethodGet, path, own("one"), http.StatusOK},
		"nobody of that name":    {http.MethodGet, "/api/links/NOBODY", own("one"), http.StatusNotFound},
		"another service's list": {http.MethodGet, "/api/links", own("two"), http.StatusOK},
	} {
		if a := h.Bearer(t, c.method, c.path, c.token); a.Status != c.status || c.status == http.StatusOK && c.path == "/api/links" && a.Raw != `{"links":[],"cursor":"","more":false}`+"\n" {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
	if a := h.JSON(t, http.MethodPut, path, own("two"), `{"state":"linked","tie":"t1"}`); a.Status != http.StatusNotFound {
		t.Errorf("another service ties: %d %s", a.Status, a.Raw)
	}
	if a := h.Bearer(t, http.MethodDelete, path, own("one")); a.Status != http.StatusNoContent {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
	if a := h.Bearer(t, http.MethodGet, "/userinfo", hers); a.Status != http.StatusUnauthorized {
		t.Errorf("her token outlives the link: %d", a.Status)
	}
	if a := h.JSON(t, http.MethodPut, path, own("one"), `{"state":"linked","tie":"t2"}`); a.Status != http.StatusConflict {
		t.Errorf("raised without her: %d %s", a.Status, a.Raw)
	}
}
