package idp_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// accessLifeOfTest is longer than any access token lives.
const accessLifeOfTest = 11 * time.Minute

func exchangeForm(subject, resource string, changes ...string) url.Values {
	f := url.Values{"grant_type": {exchangeGrant}, "subject_token": {subject}, "subject_token_type": {accessType}, "resource": {resource}}
	for i := 0; i+1 < len(changes); i += 2 {
		if f.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			f.Del(changes[i])
		}
	}
	return f
}

// frontTokens signs the citizen in at front.
func frontTokens(t *testing.T, h *idptest.Hub, b *idptest.Browser, card string) idptest.Answer {
	t.Helper()
	r := frontRequest()
	a := h.PostForm(t, "/token", "front", idptest.Secret, idptest.CodeForm(h.Code(t, b, r, card), r))
	if a.Status != http.StatusOK {
		t.Fatalf("tokens: %d %s", a.Status, a.Raw)
	}
	return a
}

// TestTokenExchangeTranslatesTheSubject: RFC 8693: front exchanges its token for health's, health goes on to tax; each resource learns its
// own name of the citizen, the same each time, and who acted in between.
func TestTokenExchangeTranslatesTheSubject(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Clients: resourceClients()})
	tokens := frontTokens(t, h, h.Browser(t), "taro")
	own := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")).Text("sub")

	first := h.PostForm(t, "/token", "front", idptest.Secret, exchangeForm(tokens.Text("access_token"), healthAPI))
	if first.Status != http.StatusOK || first.Text("issued_token_type") != accessType || first.Text("token_type") != "Bearer" || first.Text("refresh_token") != "" {
		t.Fatalf("exchange: %d %s", first.Status, first.Raw)
	}
	if life := first.JSON["expires_in"].(float64); life > 300 || first.Text("scope") != "link" {
		t.Errorf("lives %v seconds with scope %q", life, first.Text("scope"))
	}
	claims := toldTo(t, h, "health", first.Text("access_token"))
	if claims["client_id"] != "front" || claims["acr"] != "phrh" || claims["auth_time"] == nil {
		t.Errorf("claims %v", claims)
	}
	if act, _ := claims["act"].(map[string]any); act["sub"] != "front" || act["act"] != nil {
		t.Errorf("act %v", claims["act"])
	}
	atHealth := claims["sub"]

	second := h.PostForm(t, "/token", "health", idptest.Secret, exchangeForm(first.Text("access_token"), taxAPI))
	if second.Status != http.StatusOK {
		t.Fatalf("second exchange: %d %s", second.Status, second.Raw)
	}
	claims = toldTo(t, h, "tax", second.Text("access_token"))
	act, _ := claims["act"].(map[string]any)
	before, _ := act["act"].(map[string]any)
	if claims["client_id"] != "health" || act["sub"] != "health" || before["sub"] != "front" || !slices.Equal(list(claims["aud"]), []string{taxAPI}) {
		t.Errorf("claims %v", claims)
	}
	atTax := claims["sub"]
	if atHealth == own || atTax == own || atTax == atHealth || atTax == "" {
		t.Errorf("names: %v at front, %v at health, %v at tax", own, atHealth, atTax)
	}
	direct := h.PostForm(t, "/token", "front", idptest.Secret, exchangeForm(tokens.Text("access_token"), taxAPI))
	if claims = toldTo(t, h, "tax", direct.Text("access_token")); claims["sub"] != atTax {
		t.Errorf("tax knows the citizen as %v and %v", claims["sub"], atTax)
	}
	audited(t, h, "token.exchanged", "registration")
}

