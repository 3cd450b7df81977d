package idp_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// discoveryProofs are the proofs by member.
func discoveryProofs() map[string]proof {
	method := func(path string) proof {
		return each(func(w *walker, t *testing.T, word string) {
			if !w.known(path, word, endpointForm(path)) {
				t.Errorf("%s does not work at %s", word, path)
			}
		})
	}
	assertion := func(path string) proof {
		return each(func(w *walker, t *testing.T, alg string) {
			if a := w.h.PostForm(t, path, "", "", w.asserted(asserterID, alg, endpointForm(path))); a.Text("error") != "" && a.Text("error") != "invalid_grant" {
				t.Errorf("an assertion in %s at %s: %d %s", alg, path, a.Status, a.Raw)
			}
		})
	}
	return map[string]proof{
		"issuer":                 func(w *walker, t *testing.T, v any) { is(w.h.Issuer)(w, t, v) },
		"authorization_endpoint": answers, "token_endpoint": answers, "userinfo_endpoint": answers, "jwks_uri": answers,
		"pushed_authorization_request_endpoint": answers, "device_authorization_endpoint": answers, "revocation_endpoint": answers,
		"introspection_endpoint": answers, "end_session_endpoint": answers, "registration_endpoint": answers, "check_session_iframe": answers,
		"service_documentation": answers, "op_policy_uri": answers, "op_tos_uri": answers,

		"token_endpoint_auth_methods_supported": method("/token"), "revocation_endpoint_auth_methods_supported": method("/revoke"),
		"introspection_endpoint_auth_methods_supported":            method("/introspect"),
		"token_endpoint_auth_signing_alg_values_supported":         assertion("/token"),
		"revocation_endpoint_auth_signing_alg_values_supported":    assertion("/revoke"),
		"introspection_endpoint_auth_signing_alg_values_supported": assertion("/introspect"),

		"scopes_supported": proveScopes, "claims_supported": proveClaims, "claim_types_supported": is1("normal"), "subject_types_supported": is1("pairwise"),
		"response_types_supported": is1("code"), "code_challenge_methods_supported": is1("S256"),
		"response_modes_supported": each(proveMode), "grant_types_supported": each(proveGrant), "prompt_values_supported": each(provePrompt),
		"acr_values_supported": each(proveACR), "ui_locales_supported": each(proveLocale), "dpop_signing_alg_values_supported": each(proveDPoP),
		"authorization_details_types_supported": each(proveDetails), "protected_resources": each(proveResource),

		"verified_claims_supported": is(true), "trust_frameworks_supported": is1(jpkiFramework), "evidence_supported": is1("electronic_signature"),
		"claims_in_verified_claims_supported": proveVerifiedClaims,

		"id_token_signing_alg_values_supported": each(proveIDTokenAlg), "id_token_encryption_alg_values_supported": each(proveIDTokenEncryption(true)),
		"id_token_encryption_enc_values_supported": each(proveIDTokenEncryption(false)),
		"userinfo_signing_alg_values_supported":    each(proveUserinfoAlg), "userinfo_encryption_alg_values_supported": each(proveUserinfoEncryption(true)),
		"userinfo_encryption_enc_values_supported": each(proveUserinfoEncryption(false)), "introspection_signing_alg_values_supported": each(proveIntrospectionAlg),
		"request_object_signing_alg_values_supported": each(proveRequestObject), "authorization_signing_alg_values_supported": each(proveSignedResponse),

		"claims_parameter_supported": is(true), "request_parameter_supported": is(true), // with their algorithms above, and TestClaimsParameterInUserinfo
		"request_uri_parameter_supported": proveNoRequestURI, "authorization_response_iss_parameter_supported": proveIss,
		"frontchannel_logout_supported":         registers(map[string]any{"frontchannel_logout_uri": "https://details.example/bye"}),
		"frontchannel_logout_session_supported": registers(map[string]any{"frontchannel_logout_uri": "https://details.example/bye", "frontchannel_logout_session_required": true}),
		"backchannel_logout_supported":          registers(map[string]any{"backchannel_logout_uri": "https://details.example/bye"}),
		"backchannel_logout_session_supported":  registers(map[string]any{"backchannel_logout_uri": "https://details.example/bye", "backchannel_logout_session_required": true}),
	}
}

