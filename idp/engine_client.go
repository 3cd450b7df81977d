package idp

import (
	"github.com/ory/fosite"

	"github.com/tsunagu-id/tsunagu/clients"
)

// engineClient is a client as the engine sees it. It is deliberately not a fosite.OpenIDConnectClient: the engine then refuses
// request objects, which it would not verify.
type engineClient struct{ c *clients.Client }

var _ fosite.ResponseModeClient = engineClient{}

// rotates says whether a refresh token is replaced at every use. FAPI 2.0 Security Profile §5.3.2.1 forbids it: a lost answer would
// lock the client out, and its tokens are bound to a key already.
func (e engineClient) rotates() bool { return e.c.Profile() != clients.FAPI2 }

// GetID returns the client id.
func (e engineClient) GetID() string {
	if e.c == nil {
		return ""
	}
	return string(e.c.ID())
}

// GetHashedSecret returns nothing: the engine authenticates nobody.
func (engineClient) GetHashedSecret() []byte { return nil }

// GetRedirectURIs returns the registered addresses.
func (e engineClient) GetRedirectURIs() []string {
	var out []string
	for _, u := range e.c.RedirectURIs() {
		out = append(out, u.String())
	}
	return out
}

// GetGrantTypes returns the registered grant types.
func (e engineClient) GetGrantTypes() fosite.Arguments { return e.c.GrantTypes() }

// GetResponseTypes returns code, the only one there is.
func (engineClient) GetResponseTypes() fosite.Arguments { return fosite.Arguments{"code"} }

// GetResponseModes returns query: how the answer travels is not the engine's business.
func (engineClient) GetResponseModes() []fosite.ResponseModeType {
	return []fosite.ResponseModeType{fosite.ResponseModeQuery, fosite.ResponseModeDefault}
}

// GetScopes returns the registered scopes.
func (e engineClient) GetScopes() fosite.Arguments { return e.c.Scopes() }

// IsPublic says whether the client has no credentials.
func (e engineClient) IsPublic() bool { return e.c.Public() }

// GetAudience returns nothing: resources (RFC 8707) are judged by narrowing, and the engine is not told of them.
func (engineClient) GetAudience() fosite.Arguments { return nil }
