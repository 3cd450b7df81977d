package idp_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestShapesHaveNothingOfAPerson: of a sign-in with everything that a request can say of its person, and of requests into which somebody wrote a
// name wherever there is room, nothing that says who she is stays behind.
func TestShapesHaveNothingOfAPerson(t *testing.T) {
	const secret = "Hanako-Suzuki"
	_, cs, h := signedHub(t, map[string]map[string]any{"shop": {
		"scope": "openid profile offline_access", "authorization_details_types": []string{"application", "exchange", "signature"},
		"resources": []string{"https://api.example"}, "post_logout_redirect_uris": []string{"https://shop.example/out"},
	}})
	shop := cs["shop"]
	b := h.Browser(t)
	first := shop.request("scope", "openid profile offline_access")
	token := shop.post(t, "/token", idptest.CodeForm(h.Code(t, b, first, "taro"), first))
	sub := idClaims(t, token.Text("id_token"))["sub"].(string)
	everything := shop.request("state", secret, "nonce", secret, "login_hint", secret, "ui_locales", "ja", "claims_locales", secret,
		"id_token_hint", token.Text("id_token"), "scope", "openid profile "+secret, "acr_values", secret, "max_age", "4711",
		"claims", `{"id_token":{"sub":{"value":"`+sub+`"},"`+secret+`":null,"name":{"value":"`+secret+`","essential":true}},
			"userinfo":{"verified_claims":{"verification":{"trust_framework":{"value":"`+secret+`"}},"claims":{"name":{"value":"`+secret+`"},"`+secret+`":null}}}}`,
		"authorization_details", `[{"type":"application","actions":["read"],"identifier":"`+secret+`","datatypes":["`+secret+`"]},
			{"type":"exchange","datatypes":["`+secret+`"],"purpose":"`+secret+`"},
			{"type":"signature","document":{"name":"`+secret+`","digest_alg":"sha-256","digest":"`+strings.Repeat("B", 42)+`E","media_type":"text/plain","size":4711}}]`)
	pushed := shop.post(t, "/par", everything.Params)
	if pushed.Status != http.StatusCreated {
		t.Fatalf("%d %v", pushed.Status, pushed.JSON)
	}
	refresh := shop.post(t, "/token", idptest.RefreshForm(token.Text("refresh_token")))
	if refresh.Status != http.StatusOK {
		t.Fatalf("%d %v", refresh.Status, refresh.JSON)
	}
	b.Get("/end-session?" + url.Values{"client_id": {"shop"}, "post_logout_redirect_uri": {"https://shop.example/out"}, "state": {secret}}.Encode())
	for _, name := range []string{"redirect_uri", "response_type", "response_mode", "scope", "prompt", "display", "code_challenge_method", "request", "max_age"} {
		b.Get(shop.request(name, secret).Path())
	}
	shop.post(t, "/token", url.Values{"grant_type": {secret}})
	h.PostForm(t, "/token", "shop", secret, url.Values{"grant_type": {"client_credentials"}})
	b.Get("/authorize?" + url.Values{"client_id": {secret}}.Encode())

	all := keptShapes(t, h)
	for _, kind := range []string{`"authorization"`, `"pushed"`, `"token"`, `"sign_out"`, `"refused"`, `"signed_in"`} {
		if !strings.Contains(all, `{"kind":`+kind) {
			t.Errorf("nothing of kind %s was counted:\n%s", kind, all)
		}
	}
	for what, text := range map[string]string{
		"what somebody wrote": secret, "the subject": sub, "an age": "4711", "a challenge": everything.Params.Get("code_challenge"),
		"a digest": "BBBB", "a token": token.Text("refresh_token"), "a language": "ui_locales",
	} {
		if strings.Contains(strings.ToLower(all), strings.ToLower(text)) {
			t.Errorf("%s (%s) was kept:\n%s", what, text, all)
		}
	}
}

// keptShapes is all that the database has after a flush, in lines.
func keptShapes(t *testing.T, h *idptest.Hub) string {
	t.Helper()
	if err := h.Shapes.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := h.DB.Query(t.Context(), `SELECT client, shape, count FROM request_shape ORDER BY client, shape`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out strings.Builder
	for rows.Next() {
		var client, shape, count string
		if err := rows.Scan(&client, &shape, &count); err != nil {
			t.Fatal(err)
		}
		out.WriteString(client + " " + shape + " " + count + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