// is1 is a list of exactly this.
func is1(word string) proof {
	return func(_ *walker, t *testing.T, value any) {
		if jsonOf(t, value) != `["`+word+`"]` {
			t.Errorf("%v", value)
		}
	}
}

func proveScopes(w *walker, t *testing.T, value any) {
	var citizen, own []string
	each(func(_ *walker, _ *testing.T, scope string) {
		if slices.Contains(clients.OwnScopes(), scope) {
			own = append(own, scope)
		} else {
			citizen = append(citizen, scope)
		}
	})(w, t, value)
	w.as(map[string]any{"scope": strings.Join(citizen, " ")})
	if got := strings.Fields(w.tokens(detailsRequest(strings.Join(citizen, " "))).Text("scope")); !slices.Equal(got, citizen) {
		t.Errorf("granted %v of %v", got, citizen)
	}
	a := w.h.PostForm(t, "/token", "", "", w.asserted(robotID, "ES256", url.Values{"grant_type": {"client_credentials"}, "scope": {strings.Join(own, " ")}}))
	if slices.Sort(own); a.Text("scope") != strings.Join(own, " ") {
		t.Errorf("a service's own: %d %s", a.Status, a.Raw)
	}
}

func proveClaims(w *walker, t *testing.T, value any) {
	w.as(map[string]any{"backchannel_logout_uri": "https://details.example/bye"}) // for sid
	tokens := w.tokens(detailsRequest(everyScope))
	given := w.h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")).JSON
	id := idClaims(t, tokens.Text("id_token"))
	f := startFamily(t, idptest.Options{})
	acting := f.enterFor(f.hanako, f.represent(f.taro, f.hanako))
	id["act"] = idClaims(t, acting.Text("id_token"))["act"] // this client's citizens sign in themselves
	each(func(_ *walker, t *testing.T, claim string) {
		if given[claim] == nil && id[claim] == nil {
			t.Errorf("%s is given nowhere", claim)
		}
	})(w, t, value)
}

// proveVerifiedClaims also proves the framework and the evidence, each of which is the only one and insisted on.
func proveVerifiedClaims(w *walker, t *testing.T, value any) {
	w.as(map[string]any{"scope": everyScope + " " + everyVerified})
	if note := confirmed(t, w.b, "taro"); note != "done" {
		t.Fatalf("confirmed: %q", note)
	}
	var asks []string
	each(func(_ *walker, _ *testing.T, claim string) { asks = append(asks, `"`+claim+`":null`) })(w, t, value)
	request := detailsRequest("openid", "claims", `{"userinfo":{"verified_claims":{"verification":{"trust_framework":{"value":"`+jpkiFramework+
		`"},"evidence":[{"type":{"value":"electronic_signature"}}]},"claims":{`+strings.Join(asks, ",")+`}}}}`)
	if _, claims := verifiedIn(t, w.userinfo(request).JSON); len(claims) != len(asks) {
		t.Errorf("advertised %v, given %v", asks, claims)
	}
}

func proveMode(w *walker, t *testing.T, mode string) {
	params, p := w.visit(detailsRequest("openid", "response_mode", mode))
	post, signed := strings.HasPrefix(mode, "form_post"), strings.HasSuffix(mode, "jwt")
	if post != (p.Body != "") || signed != params.Has("response") || signed == params.Has("code") {
		t.Errorf("%s: %d %v", mode, p.Status, params)
	}
}

