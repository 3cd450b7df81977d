package idp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// granted signs the citizen in at front with resources, and redeems the code for the ones asked.
func granted(t *testing.T, h *idptest.Hub, b *idptest.Browser, resources []string, asked ...string) idptest.Answer {
	t.Helper()
	r := frontRequest()
	r.Params["resource"] = resources
	form := idptest.CodeForm(h.Code(t, b, r, "taro"), r)
	if len(asked) > 0 {
		form["resource"] = asked
	}
	return h.PostForm(t, "/token", "front", idptest.Secret, form)
}

// TestTokenRequestNarrowsResources: RFC 8707 §2.2: some of what was granted, at redemption and at refresh, and never more; the refresh
// token keeps everything; each token is new.
func TestTokenRequestNarrowsResources(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Clients: resourceClients()})
	b := h.Browser(t)
	tokens := granted(t, h, b, []string{taxAPI, healthAPI}, taxAPI)
	if tokens.Status != http.StatusOK {
		t.Fatalf("%d %s", tokens.Status, tokens.Raw)
	}
	first := toldTo(t, h, "tax", tokens.Text("access_token"))
	if !slices.Equal(list(first["aud"]), []string{taxAPI}) || first["scope"] != "openid offline_access link" || first["acr"] != "phrh" {
		t.Errorf("%v", first)
	}
	refresh := func(changes ...string) idptest.Answer {
		form := idptest.RefreshForm(tokens.Text("refresh_token"))
		for i := 0; i+1 < len(changes); i += 2 {
			form.Add(changes[i], changes[i+1])
		}
		a := h.PostForm(t, "/token", "front", idptest.Secret, form)
		if a.Status == http.StatusOK {
			tokens = a
		}
		return a
	}
	tokenError(t, "not granted", refresh("resource", openAPI), "invalid_target")
	tokenError(t, "granted and not granted", refresh("resource", taxAPI, "resource", openAPI), "invalid_target")
	tokenError(t, "two names for one citizen", refresh("resource", taxAPI, "resource", healthAPI), "invalid_target")
	tokenError(t, "all that was granted", refresh(), "invalid_target")
	tokenError(t, "the hub, which was not granted", refresh("resource", h.Issuer), "invalid_target")
	c.advance(time.Minute)
	next := refresh("resource", healthAPI, "scope", "link")
	second := toldTo(t, h, "health", next.Text("access_token"))
	if !slices.Equal(list(second["aud"]), []string{healthAPI}) || second["scope"] != "link" || next.Text("scope") != "link" || second["iat"] != float64(c.now().Unix()) || second["jti"] == first["jti"] {
		t.Errorf("%v", second)
	}
	third := toldTo(t, h, "tax", refresh("resource", taxAPI).Text("access_token"))
	if third["sub"] != first["sub"] || third["sub"] == second["sub"] || third["scope"] != "openid offline_access link" || third["auth_time"] != first["auth_time"] {
		t.Errorf("%v", third)
	}
	r := frontRequest()
	form := idptest.CodeForm(h.Code(t, b, r, "taro"), r)
	form.Set("resource", taxAPI)
	tokenError(t, "nothing was granted", h.PostForm(t, "/token", "front", idptest.Secret, form), "invalid_target")
	form.Del("resource")
	if a := h.PostForm(t, "/token", "front", idptest.Secret, form); a.Status != http.StatusOK {
		t.Errorf("a refusal cost the code: %d %s", a.Status, a.Raw)
	}
}

// TestTokensForTwoResourcesCannotBeMatched: two servers that compare the tokens of one citizen find no identifier that both have seen
// (RFC 9068 §6): neither the name nor, in the jti, a trace of the grant.
func TestTokensForTwoResourcesCannotBeMatched(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	first := granted(t, h, h.Browser(t), []string{taxAPI, healthAPI}, taxAPI)
	form := idptest.RefreshForm(first.Text("refresh_token"))
	form.Set("resource", healthAPI)
	second := h.PostForm(t, "/token", "front", idptest.Secret, form)
	atTax, atHealth := toldTo(t, h, "tax", first.Text("access_token")), toldTo(t, h, "health", second.Text("access_token"))
	if atTax["sub"] == atHealth["sub"] {
		t.Errorf("sub %v at both", atTax["sub"])
	}
	for what, pair := range map[string][2]string{
		"jti":   {atTax["jti"].(string), atHealth["jti"].(string)},
		"token": {first.Text("access_token")[len("tsf_"):], second.Text("access_token")},
	} {
		seen, other := pair[0], pair[1]
		for i := 0; i+8 <= len(seen); i++ {
			if strings.Contains(other, seen[i:i+8]) {
				t.Fatalf("%s %s and %s have %s in common", what, seen, other, seen[i:i+8])
			}
		}
	}
	for server, token := range map[string]string{"tax": first.Text("access_token"), "health": second.Text("access_token")} {
		if a := introspect(t, h, server, token); a.JSON["active"] != true {
			t.Errorf("%s: %s", server, a.Raw)
		}
	}
}

