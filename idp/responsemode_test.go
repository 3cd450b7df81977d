package idp_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

var (
	postedForm  = regexp.MustCompile(`<form class="actions" id="form-post" method="post" action="([^"]*)">`)
	postedField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// posted returns the address and the fields of the form on a page, as a browser would send them.
func posted(p idptest.Page) (string, url.Values) {
	form := postedForm.FindStringSubmatch(p.Body)
	if form == nil {
		return "", nil
	}
	fields := url.Values{}
	for _, m := range postedField.FindAllStringSubmatch(p.Body, -1) {
		fields.Add(m[1], html.UnescapeString(m[2]))
	}
	return html.UnescapeString(form[1]), fields
}

// signedAnswer verifies a JARM response with the hub's published keys and returns its claims and algorithm.
func signedAnswer(t *testing.T, h *idptest.Hub, token string) (map[string]any, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.Issuer+"/jwks", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(send(t, req).Raw), &set); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA})
	if err != nil {
		t.Fatalf("%q: %v", token, err)
	}
	keys := set.Key(jws.Signatures[0].Header.KeyID)
	if len(keys) != 1 {
		t.Fatalf("%d keys for %q", len(keys), jws.Signatures[0].Header.KeyID)
	}
	payload, err := jws.Verify(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims, jws.Signatures[0].Header.Algorithm
}

// TestFormPostResponse: Form Post Response Mode §2, §4: the answer is in a form that posts to the registered address, escaped, on a page that
// nobody keeps; a script of our own sends it, and a button where there is none.
func TestFormPostResponse(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	state := `"><script>alert('x')</script>&amp;`
	r := idptest.NewRequest("response_mode", "form_post", "state", state, "redirect_uri", "https://app.example/callback?fixed=1")
	p := b.SignIn(b.Get(r.Path()), "taro") // the answer to a posted consent
	check := func(p idptest.Page) url.Values {
		t.Helper()
		action, fields := posted(p)
		csp := p.Header.Get("Content-Security-Policy")
		if p.Status != http.StatusOK || action != "https://app.example/callback?fixed=1" || p.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %q %q\n%s", p.Status, action, p.Header, p.Body)
		}
		if strings.Contains(csp, "form-action") || !strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") {
			t.Errorf("policy %q", csp)
		}
		if strings.Contains(p.Body, "alert('x')") || strings.Count(p.Body, "<script") != 1 || !strings.Contains(p.Body, `content="noindex"`) ||
			!strings.Contains(p.Body, `id="form-post-go"`) || strings.Contains(p.Body, "hreflang") || !strings.Contains(p.Body, `lang="ja"`) {
			t.Error(p.Body)
		}
		if fields.Get("iss") != h.Issuer || fields.Get("state") != state {
			t.Errorf("%v", fields)
		}
		return fields
	}
	fields := check(p)
	if len(fields) != 3 {
		t.Errorf("%v", fields)
	}
	if a := h.Redeem(t, fields.Get("code"), r); a.Status != http.StatusOK {
		t.Errorf("redeem: %d %s", a.Status, a.Raw)
	}
	// With a session, from the address itself; without state; and errors.
	if _, fields := posted(b.Get(idptest.NewRequest("response_mode", "form_post", "state", "").Path())); fields.Get("code") == "" || fields.Has("state") {
		t.Errorf("%v", fields)
	}
	r.Params.Set("prompt", "none login")
	if fields := check(b.Get(r.Path())); fields.Get("error") != "invalid_request" || fields.Has("code") {
		t.Errorf("%v", fields)
	}
	script := regexp.MustCompile(`src="([^"]*form-post\.js)"`).FindStringSubmatch(p.Body)
	if js := b.Get(script[1]); js.Status != http.StatusOK || !strings.Contains(js.Header.Get("Content-Type"), "javascript") || !strings.Contains(js.Body, "submit()") {
		t.Errorf("%d %s", js.Status, js.Body)
	}
}