func proveGrant(w *walker, t *testing.T, grant string) {
	if a := w.h.PostForm(t, "/token", idptest.PublicID, "", url.Values{"grant_type": {grant}}); a.Text("error") == "unsupported_grant_type" || a.Text("error") == "" {
		t.Errorf("%s: %d %s", grant, a.Status, a.Raw)
	}
	// A client of its own for each: the grants that need no browser change what names citizens have.
	more := map[string]any{"client_id": "with-" + rand.Text(), "token_endpoint_auth_method": "private_key_jwt", "grant_types": []string{"authorization_code", "refresh_token", grant}}
	switch grant {
	case "authorization_code", "refresh_token":
		more["grant_types"] = []string{"authorization_code", "refresh_token"}
	case "client_credentials":
		more["scope"] = everyScope + " service"
	}
	w.as(more)
}

func provePrompt(w *walker, t *testing.T, prompt string) {
	if p := w.b.Get(detailsRequest("openid", "prompt", prompt).Path()); p.URL.Query().Has("error") || p.Error() != "" {
		t.Errorf("%s: %s", prompt, p.URL)
	}
}

func proveACR(w *walker, t *testing.T, acr string) {
	token := ""
	if acr == "phr" {
		_, d := w.h.WithPasskey(t, "taro")
		b, r := w.h.Browser(t), idptest.NewRequest("acr_values", acr)
		_, tokens := wantCode(t, w.h, b, b.PasskeyLogin(b.Get(r.Path()), d), r)
		token = tokens.Text("id_token")
	} else if acr == remoteACR { // a browser takes any card for more than that: a phone has to read it
		token = newPair(t, w.h, "acr_values", acr).tokens("taro").Text("id_token")
	} else {
		token = w.tokens(detailsRequest("openid", "acr_values", acr)).Text("id_token")
	}
	if got := idClaims(t, token)["acr"]; got != acr {
		t.Errorf("%s: %v", acr, got)
	}
}

func proveLocale(w *walker, t *testing.T, locale string) {
	if p := w.h.Browser(t).Get(detailsRequest("openid", "ui_locales", locale).Path()); !strings.Contains(p.Body, `<html lang="`+locale+`"`) {
		t.Errorf("%s: %s", locale, p.URL)
	}
}

func proveDPoP(w *walker, t *testing.T, alg string) {
	r := detailsRequest("openid")
	params, _ := w.visit(r)
	req := w.h.FormRequest(t, "/token", walkerID, "", idptest.CodeForm(params.Get("code"), r))
	a := send(t, req, signedProof(t, jose.SignatureAlgorithm(alg), w.keys[alg], nil, map[string]any{
		"jti": rand.Text(), "htm": http.MethodPost, "htu": w.h.Issuer + "/token", "iat": time.Now().Unix(),
	}))
	if a.Text("token_type") != "DPoP" {
		t.Errorf("%s: %d %s", alg, a.Status, a.Raw)
	}
}

func proveDetails(w *walker, t *testing.T, kind string) {
	object, there := map[string]string{
		"application": `{"type":"application","actions":["read"],"identifier":"a"}`, "exchange": `{"type":"exchange","datatypes":["a"],"purpose":"x"}`,
		"signature": `{"type":"signature","document":{"name":"x","digest_alg":"sha-256","digest":"` + contract.Digest + `"}}`,
	}[kind]
	if !there {
		t.Errorf("no example of %s here", kind)
	}
	w.as(map[string]any{"authorization_details_types": []string{kind}})
	params, p := w.visit(detailsRequest("openid", "authorization_details", "["+object+"]"))
	if kind == "signature" {
		p = w.b.Get(w.b.CardSign(w.b.SignatureRequest(p), "taro"))
		params = p.URL.Query()
	}
	if params.Get("code") == "" {
		t.Errorf("%s: %s", kind, p.URL)
	}
}

func proveResource(w *walker, t *testing.T, resource string) {
	if a := w.h.Bearer(t, http.MethodGet, strings.TrimPrefix(resource, w.h.Issuer)+"/.well-known/oauth-protected-resource", ""); a.Text("resource") != resource {
		t.Errorf("%s: %d %s", resource, a.Status, a.Raw)
	}
}

