package idp

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
)

// resourceMetadataPath is where a client learns what the hub's own API asks of it (RFC 9728 §3).
const resourceMetadataPath = "/.well-known/oauth-protected-resource"

// resourceMetadata describes the hub's own endpoints as a protected resource (RFC 9728 §2).
type resourceMetadata struct {
	Resource         string   `json:"resource"`
	Servers          []string `json:"authorization_servers"`
	Scopes           []string `json:"scopes_supported"`
	Methods          []string `json:"bearer_methods_supported"`
	DPoPAlgs         []string `json:"dpop_signing_alg_values_supported"`
	CertificateBound bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	Name             string   `json:"resource_name"`
	NameJA           string   `json:"resource_name#ja"`
	Documentation    string   `json:"resource_documentation"`
	Policy           string   `json:"resource_policy_uri"`
	Terms            string   `json:"resource_tos_uri"`
}

func newResourceMetadata(issuer string, mutual bool) (document, error) {
	b, err := json.Marshal(resourceMetadata{
		Resource: issuer, Servers: []string{issuer}, Scopes: append(slices.DeleteFunc(slices.Clone(knownScopes), func(s string) bool { return s == "offline_access" }), clients.OwnScopes()...),
		CertificateBound: mutual,
		Methods:          []string{"header", "body"}, DPoPAlgs: []string{"ES256", "PS256", "EdDSA"},
		Name: "Tsunagu", NameJA: "つなぐ", Documentation: issuer + "/developers", Policy: issuer + "/privacy", Terms: issuer + "/terms",
	})
	return newDocument(b), err
}

func newDocument(b []byte) document {
	d := sha256.Sum256(b)
	return document{b, `"` + base64.RawURLEncoding.EncodeToString(d[:12]) + `"`}
}

func (p *Provider) getResourceMetadata(c echo.Context) error {
	return p.writeDocument(c, p.resource)
}
