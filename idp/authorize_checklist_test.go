package idp_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestNonceIsOptional in the code flow, and comes back whole if given. Mirrors oidcc-ensure-request-without-nonce-succeeds-for-code-flow and
// fapi2-security-profile-final-ensure-authorization-request-with-64-char-nonce-success.
func TestNonceIsOptional(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	for _, nonce := range []string{"", "n", strings.Repeat("n", 64), strings.Repeat("n", 384)} {
		r := idptest.NewRequest("nonce", nonce)
		claims := idTokenClaims(t, h.Redeem(t, h.Code(t, b, r, "taro"), r).Text("id_token"))
		if got, _ := claims["nonce"].(string); got != nonce {
			t.Errorf("%d characters: %q", len(nonce), got)
		}
	}
	for _, name := range []string{"state", "nonce"} {
		if p := b.Get(idptest.NewRequest(name, strings.Repeat("n", 4000)).Path()); p.URL.Query().Get("error") != "invalid_request" {
			t.Errorf("4000 characters of %s: %s", name, p.URL)
		}
	}
}

// TestAnswersAreSeeOther: FAPI 2.0 Security Profile §5.3.2.2: 303 and never 307, success and error, GET and POST, with the registered query
// kept and iss in it.
func TestAnswersAreSeeOther(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	h.Code(t, b, idptest.NewRequest(), "taro")
	for _, changes := range [][]string{nil, {"max_age", "soon"}, {"redirect_uri", "https://app.example/callback?fixed=1"}, {"redirect_uri", "https://app.example/callback?fixed=1", "prompt", "x"}} {
		r := idptest.NewRequest(changes...)
		for _, p := range []idptest.Page{b.Get(r.Path()), b.Post("/authorize", r.Params)} {
			if p.Status != http.StatusSeeOther || p.URL.Query().Get("iss") != h.Issuer || !strings.HasPrefix(p.URL.String(), r.Params.Get("redirect_uri")) {
				t.Errorf("%v: %d %s", changes, p.Status, p.URL)
			}
		}
	}
}

// TestPKCEMalformedAtAuthorize: RFC 7636 §4.4.1.
func TestPKCEMalformedAtAuthorize(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	for name, changes := range map[string][]string{
		"none": {"code_challenge", "", "code_challenge_method", ""}, "method only": {"code_challenge", ""}, "no method": {"code_challenge_method", ""},
		"plain": {"code_challenge_method", "plain"}, "s256": {"code_challenge_method", "s256"}, "short": {"code_challenge", "abc"},
		"padded": {"code_challenge", strings.Repeat("A", 43) + "="}, "not base64url": {"code_challenge", strings.Repeat("/", 43)},
	} {
		if p := b.Get(idptest.NewRequest(changes...).Path()); p.URL.Query().Get("error") != "invalid_request" {
			t.Errorf("%s: %s %s", name, p.URL, p.Error())
		}
	}
}

// TestHintsAreBounded: login_hint, ui_locales and claims_locales of any content are taken, but not of any length.
func TestHintsAreBounded(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	for name, value := range map[string]string{"login_hint": strings.Repeat("x", 501), "ui_locales": strings.Repeat("x", 201), "claims_locales": strings.Repeat("x", 201), "display": "cinema"} {
		if p := h.Browser(t).Get(idptest.NewRequest(name, value).Path()); p.URL.Query().Get("error") != "invalid_request" {
			t.Errorf("%s: %s", name, p.URL)
		}
	}
}

var descriptionSyntax = regexp.MustCompile(`^[\x20-\x21\x23-\x5b\x5d-\x7e]+$`) // RFC 6749 §4.1.2.1