func proveIDTokenAlg(w *walker, t *testing.T, alg string) {
	w.as(map[string]any{"id_token_signed_response_alg": alg})
	verified(t, w.h, w.tokens(detailsRequest("openid")).Text("id_token"), alg)
}

// proveIDTokenEncryption takes the word for the algorithm, or for the content encryption.
func proveIDTokenEncryption(isAlg bool) func(*walker, *testing.T, string) {
	return func(w *walker, t *testing.T, word string) {
		alg, enc := "ECDH-ES", "A128CBC-HS256"
		if isAlg {
			alg = word
		} else {
			enc = word
		}
		w.as(map[string]any{"id_token_encrypted_response_alg": alg, "id_token_encrypted_response_enc": enc})
		_, inner := w.reader.open(t, w.tokens(detailsRequest("openid")).Text("id_token"), alg, enc)
		verified(t, w.h, inner, "ES256")
	}
}

func proveUserinfoAlg(w *walker, t *testing.T, alg string) {
	w.as(map[string]any{"userinfo_signed_response_alg": alg})
	verified(t, w.h, w.userinfo(detailsRequest("openid")).Raw, alg)
}

func proveUserinfoEncryption(isAlg bool) func(*walker, *testing.T, string) {
	return func(w *walker, t *testing.T, word string) {
		alg, enc := "ECDH-ES", "A128CBC-HS256"
		if isAlg {
			alg = word
		} else {
			enc = word
		}
		w.as(map[string]any{"userinfo_encrypted_response_alg": alg, "userinfo_encrypted_response_enc": enc})
		_, inner := w.reader.open(t, w.userinfo(detailsRequest("openid")).Raw, alg, enc)
		if !json.Valid([]byte(inner)) {
			t.Errorf("%s: %s", word, inner)
		}
	}
}

func proveIntrospectionAlg(w *walker, t *testing.T, alg string) {
	w.as(map[string]any{"introspection_signed_response_alg": alg, "token_endpoint_auth_method": "private_key_jwt", "client_id": "reader-" + alg})
	req := w.h.FormRequest(t, "/introspect", "", "", w.asserted("reader-"+alg, alg, url.Values{"token": {"none"}}))
	req.Header.Set("Accept", "application/token-introspection+jwt")
	verified(t, w.h, send(t, req).Raw, alg)
}

func proveRequestObject(w *walker, t *testing.T, alg string) {
	w.as(map[string]any{"request_object_signing_alg": alg})
	r := detailsRequest("openid")
	claims := map[string]any{"iss": walkerID, "aud": w.h.Issuer, "exp": time.Now().Add(time.Minute).Unix(), "nbf": time.Now().Unix()}
	for name, values := range r.Params {
		claims[name] = values[0]
	}
	object := w.sign(alg, "oauth-authz-req+jwt", claims)
	params, p := w.visit(idptest.Request{Params: url.Values{"client_id": {walkerID}, "request": {object}}})
	if params.Get("code") == "" {
		t.Errorf("%s: %s", alg, p.URL)
	}
}

func proveSignedResponse(w *walker, t *testing.T, alg string) {
	w.as(map[string]any{"authorization_signed_response_alg": alg})
	params, _ := w.visit(detailsRequest("openid", "response_mode", "jwt"))
	verified(t, w.h, params.Get("response"), alg)
}

func proveNoRequestURI(w *walker, t *testing.T, value any) {
	is(false)(w, t, value)
	if params, p := w.visit(detailsRequest("openid", "request_uri", "https://details.example/request.jwt")); params.Get("error") != "request_uri_not_supported" {
		t.Errorf("%s", p.URL)
	}
}

func proveIss(w *walker, t *testing.T, value any) {
	is(true)(w, t, value)
	for _, prompt := range []string{"", "bogus"} {
		if params, p := w.visit(detailsRequest("openid", "prompt", prompt)); params.Get("iss") != w.h.Issuer {
			t.Errorf("%s", p.URL)
		}
	}
}
