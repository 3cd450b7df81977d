package idp_test

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// signedClient is a client with a key of its own, which authenticates, proves and signs requests with it.
type signedClient struct {
	*prover
	id  string
	hub *idptest.Hub
}

// signedHub runs a hub with a clock and one client for each id, whose metadata is more of the id.
func signedHub(t *testing.T, more map[string]map[string]any) (*clock, map[string]*signedClient, *idptest.Hub) {
	t.Helper()
	return signedHubOn(t, idptest.Options{}, more)
}

// signedHubOn is signedHub on stores that the test chooses.
func signedHubOn(t *testing.T, o idptest.Options, more map[string]map[string]any) (*clock, map[string]*signedClient, *idptest.Hub) {
	t.Helper()
	c := newClock()
	out := map[string]*signedClient{}
	var registered []map[string]any
	for id, m := range more {
		key := newProver(t, c.now)
		jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.key.PublicKey, KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]any{
			"client_id": id, "client_name": id + "の店", "client_name#en": id, "operator": id, "redirect_uris": []string{"https://" + id + ".example/cb", "https://" + id + ".example/cb?fixed=1"},
			"grant_types": []string{"authorization_code", "refresh_token"}, "scope": "openid offline_access",
			"token_endpoint_auth_method": "private_key_jwt", "jwks": json.RawMessage(jwks),
		}
		maps.Copy(all, m)
		registered = append(registered, all)
		out[id] = &signedClient{prover: key, id: id}
	}
	o.Now, o.Clients = c.now, registered
	h := idptest.Start(t, o)
	for _, s := range out {
		s.hub = h
	}
	return c, out, h
}

// request is a good request of the client.
func (s *signedClient) request(changes ...string) idptest.Request {
	return idptest.NewRequest(append([]string{"client_id", s.id, "redirect_uri", "https://" + s.id + ".example/cb"}, changes...)...)
}

func (s *signedClient) sign(t *testing.T, typ string, claims map[string]any) string {
	t.Helper()
	options := &jose.SignerOptions{}
	if typ != "" {
		options.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: "k1"}}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// object turns a request into a signed request object; more replaces some claims, and nil leaves one out.
func (s *signedClient) object(t *testing.T, r idptest.Request, more map[string]any) string {
	t.Helper()
	claims := map[string]any{"iss": s.id, "aud": s.hub.Issuer, "nbf": s.now().Unix(), "exp": s.now().Add(5 * time.Minute).Unix(), "jti": rand.Text()}
	for name := range r.Params {
		claims[name] = r.Params.Get(name)
	}
	maps.Copy(claims, more)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return s.sign(t, "oauth-authz-req+jwt", claims)
}

// post calls an endpoint as the client.
func (s *signedClient) post(t *testing.T, path string, form url.Values, proofs ...string) idptest.Answer {
	t.Helper()
	f := maps.Clone(form)
	f.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	f.Set("client_assertion", s.sign(t, "", map[string]any{
		"iss": s.id, "sub": s.id, "aud": s.hub.Issuer, "jti": rand.Text(), "iat": s.now().Unix(), "exp": s.now().Add(time.Minute).Unix(),
	}))
	return send(t, s.hub.FormRequest(t, path, "", "", f), proofs...)
}

// visit is the front channel of a pushed request.
func (s *signedClient) visit(uri string) string {
	return "/authorize?" + url.Values{"client_id": {s.id}, "request_uri": {uri}}.Encode()
}

// idTokenClaims reads the claims of an ID token that nobody checks here.
func idTokenClaims(t *testing.T, token string) map[string]any {
	t.Helper()
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &out); err != nil {
		t.Fatal(err)
	}
	return out
}
