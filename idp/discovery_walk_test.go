package idp_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
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

// walker is a service that uses whatever the discovery document offers, one thing after the other.
type walker struct {
	signedInAt
	keys   map[string]any // private, by algorithm
	reader *recipient
	set    json.RawMessage
}

const (
	walkerID   = detailsID
	asserterID = "asserter"
	robotID    = "robot"
)

func newWalker(t *testing.T) *walker {
	t.Helper()
	w := &walker{reader: newRecipient(t), keys: map[string]any{}}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w.keys = map[string]any{"ES256": ec, "EdDSA": ed, "PS256": r, "RS256": r}
	w.set, err = json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: ec.Public(), KeyID: "1", Use: "sig"}, {Key: ed.Public(), KeyID: "2", Use: "sig"}, {Key: r.Public(), KeyID: "3", Use: "sig"},
		{Key: w.reader.ec.Public(), KeyID: "e", Use: "enc"}, {Key: w.reader.rsa.Public(), KeyID: "r", Use: "enc"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	h := idptest.Start(t, idptest.Options{Domain: true, Clients: []map[string]any{
		detailsClient(nil),
		{
			"client_id": asserterID, "client_name": "署名するサービス", "operator": "運営者", "redirect_uris": []string{"https://asserter.example/callback"},
			"scope": "openid", "token_endpoint_auth_method": "private_key_jwt", "jwks": w.set,
		},
		{
			"client_id": robotID, "client_name": "機械", "operator": "運営者", "grant_types": []string{"client_credentials"}, "response_types": []string{},
			"scope": strings.Join(clients.OwnScopes(), " "), "token_endpoint_auth_method": "private_key_jwt", "jwks": w.set,
		},
	}})
	w.signedInAt = signedInAt{t, h, atHome(t, h, "taro")}
	w.b.Post("/account/details", detailsForm())
	w.tokens(detailsRequest(everyScope)) // agrees to everything
	return w
}

const everyScope = "openid profile email address phone offline_access"

// as registers the walker anew.
func (w *walker) as(more map[string]any) {
	w.t.Helper()
	all := map[string]any{"jwks": w.set}
	maps.Copy(all, more)
	reregister(w.t, w.h, detailsClient(all))
}

// sign makes a JWT with one of the walker's keys.
func (w *walker) sign(alg, typ string, claims map[string]any) string {
	w.t.Helper()
	return signedProof(w.t, jose.SignatureAlgorithm(alg), w.keys[alg], map[jose.HeaderKey]any{"typ": typ}, claims)
}

// asserted is a form with a client assertion.
func (w *walker) asserted(client, alg string, form url.Values) url.Values {
	now := time.Now().Unix()
	out := url.Values{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion": {w.sign(alg, "JWT", map[string]any{
			"iss": client, "sub": client, "aud": w.h.Issuer, "jti": rand.Text(), "iat": now, "exp": now + 60,
		})},
	}
	maps.Copy(out, form)
	return out
}

// known says whether an endpoint knows the client that used the method: it judges what is asked, and not who asks.
func (w *walker) known(path, method string, form url.Values) bool {
	var a idptest.Answer
	switch method {
	case "client_secret_basic":
		a = w.h.PostForm(w.t, path, idptest.ClientID, idptest.Secret, form)
	case "client_secret_post":
		form.Set("client_secret", idptest.Secret)
		a = w.h.PostForm(w.t, path, idptest.OtherID, "", form)
	case "none":
		a = w.h.PostForm(w.t, path, idptest.PublicID, "", form)
	case "private_key_jwt":
		a = w.h.PostForm(w.t, path, "", "", w.asserted(asserterID, "ES256", form))
	default:
		return false
	}
	return a.Text("error") == "" && a.Status == http.StatusOK || a.Text("error") == "invalid_grant"
}

// forms that each endpoint answers without error, or with invalid_grant, once it knows the client.
func endpointForm(path string) url.Values {
	if path == "/token" {
		return url.Values{"grant_type": {"authorization_code"}, "code": {"tsc_none"}, "redirect_uri": {idptest.RedirectURI}, "code_verifier": {strings.Repeat("v", 43)}}
	}
	return url.Values{"token": {"none"}}
}

// visit goes through an authorization request to its end, and returns the parameters of the answer, in whatever mode it came.
func (w *walker) visit(r idptest.Request) (url.Values, idptest.Page) {
	w.t.Helper()
	p := w.b.Finish(w.b.Get(r.Path()))
	out := p.URL.Query()
	for _, name := range []string{"code", "error", "iss", "response"} {
		if _, rest, ok := strings.Cut(p.Body, `name="`+name+`" value="`); ok && p.Body != "" {
			value, _, _ := strings.Cut(rest, `"`)
			out.Set(name, value)
		}
	}
	return out, p
}

// proof shows that what a member of the discovery document says is so.
type proof func(w *walker, t *testing.T, value any)

// each proves every element of a list.
func each(one func(w *walker, t *testing.T, word string)) proof {
	return func(w *walker, t *testing.T, value any) {
		list, _ := value.([]any)
		if len(list) == 0 {
			t.Errorf("%v is not a list with something in it", value)
		}
		for _, v := range list {
			word, _ := v.(string)
			one(w, t, word)
		}
	}
}

// answers: the address is the hub's, and something is there.
func answers(w *walker, t *testing.T, value any) {
	address, _ := value.(string)
	path, ok := strings.CutPrefix(address, w.h.Issuer)
	if !ok {
		t.Fatalf("%q is not of the hub", address)
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if a := w.h.Bearer(t, method, path, ""); a.Status != http.StatusNotFound && a.Status != http.StatusMethodNotAllowed {
			return
		}
	}
	t.Errorf("nobody answers at %s", path)
}

func is(want any) proof {
	return func(_ *walker, t *testing.T, value any) {
		if value != want {
			t.Errorf("%v, want %v", value, want)
		}
	}
}

// registers: the hub takes the member in a registration, and the rest of it is another test's.
func registers(more map[string]any) proof {
	return func(w *walker, t *testing.T, value any) {
		if value != true {
			t.Errorf("%v", value)
		}
		w.as(more)
	}
}

// TestDiscoveryMatchesReality walks the whole document: each endpoint answers, and each algorithm, method, mode, grant, scope and claim it
// advertises works. A member without a proof fails, so that nothing is advertised that nobody tried.
func TestDiscoveryMatchesReality(t *testing.T) {
	w := newWalker(t)
	doc := w.h.Bearer(t, http.MethodGet, "/.well-known/openid-configuration", "")
	if other := w.h.Bearer(t, http.MethodGet, "/.well-known/oauth-authorization-server", ""); other.Raw != doc.Raw {
		t.Error("RFC 8414 and OpenID Connect Discovery disagree")
	}
	proofs := discoveryProofs()
	for _, member := range slices.Sorted(maps.Keys(doc.JSON)) {
		prove, there := proofs[member]
		if !there {
			t.Errorf("%s is advertised and proven by nothing: add a proof", member)
			continue
		}
		t.Run(member, func(t *testing.T) {
			w.t = t
			w.as(nil)
			prove(w, t, doc.JSON[member])
		})
	}
}