// TestErrorsEchoNothing: an error_description is ours, whatever was sent, in the redirect, at PAR and on the page.
func TestErrorsEchoNothing(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	const marker = "zq9\r\n\"\\é<b>"
	for _, name := range []string{
		"response_type", "response_mode", "scope", "state", "code_challenge", "code_challenge_method", "prompt", "display", "max_age", "id_token_hint",
		"claims", "resource", "authorization_details", "request", "request_uri", "registration", "dpop_jkt", "redirect_uri", "client_id",
	} {
		r := idptest.NewRequest(name, marker)
		p := b.Get(r.Path())
		d := p.URL.Query().Get("error_description")
		if strings.Contains(d, "zq9") || p.Body == "" && !descriptionSyntax.MatchString(d) {
			t.Errorf("%s: %q", name, d)
		}
		if strings.Contains(languageLink.ReplaceAllString(p.Body, ""), "zq9") {
			t.Errorf("%s: the page repeats it", name)
		}
		r.Params.Set("client_id", idptest.ClientID)
		if name == "client_id" {
			continue
		}
		if a := h.PostForm(t, "/par", idptest.ClientID, idptest.Secret, r.Params); strings.Contains(a.Raw, "zq9") || !descriptionSyntax.MatchString(a.Text("error_description")) {
			t.Errorf("%s pushed: %d %s", name, a.Status, a.Raw)
		}
	}
}

// TestPublicClientIsNotAskedTwice: remembered consent holds for a public client too: every registered address is https, or on the citizen's
// own computer (RFC 8252 §8.6), and none has a scheme of its own.
func TestPublicClientIsNotAskedTwice(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	r := idptest.NewRequest("client_id", idptest.PublicID, "redirect_uri", idptest.PublicURI, "scope", "openid")
	h.Code(t, b, r, "taro")
	again := idptest.NewRequest("client_id", idptest.PublicID, "redirect_uri", idptest.PublicURI, "scope", "openid", "prompt", "none")
	if p := b.Get(again.Path()); p.URL.Query().Get("code") == "" {
		t.Errorf("%s", p.URL)
	}
	own := idptest.NewRequest("client_id", idptest.PublicID, "redirect_uri", "com.example.app:/cb", "scope", "openid")
	if p := b.Get(own.Path()); p.Error() != "redirect_uri_mismatch" {
		t.Errorf("a scheme of its own: %s", p.URL)
	}
}

// TestRequestByReferenceIsRefused with the code of its own, also where openid is not asked for (OIDC Core §3.1.2.6). Mirrors
// oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported.
func TestRequestByReferenceIsRefused(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	for _, scope := range []string{"openid", "link"} {
		for _, uri := range []string{"https://app.example/request.jwt", "urn:example:x", "x"} {
			p := b.Get(idptest.NewRequest("request_uri", uri, "scope", scope).Path())
			if q := p.URL.Query(); q.Get("error") != "request_uri_not_supported" || q.Get("iss") != h.Issuer {
				t.Errorf("%s %s: %s %s", scope, uri, p.URL, p.Error())
			}
		}
	}
}

// TestDiscoveryOfRequests: what the document says of authorization requests is what is offered, in the words of RFC 8414, RFC 9101, RFC 9396 and JARM.
func TestDiscoveryOfRequests(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.Issuer+"/.well-known/openid-configuration", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	doc := send(t, req).JSON
	for name, want := range map[string]any{
		"request_parameter_supported": true, "request_uri_parameter_supported": false, "claims_parameter_supported": true,
		"authorization_response_iss_parameter_supported": true, "require_signed_request_object": nil, "require_request_uri_registration": nil,
	} {
		if doc[name] != want {
			t.Errorf("%s: %v", name, doc[name])
		}
	}
	for name, want := range map[string]string{
		"response_modes_supported": "query form_post jwt query.jwt form_post.jwt", "response_types_supported": "code",
		"request_object_signing_alg_values_supported": "ES256 PS256 EdDSA RS256", "authorization_signing_alg_values_supported": "ES256 PS256 EdDSA RS256",
		"authorization_details_types_supported": "application exchange signature", "code_challenge_methods_supported": "S256",
	} {
		list, _ := doc[name].([]any)
		var words []string
		for _, w := range list {
			s, _ := w.(string)
			words = append(words, s)
		}
		if strings.Join(words, " ") != want {
			t.Errorf("%s: %v", name, words)
		}
	}
	if doc["pushed_authorization_request_endpoint"] != h.Issuer+"/par" {
		t.Errorf("%v", doc["pushed_authorization_request_endpoint"])
	}
}