// TestTokenExchangeRefusals: RFC 8693 §2.2.2, each before anything is issued or written down.
func TestTokenExchangeRefusals(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	b := h.Browser(t)
	tokens := frontTokens(t, h, b, "taro")
	token := tokens.Text("access_token")
	own := h.PostForm(t, "/token", "front", idptest.Secret, serviceForm()).Text("access_token")
	other := h.PostForm(t, "/token", "batch", idptest.Secret, serviceForm()).Text("access_token")
	r := idptest.NewRequest()
	foreign := h.Redeem(t, h.Code(t, b, r, "taro"), r).Text("access_token")
	for _, tt := range []struct {
		name, client string
		form         url.Values
		code         string
	}{
		{"not registered for the grant", "batch", exchangeForm(token, taxAPI), "unauthorized_client"},
		{"no subject token", "front", exchangeForm("", taxAPI), "invalid_request"},
		{"no type", "front", exchangeForm(token, taxAPI, "subject_token_type", ""), "invalid_request"},
		{"type of an ID token", "front", exchangeForm(token, taxAPI, "subject_token_type", "urn:ietf:params:oauth:token-type:id_token"), "invalid_request"},
		{"refresh token wanted", "front", exchangeForm(token, taxAPI, "requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"), "invalid_request"},
		{"actor type alone", "front", exchangeForm(token, taxAPI, "actor_token_type", accessType), "invalid_request"},
		{"actor without type", "front", exchangeForm(token, taxAPI, "actor_token", own), "invalid_request"},
		{"somebody else as actor", "front", exchangeForm(token, taxAPI, "actor_token", other, "actor_token_type", accessType), "invalid_request"},
		{"a citizen as actor", "front", exchangeForm(token, taxAPI, "actor_token", token, "actor_token_type", accessType), "invalid_request"},
		{"nonsense", "front", exchangeForm("nonsense", taxAPI), "invalid_request"},
		{"refresh token as subject", "front", exchangeForm(tokens.Text("refresh_token"), taxAPI), "invalid_request"},
		{"another client's token", "front", exchangeForm(foreign, taxAPI), "invalid_request"},
		{"a token that was not meant for the requester", "health", exchangeForm(token, taxAPI), "invalid_request"},
		{"a client's own token as subject", "front", exchangeForm(own, taxAPI), "invalid_request"},
		{"no target", "front", exchangeForm(token, ""), "invalid_request"},
		{"two targets", "front", exchangeForm(token, taxAPI, "audience", healthAPI), "invalid_request"},
		{"a resource nobody serves", "front", exchangeForm(token, openAPI), "invalid_target"},
		{"an unknown resource", "front", exchangeForm(token, "https://elsewhere.example/"), "invalid_target"},
		{"a wider scope", "front", exchangeForm(token, taxAPI, "scope", "links"), "invalid_scope"},
		{"authorization details", "front", exchangeForm(token, taxAPI, "authorization_details", `[{"type":"x"}]`), "invalid_authorization_details"},
	} {
		a := h.PostForm(t, "/token", tt.client, idptest.Secret, tt.form)
		if a.Status != http.StatusBadRequest || a.Text("error") != tt.code {
			t.Errorf("%s: %d %s, want %s", tt.name, a.Status, a.Raw, tt.code)
		}
	}
	if n := count(t, h, "token.exchanged"); n != 0 {
		t.Errorf("%d exchanges were recorded", n)
	}
	good := h.PostForm(t, "/token", "front", idptest.Secret, exchangeForm(token, "", "audience", taxAPI, "scope", "link", "actor_token", own, "actor_token_type", accessType))
	if good.Status != http.StatusOK || good.Text("scope") != "link" {
		t.Errorf("the good one: %d %s", good.Status, good.Raw)
	}
}

// TestExchangedTokenDiesWithConsentAndClients: with the consent of the citizen, which the first service has, and for as long as any client
// of the chain is suspended.
func TestExchangedTokenDiesWithConsentAndClients(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	tokens := frontTokens(t, h, h.Browser(t), "taro")
	first := h.PostForm(t, "/token", "front", idptest.Secret, exchangeForm(tokens.Text("access_token"), healthAPI))
	token := h.PostForm(t, "/token", "health", idptest.Secret, exchangeForm(first.Text("access_token"), taxAPI)).Text("access_token")
	active := func(when string) {
		t.Helper()
		if a := introspect(t, h, "tax", token); a.JSON["active"] != true {
			t.Fatalf("%s: %s", when, a.Raw)
		}
	}
	active("new")
	for _, id := range []clients.ID{"front", "health"} {
		if err := h.Clients.Suspend(t.Context(), id, idptest.Because); err != nil {
			t.Fatal(err)
		}
		inactive(t, string(id)+" suspended", introspect(t, h, "tax", token))
		if err := h.Clients.Resume(t.Context(), id, idptest.Because); err != nil {
			t.Fatal(err)
		}
		active(string(id) + " back")
	}
	if a := h.Bearer(t, http.MethodDelete, "/api/link", tokens.Text("access_token")); a.Status != http.StatusNoContent {
		t.Fatalf("withdraw: %d %s", a.Status, a.Raw)
	}
	inactive(t, "consent withdrawn", introspect(t, h, "tax", token))
}