// TestResourceTakenAwayIsNotRefreshed: what the operator takes from a client's registration ends for the authorizations it has, too. What
// is left is not the hub's own token instead.
func TestResourceTakenAwayIsNotRefreshed(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	b := h.Browser(t)
	two := granted(t, h, b, []string{taxAPI, healthAPI}, taxAPI)
	one := granted(t, h, b, []string{taxAPI})
	fewer := resourceClients()[:1]
	fewer[0]["resources"] = []string{healthAPI}
	reseed(t, h, fewer)
	refresh := func(token, resource string) idptest.Answer {
		form := idptest.RefreshForm(token)
		form.Set("resource", resource)
		return h.PostForm(t, "/token", "front", idptest.Secret, form)
	}
	tokenError(t, "asked for", refresh(two.Text("refresh_token"), taxAPI), "invalid_target")
	tokenError(t, "the only one", refresh(one.Text("refresh_token"), ""), "invalid_target")
	left := refresh(two.Text("refresh_token"), "")
	if left.Status != http.StatusOK {
		t.Fatalf("%d %s", left.Status, left.Raw)
	}
	if claims := toldTo(t, h, "health", left.Text("access_token")); !slices.Equal(list(claims["aud"]), []string{healthAPI}) {
		t.Errorf("aud %v", claims["aud"])
	}
}

// toldTo returns what a resource server learns of a token that it was shown. The token itself, which the client can read, says nothing.
func toldTo(t *testing.T, h *idptest.Hub, server, token string) map[string]any {
	t.Helper()
	if !strings.HasPrefix(token, "tsf_") {
		t.Errorf("the client can read %q", token)
	}
	a := introspect(t, h, server, token)
	if a.JSON["active"] != true {
		t.Fatalf("%s: %s", server, a.Raw)
	}
	return a.JSON
}

// TestClientNeverLearnsWhatAServerCallsTheCitizen: the client cannot read its token for another's resource, and asking about it is answered
// with the name it has itself.
func TestClientNeverLearnsWhatAServerCallsTheCitizen(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	b := h.Browser(t)
	plain := frontTokens(t, h, b, "taro").Text("access_token")
	own := h.Bearer(t, http.MethodGet, "/userinfo", plain).Text("sub")
	exchanged := h.PostForm(t, "/token", "front", idptest.Secret, exchangeForm(plain, taxAPI)).Text("access_token")
	for how, token := range map[string]string{"asked for": granted(t, h, b, []string{taxAPI}).Text("access_token"), "exchanged": exchanged} {
		theirs := toldTo(t, h, "tax", token)["sub"]
		if a := introspect(t, h, "front", token); a.JSON["active"] != true || a.Text("sub") != own || theirs == own {
			t.Errorf("%s: front is told %s; it calls the citizen %s, tax calls her %v", how, a.Raw, own, theirs)
		}
		if a := h.Bearer(t, http.MethodGet, "/userinfo", token); a.Status != http.StatusUnauthorized {
			t.Errorf("%s: good for the hub too: %d", how, a.Status)
		}
	}
}

// reseed registers the clients again as given.
func reseed(t *testing.T, h *idptest.Hub, list []map[string]any) {
	t.Helper()
	file, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Clients.Seed(t.Context(), file); err != nil {
		t.Fatal(err)
	}
}

// TestResourceLearnsItsOwnName: what a server is told is what no other service is told; a resource of nobody, and the hub, learn the
// client's own name for the citizen; a server that is suspended learns nothing.
func TestResourceLearnsItsOwnName(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	b := h.Browser(t)
	own := h.Bearer(t, http.MethodGet, "/userinfo", frontTokens(t, h, b, "taro").Text("access_token")).Text("sub")
	names := map[string]any{}
	for _, resource := range []string{openAPI, h.Issuer} {
		_, claims := readJWT(t, h, granted(t, h, b, []string{resource}).Text("access_token"))
		names[resource] = claims["sub"]
	}
	for resource, server := range map[string]string{taxAPI: "tax", healthAPI: "health"} {
		names[resource] = toldTo(t, h, server, granted(t, h, b, []string{resource}).Text("access_token"))["sub"]
	}
	if names[openAPI] != own || names[h.Issuer] != own || names[taxAPI] == own || names[healthAPI] == own || names[taxAPI] == names[healthAPI] {
		t.Errorf("own name %v, others %v", own, names)
	}
	both := granted(t, h, b, []string{openAPI, h.Issuer})
	_, claims := readJWT(t, h, both.Text("access_token"))
	if claims["sub"] != own || len(list(claims["aud"])) != 2 {
		t.Errorf("resources that share a name: %v", claims)
	}
	if a := h.Bearer(t, http.MethodGet, "/userinfo", both.Text("access_token")); a.Status != http.StatusOK || a.Text("sub") != own {
		t.Errorf("JWT at userinfo: %d %s", a.Status, a.Raw)
	}
	if a := h.Bearer(t, http.MethodGet, "/userinfo", granted(t, h, b, []string{taxAPI}).Text("access_token")); a.Status != http.StatusUnauthorized {
		t.Errorf("token for tax at userinfo: %d %s", a.Status, a.Raw)
	}
	if err := h.Clients.Suspend(t.Context(), "tax", idptest.Because); err != nil {
		t.Fatal(err)
	}
	tokenError(t, "a suspended server's resource", granted(t, h, b, []string{taxAPI}), "invalid_target")
}