// TestSignedResponse: JARM §2: one parameter, a JWT of the hub for the client with all others, in the algorithm it registered; errors too.
func TestSignedResponse(t *testing.T) {
	c, clients, h := signedHub(t, map[string]map[string]any{"shop": nil, "ps": {"authorization_signed_response_alg": "PS256"}})
	b := h.Browser(t)
	for id, alg := range map[string]string{"shop": "ES256", "ps": "PS256"} {
		client := clients[id]
		b.SignIn(b.Get(client.request().Path()), "taro")
		for _, mode := range []string{"jwt", "query.jwt", "form_post.jwt"} {
			for _, bad := range []bool{false, true} {
				r := client.request("response_mode", mode, "redirect_uri", "https://"+id+".example/cb?fixed=1")
				if bad {
					r.Params.Set("max_age", "soon")
				}
				p := b.Get(r.Path())
				params := p.URL.Query()
				if mode == "form_post.jwt" {
					_, params = posted(p)
				} else if p.Status != http.StatusSeeOther || params.Get("fixed") != "1" {
					t.Errorf("%s: %d %s", mode, p.Status, p.URL)
				}
				params.Del("fixed")
				if len(params) != 1 {
					t.Fatalf("%s %s: %v", id, mode, params)
				}
				claims, got := signedAnswer(t, h, params.Get("response"))
				exp, _ := claims["exp"].(float64)
				if got != alg || claims["iss"] != h.Issuer || claims["aud"] != id || claims["state"] != r.Params.Get("state") || exp <= float64(c.now().Unix()+10) || exp > float64(c.now().Unix()+600) {
					t.Errorf("%s %s: %s %v", id, mode, got, claims)
				}
				if (claims["error"] == "invalid_request") != bad || (claims["code"] != nil) == bad {
					t.Errorf("%s %s: %v", id, mode, claims)
				}
			}
		}
		if p := b.Get(client.request("response_mode", "jwt", "state", "").Path()); p.URL.Query().Get("response") != "" {
			if claims, _ := signedAnswer(t, h, p.URL.Query().Get("response")); claims["state"] != nil || claims["code"] == nil {
				t.Errorf("no state: %v", claims)
			}
		}
	}
}

// TestResponseModesRefused: what is not offered is refused in a query, and profile fapi2 is answered by redirects alone.
func TestResponseModesRefused(t *testing.T) {
	_, clients, h := signedHub(t, map[string]map[string]any{"bank": {"profile": "fapi2"}})
	b := h.Browser(t)
	for _, mode := range []string{"fragment", "fragment.jwt", "web_message", "QUERY", "query jwt"} {
		if p := b.Get(idptest.NewRequest("response_mode", mode).Path()); p.URL.Query().Get("error") != "invalid_request" || p.URL.Query().Get("iss") != h.Issuer {
			t.Errorf("%s: %s %s", mode, p.URL, p.Error())
		}
	}
	if p := b.Get(idptest.NewRequest("response_mode", "form_post").Path() + "&response_mode=query"); p.URL.Query().Get("error") != "invalid_request" {
		t.Errorf("two modes: %s", p.URL)
	}
	for mode, want := range map[string]int{"query": 201, "jwt": 201, "query.jwt": 201, "form_post": 400, "form_post.jwt": 400, "fragment": 400} {
		if a := clients["bank"].post(t, "/par", clients["bank"].request("response_mode", mode).Params); a.Status != want {
			t.Errorf("fapi2 %s: %d %s", mode, a.Status, a.Raw)
		}
	}
}

// TestDeniedInEveryMode: what the citizen decides is told in the mode that was asked for. Mirrors
// fapi2-security-profile-final-user-rejects-authentication with JARM.
func TestDeniedInEveryMode(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	for _, mode := range []string{"query", "form_post", "jwt", "form_post.jwt"} {
		b := h.Browser(t)
		login := b.Get(idptest.NewRequest("response_mode", mode).Path())
		p := b.Post("/login/cancel", url.Values{"tx": {login.Tx()}})
		params := p.URL.Query()
		if _, fields := posted(p); fields != nil {
			params = fields
		}
		told := params.Get("error")
		if response := params.Get("response"); response != "" {
			claims, _ := signedAnswer(t, h, response)
			told, _ = claims["error"].(string)
		} else if params.Get("iss") != h.Issuer {
			t.Errorf("%s: no iss in %v", mode, params)
		}
		if told != "access_denied" {
			t.Errorf("%s: %d %s %v", mode, p.Status, p.URL, params)
		}
	}
}
