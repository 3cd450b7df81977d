package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/admin/admintest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestWhatIsNotDescribedIsRefused: each with its status, its reason and the field, and nothing is stored.
func TestWhatIsNotDescribedIsRefused(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	hanako, _ := h.Operator(t, "hanako", "", adminapi.Roles()...)
	before := dump(t, h.DB)
	metadata := string(shop(nil))
	for _, c := range []struct {
		name, method, path, kind, body string
		status                         int
		reason                         adminapi.Reason
		field                          string
	}{
		{"an unknown member", "POST", "/api/clients", "application/json", `{"metadata":` + metadata + `,"aprove":true}`, 422, adminapi.Invalid, "aprove"},
		{"a member in other letters", "POST", "/api/clients", "application/json", `{"Metadata":` + metadata + `}`, 422, adminapi.Invalid, "metadata"},
		{"a member twice", "POST", "/api/clients", "application/json", `{"note":"a","note":"b","metadata":` + metadata + `}`, 400, adminapi.Malformed, ""},
		{"a member twice, deep inside", "POST", "/api/clients", "application/json", `{"metadata":{"client_name":"a","client_name":"b"}}`, 400, adminapi.Malformed, ""},
		{"no member that is needed", "POST", "/api/clients", "application/json", `{}`, 422, adminapi.Invalid, "metadata"},
		{"another type of member", "POST", "/api/clients", "application/json", `{"metadata":[]}`, 422, adminapi.Invalid, "metadata"},
		{"no JSON", "POST", "/api/clients", "application/json", `{"metadata":`, 400, adminapi.Malformed, ""},
		{"nothing", "POST", "/api/clients", "application/json", ``, 400, adminapi.Malformed, ""},
		{"two documents", "POST", "/api/clients", "application/json", `{"metadata":` + metadata + `}{}`, 400, adminapi.Malformed, ""},
		{"bytes that are no text", "POST", "/api/clients", "application/json", `{"note":"` + "\xff" + `","metadata":` + metadata + `}`, 400, adminapi.Malformed, ""},
		{"a NUL", "POST", "/api/clients", "application/json", `{"note":"\u0000","metadata":` + metadata + `}`, 422, adminapi.Invalid, "note"},
		{"a form", "POST", "/api/clients", "application/x-www-form-urlencoded", "metadata=x", 415, adminapi.WrongType, ""},
		{"no type", "POST", "/api/clients", "", `{}`, 415, adminapi.WrongType, ""},
		{"too much", "POST", "/api/clients", "application/json", `{"note":"` + strings.Repeat("a", 129<<10) + `"}`, 413, adminapi.TooLarge, ""},
		{"too deep", "POST", "/api/clients", "application/json", `{"metadata":{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}}`, 400, adminapi.Malformed, ""},
		{"a role twice", "POST", "/api/operators", "application/json", `{"name":"Jiro","roles":["viewer","viewer"]}`, 422, adminapi.Invalid, "roles[1]"},
		{"a role that is none", "POST", "/api/operators", "application/json", `{"name":"Jiro","roles":["root"]}`, 422, adminapi.Invalid, "roles[0]"},
		{"a role that is an object", "POST", "/api/operators", "application/json", `{"name":"Jiro","roles":[{},{}]}`, 422, adminapi.Invalid, "roles[0]"},
		{"a number with a fraction", "POST", "/api/clients/shop/request", "application/json", `{"revision":1.5}`, 422, adminapi.Invalid, "revision"},
		{"a number beyond all", "POST", "/api/clients/shop/request", "application/json", `{"revision":99999999999999999999}`, 422, adminapi.Invalid, "revision"},
		{"a parameter that is misspelt", "GET", "/api/clients?sate=live", "", "", 422, adminapi.Invalid, "sate"},
		{"a parameter twice", "GET", "/api/clients?q=a&q=b", "", "", 422, adminapi.Invalid, "q"},
		{"a parameter beyond its values", "GET", "/api/clients?state=dead", "", "", 422, adminapi.Invalid, "state"},
		{"a parameter that is no number", "GET", "/api/clients?limit=x", "", "", 422, adminapi.Invalid, "limit"},
		{"a parameter that is needed", "DELETE", "/api/clients/shop/draft", "", "", 422, adminapi.Invalid, "revision"},
		{"a broken escape", "GET", "/api/clients?q=%zz", "", "", 400, adminapi.Malformed, ""},
		{"a picture of 5 MB", "PUT", "/api/clients/shop/logo?revision=0", "image/png", "\x89PNG\r\n\x1a\n" + strings.Repeat("a", 5<<20), 413, adminapi.TooLarge, "logo"},
		{"a picture with script", "PUT", "/api/clients/shop/logo?revision=0", "image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, 415, adminapi.WrongType, "logo"},
		{"a picture with script that says it is none", "PUT", "/api/clients/app/logo?revision=0", "image/png", `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, 422, adminapi.Invalid, "logo"},
		{"another method", "PATCH", "/api/clients", "application/json", "{}", 405, adminapi.Malformed, ""},
		{"nowhere", "GET", "/api/nowhere", "", "", 404, adminapi.NotFound, ""},
		{"a path with a hole", "GET", "/api/clients//versions", "", "", 404, adminapi.NotFound, ""},
		{"an id that is none", "GET", "/api/clients/%20", "", "", 404, adminapi.NotFound, ""},
	} {
		a := h.Send(t, hanako, c.method, c.path, c.kind, []byte(c.body))
		p := a.Problem(t)
		named := c.field == ""
		for _, f := range p.Errors {
			named = named || f.Field == c.field && f.Problem != "" && f.Remedy != ""
		}
		if a.Status != c.status || p.Reason != c.reason || p.Status != c.status || !named || p.Detail == "" || p.Trace == "" {
			t.Errorf("%s: %d %s", c.name, a.Status, a.Body)
		}
	}
	if after := dump(t, h.DB); after != before {
		t.Errorf("something was stored:\n%s", after)
	}
	if a := h.Call(t, hanako, http.MethodPatch, "/api/clients", struct{}{}); a.Header.Get("Allow") != "GET, POST" {
		t.Errorf("allowed: %q", a.Header.Get("Allow"))
	}
}

// TestBadRegistrationsNameFieldAndRemedy: the API says of each what to do, and stores nothing, unless a draft is to be kept as it is.
func TestBadRegistrationsNameFieldAndRemedy(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	hanako, _ := h.Operator(t, "hanako", "", adminapi.Editor)
	before := dump(t, h.DB)
	rsa1024 := `{"keys":[{"kty":"RSA","kid":"a","use":"sig","alg":"PS256","e":"AQAB","n":"` + strings.Repeat("w", 171) + `"}]}`
	for _, c := range []struct {
		name    string
		changes map[string]any
		field   string
	}{
		{"a fragment", map[string]any{"redirect_uris": []string{"https://shop.example/callback#x"}}, "redirect_uris[0]"},
		{"a wildcard", map[string]any{"redirect_uris": []string{"https://*.shop.example/callback"}}, "redirect_uris[0]"},
		{"http on a public host", map[string]any{"redirect_uris": []string{"http://shop.example/callback"}}, "redirect_uris[0]"},
		{"a foreign scheme", map[string]any{"redirect_uris": []string{"javascript://shop.example/callback"}}, "redirect_uris[0]"},
		{"a private address for keys", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://192.168.0.1/jwks"}, "jwks_uri"},
		{"a key that is too small", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": rawJSON(rsa1024)}, "jwks"},
		{"no algorithm", map[string]any{"id_token_signed_response_alg": "none"}, "id_token_signed_response_alg"},
		{"an unknown member", map[string]any{"redirect_uri": "https://shop.example/"}, "redirect_uri"},
		{"a scope of the hub's own", map[string]any{"scope": "openid admin"}, "scope"},
	} {
		a := h.Call(t, hanako, http.MethodPost, "/api/clients", adminapi.NewClient{Metadata: shop(c.changes)})
		p, named := a.Problem(t), false
		for _, f := range p.Errors {
			named = named || strings.HasPrefix(f.Field, c.field) && f.Problem != "" && f.Remedy != ""
		}
		if a.Status != http.StatusUnprocessableEntity || p.Reason != adminapi.Invalid || !named {
			t.Errorf("%s: %d %s", c.name, a.Status, a.Body)
		}
	}
	if after := dump(t, h.DB); after != before {
		t.Errorf("something was stored:\n%s", after)
	}
	var saved adminapi.Saved
	h.Call(t, hanako, http.MethodPost, "/api/clients", adminapi.NewClient{Metadata: shop(map[string]any{"redirect_uris": []string{"http://shop.example/"}}), Partial: true}).Into(t, &saved)
	if len(saved.Errors) != 1 || saved.Errors[0].Field != "redirect_uris[0]" {
		t.Errorf("%+v", saved.Errors)
	}
	if p := h.Call(t, hanako, http.MethodPost, "/api/clients/shop/request", adminapi.At{Revision: saved.Client.Draft.Revision}).Problem(t); p.Reason != adminapi.Invalid {
		t.Errorf("a draft with faults is requested: %+v", p)
	}
}