// TestTokenTooLongToBeReadAgainIsNotMade: a JWT that the hub itself would not read could be neither asked about nor taken back. Fewer details
// fit, and the refusal does not cost the code.
func TestTokenTooLongToBeReadAgainIsNotMade(t *testing.T) {
	clients := resourceClients()
	clients[0]["authorization_details_types"] = []string{"exchange"}
	h := idptest.Start(t, idptest.Options{Clients: clients})
	one := func(i int) string { // what JSON writes in six bytes makes it longer than it came
		var codes []string
		for j := range 13 {
			codes = append(codes, fmt.Sprintf(`"%064d"`, 100*i+j))
		}
		return `{"type":"exchange","datatypes":[` + strings.Join(codes, ",") + `],"purpose":"` + strings.Repeat("<", 100) + `"}`
	}
	var all []string
	for i := range 8 {
		all = append(all, one(i))
	}
	r := frontRequest("authorization_details", "["+strings.Join(all, ",")+"]", "resource", openAPI)
	form := idptest.CodeForm(h.Code(t, h.Browser(t), r, "taro"), r)
	tokenError(t, "all", h.PostForm(t, "/token", "front", idptest.Secret, form), "invalid_authorization_details")
	form.Set("authorization_details", "["+all[0]+"]")
	a := h.PostForm(t, "/token", "front", idptest.Secret, form)
	if told := introspect(t, h, "front", a.Text("access_token")); a.Status != http.StatusOK || told.JSON["active"] != true {
		t.Errorf("one: %d %s %s", a.Status, a.Raw, told.Raw)
	}
}

// TestTokensCarryTheGrantedDetails: RFC 9396 §7 and §9: in the answer, the JWT and introspection; narrowed on request; what is meant for
// another place stays with the client.
func TestTokensCarryTheGrantedDetails(t *testing.T) {
	clients := resourceClients()
	clients[0]["authorization_details_types"] = []string{"application"}
	h := idptest.Start(t, idptest.Options{Clients: clients})
	const forTax = `{"type":"application","actions":["submit"],"identifier":"T-1","locations":["` + taxAPI + `"]}`
	const anywhere = `{"type":"application","actions":["read"],"identifier":"T-2"}`
	const forHealth = `{"type":"application","actions":["read"],"identifier":"H-1","locations":["` + healthAPI + `"]}`
	r := frontRequest("authorization_details", "["+forTax+","+anywhere+","+forHealth+"]")
	r.Params["resource"] = []string{taxAPI}
	form := idptest.CodeForm(h.Code(t, h.Browser(t), r, "taro"), r)
	more := url.Values{"authorization_details": {`[{"type":"application","actions":["read"],"identifier":"T-3"}]`}}
	for k, v := range form {
		more[k] = v
	}
	tokenError(t, "more than was granted", h.PostForm(t, "/token", "front", idptest.Secret, more), "invalid_authorization_details")
	tokens := h.PostForm(t, "/token", "front", idptest.Secret, form)
	identifiers := func(v any) []string {
		var out []string
		many, _ := v.([]any)
		for _, one := range many {
			m, _ := one.(map[string]any)
			s, _ := m["identifier"].(string)
			out = append(out, s)
		}
		return out
	}
	if got := identifiers(tokens.JSON["authorization_details"]); !slices.Equal(got, []string{"T-1", "T-2", "H-1"}) {
		t.Fatalf("answer: %d %s", tokens.Status, tokens.Raw)
	}
	if got := identifiers(introspect(t, h, "tax", tokens.Text("access_token")).JSON["authorization_details"]); !slices.Equal(got, []string{"T-1", "T-2"}) {
		t.Errorf("introspection: %v", got)
	}
	narrow := idptest.RefreshForm(tokens.Text("refresh_token"))
	narrow.Set("authorization_details", "["+anywhere+"]")
	a := h.PostForm(t, "/token", "front", idptest.Secret, narrow)
	claims := toldTo(t, h, "tax", a.Text("access_token"))
	if got := identifiers(a.JSON["authorization_details"]); !slices.Equal(got, []string{"T-2"}) || !slices.Equal(identifiers(claims["authorization_details"]), []string{"T-2"}) {
		t.Errorf("narrowed: %d %s", a.Status, a.Raw)
	}
	whole := h.PostForm(t, "/token", "front", idptest.Secret, idptest.RefreshForm(a.Text("refresh_token")))
	if got := identifiers(whole.JSON["authorization_details"]); len(got) != 3 {
		t.Errorf("the refresh token lost some: %s", whole.Raw)
	}
	batch := h.PostForm(t, "/token", "front", idptest.Secret, exchangeForm(whole.Text("access_token"), healthAPI))
	if claims = toldTo(t, h, "health", batch.Text("access_token")); claims["authorization_details"] != nil {
		t.Errorf("details were exchanged: %v", claims)
	}
}
