package idp

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
)

// metadata is the discovery document (OIDC Discovery §3, RFC 8414 §2, RFC 9126 §5, RFC 8628 §4, RFC 9207 §3).
type metadata struct {
	claimsMetadata
	Issuer               string   `json:"issuer"`
	Authorization        string   `json:"authorization_endpoint"`
	Token                string   `json:"token_endpoint"`
	Userinfo             string   `json:"userinfo_endpoint"`
	JWKS                 string   `json:"jwks_uri"`
	PAR                  string   `json:"pushed_authorization_request_endpoint"`
	DeviceAuthorization  string   `json:"device_authorization_endpoint"`
	Revocation           string   `json:"revocation_endpoint"`
	Introspection        string   `json:"introspection_endpoint"`
	EndSession           string   `json:"end_session_endpoint"`
	Registration         string   `json:"registration_endpoint,omitempty"` // if anybody may register
	Scopes               []string `json:"scopes_supported"`
	ResponseTypes        []string `json:"response_types_supported"`
	ResponseModes        []string `json:"response_modes_supported"`
	GrantTypes           []string `json:"grant_types_supported"`
	SubjectTypes         []string `json:"subject_types_supported"`
	IDTokenAlgs          []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods          []string `json:"token_endpoint_auth_methods_supported"`
	AuthAlgs             []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationMethods    []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAlgs       []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	IntrospectionMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAuth    []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAlgs    []string `json:"introspection_signing_alg_values_supported"` // RFC 9701 §7
	ProtectedResources   []string `json:"protected_resources"`                        // RFC 9728 §4
	Challenges           []string `json:"code_challenge_methods_supported"`
	DPoPAlgs             []string `json:"dpop_signing_alg_values_supported"`
	ACR                  []string `json:"acr_values_supported"`
	Prompts              []string `json:"prompt_values_supported"`
	ClaimsParameter      bool     `json:"claims_parameter_supported"`
	DetailTypes          []string `json:"authorization_details_types_supported"` // RFC 9396 §10
	RequestParameter     bool     `json:"request_parameter_supported"`
	RequestAlgs          []string `json:"request_object_signing_alg_values_supported"`
	ResponseAlgs         []string `json:"authorization_signing_alg_values_supported"` // JARM §4
	RequestURIParameter  bool     `json:"request_uri_parameter_supported"`
	IssInResponse        bool     `json:"authorization_response_iss_parameter_supported"`
	FrontchannelLogout   bool     `json:"frontchannel_logout_supported"`         // Front-Channel Logout §3
	FrontchannelSession  bool     `json:"frontchannel_logout_session_supported"` // iss and sid are in the address
	CheckSession         string   `json:"check_session_iframe,omitempty"`        // Session Management §3.3
	BackchannelLogout    bool     `json:"backchannel_logout_supported"`          // Back-Channel Logout §2.1
	BackchannelSession   bool     `json:"backchannel_logout_session_supported"`  // logout tokens carry sid
	Locales              []string `json:"ui_locales_supported"`
	ServiceDocumentation string   `json:"service_documentation"`
	OPPolicy             string   `json:"op_policy_uri"`
	OPTermsOfService     string   `json:"op_tos_uri"`

	CertificateBound bool              `json:"tls_client_certificate_bound_access_tokens,omitempty"` // RFC 8705 §3.3
	MutualAliases    map[string]string `json:"mtls_endpoint_aliases,omitempty"`                      // RFC 8705 §5
}

// document is an answer prepared once.
type document struct {
	body []byte
	etag string
}

func (p *Provider) newDiscovery(registers bool) (document, error) {
	issuer, grantTypes := p.issuer, slices.Sorted(maps.Keys(p.tokenGrants()))
	methods := []string{"private_key_jwt", "client_secret_basic", "client_secret_post", "none"}
	aliases := p.mutualAliases()
	if aliases != nil {
		for _, m := range p.clients.TLSMethods() {
			methods = append(methods, string(m))
		}
	}
	algs := []string{"ES256", "PS256", "EdDSA", "RS256"}
	checkSession := ""
	if strings.HasPrefix(issuer, "https://") { // see managesSessions
		checkSession = issuer + "/check-session"
	}
	registration := ""
	if registers {
		registration = issuer + "/register"
	}
	b, err := json.Marshal(metadata{
		Issuer: issuer, Authorization: issuer + "/authorize", Token: issuer + "/token", Userinfo: issuer + "/userinfo",
		JWKS: issuer + "/jwks", PAR: issuer + "/par", DeviceAuthorization: issuer + "/device_authorization", Revocation: issuer + "/revoke",
		Introspection: issuer + "/introspect", EndSession: issuer + "/end-session", Registration: registration, CheckSession: checkSession,
		Scopes: append(slices.Clone(knownScopes), clients.OwnScopes()...), ResponseTypes: []string{"code"}, ResponseModes: responseModes, ResponseAlgs: algs, RequestAlgs: algs,
		ClaimsParameter: true, RequestParameter: true, DetailTypes: p.detailTypeNames(),
		GrantTypes: grantTypes, SubjectTypes: []string{"pairwise"}, IDTokenAlgs: algs,
		AuthMethods: methods, AuthAlgs: algs, RevocationMethods: methods, RevocationAlgs: algs,
		IntrospectionMethods: slices.DeleteFunc(slices.Clone(methods), func(m string) bool { return m == "none" }), IntrospectionAuth: algs,
		IntrospectionAlgs: algs, ProtectedResources: []string{issuer},
		Challenges: []string{"S256"}, DPoPAlgs: []string{"ES256", "PS256", "EdDSA"}, ACR: p.levels(), Prompts: []string{"none", "login", "consent", "select_account"},
		claimsMetadata: newClaimsMetadata(algs, p.signing != nil),
		IssInResponse:  true, FrontchannelLogout: true, FrontchannelSession: true, BackchannelLogout: true, BackchannelSession: true, Locales: []string{"ja", "en"},
		CertificateBound: aliases != nil, MutualAliases: aliases,
		ServiceDocumentation: issuer + "/developers", OPPolicy: issuer + "/privacy", OPTermsOfService: issuer + "/terms",
	})
	return newDocument(b), err
}

// levels are those that a sign-in here can have, the highest first.
func (p *Provider) levels() []string {
	if p.party == nil {
		return []string{ACRCard, ACRRemote}
	}
	return []string{ACRCard, ACRPasskey, ACRRemote}
}

func (p *Provider) getDiscovery(c echo.Context) error {
	return p.writeDocument(c, p.discovery)
}

func (p *Provider) getJWKS(c echo.Context) error {
	body, etag := p.keys.JWKS()
	return p.writeDocument(c, document{body, etag})
}

func (p *Provider) writeDocument(c echo.Context, d document) error {
	h := c.Response().Header()
	allowAnyOrigin(h)
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("ETag", d.etag)
	if c.Request().Header.Get("If-None-Match") == d.etag {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, "application/json", d.body)
}