// TestExchangedTokenDiesWithItsSubject: with its time, which is never longer, and with the grant it came from.
func TestExchangedTokenDiesWithItsSubject(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Clients: resourceClients()})
	b := h.Browser(t)
	tokens := frontTokens(t, h, b, "taro")
	c.advance(9 * time.Minute)
	short := h.PostForm(t, "/token", "front", idptest.Secret, exchangeForm(tokens.Text("access_token"), healthAPI))
	if life := short.JSON["expires_in"]; life != float64(60) {
		t.Fatalf("outlives its subject token: %s", short.Raw)
	}
	if a := introspect(t, h, "health", short.Text("access_token")); a.JSON["active"] != true || a.JSON["act"] == nil {
		t.Fatalf("introspection: %d %s", a.Status, a.Raw)
	}
	onward := h.PostForm(t, "/token", "health", idptest.Secret, exchangeForm(short.Text("access_token"), taxAPI))
	if onward.Status != http.StatusOK {
		t.Fatalf("onward: %d %s", onward.Status, onward.Raw)
	}
	if a := h.PostForm(t, "/revoke", "front", idptest.Secret, url.Values{"token": {tokens.Text("refresh_token")}}); a.Status != http.StatusOK {
		t.Fatalf("revoke: %d %s", a.Status, a.Raw)
	}
	inactive(t, "exchanged token of a revoked grant", introspect(t, h, "health", short.Text("access_token")))
	inactive(t, "token exchanged twice", introspect(t, h, "tax", onward.Text("access_token")))
	if a := h.PostForm(t, "/token", "health", idptest.Secret, exchangeForm(short.Text("access_token"), taxAPI)); a.Text("error") != "invalid_request" {
		t.Errorf("exchange of a dead token: %d %s", a.Status, a.Raw)
	}
}

// TestExchangeOfABoundTokenNeedsItsKey: whoever steals a DPoP token cannot launder it, with its client's credentials either.
func TestExchangeOfABoundTokenNeedsItsKey(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Clients: resourceClients()})
	holder, thief := newProver(t, c.now), newProver(t, c.now)
	r := frontRequest()
	at := h.Issuer + "/token"
	post := func(form url.Values, proofs ...string) idptest.Answer {
		return send(t, h.FormRequest(t, "/token", "front", idptest.Secret, form), proofs...)
	}
	tokens := post(idptest.CodeForm(h.Code(t, h.Browser(t), r, "taro"), r), holder.proof(t, http.MethodPost, at, nil))
	form := exchangeForm(tokens.Text("access_token"), taxAPI)
	if a := post(form); a.Text("error") != "invalid_request" {
		t.Errorf("without proof: %d %s", a.Status, a.Raw)
	}
	if a := post(form, thief.proof(t, http.MethodPost, at, nil)); a.Text("error") != "invalid_request" {
		t.Errorf("with another key: %d %s", a.Status, a.Raw)
	}
	a := post(form, holder.proof(t, http.MethodPost, at, nil))
	if a.Status != http.StatusOK || a.Text("token_type") != "DPoP" {
		t.Fatalf("holder: %d %s", a.Status, a.Raw)
	}
	told := introspect(t, h, "tax", a.Text("access_token"))
	if cnf, _ := told.JSON["cnf"].(map[string]any); cnf["jkt"] != holder.thumbprint(t) || told.Text("token_type") != "DPoP" {
		t.Errorf("introspection: %s", told.Raw)
	}
}

// TestChainOfActorsEndsAtFour: two services that pass a token to and fro do not do so for ever.
func TestChainOfActorsEndsAtFour(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	token := frontTokens(t, h, h.Browser(t), "taro").Text("access_token")
	for i, hop := range []struct{ client, resource string }{{"front", healthAPI}, {"health", taxAPI}, {"tax", healthAPI}, {"health", taxAPI}} {
		a := h.PostForm(t, "/token", hop.client, idptest.Secret, exchangeForm(token, hop.resource))
		if a.Status != http.StatusOK {
			t.Fatalf("hop %d: %d %s", i+1, a.Status, a.Raw)
		}
		token = a.Text("access_token")
	}
	if a := h.PostForm(t, "/token", "tax", idptest.Secret, exchangeForm(token, healthAPI)); a.Text("error") != "invalid_target" {
		t.Errorf("fifth hop: %d %s", a.Status, a.Raw)
	}
}
