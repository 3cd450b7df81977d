package idp

import "encoding/json"

// tokenAnswer is a successful answer of the token endpoint (RFC 6749 §5.1).
type tokenAnswer struct {
	AccessToken  string          `json:"access_token"`
	IssuedType   string          `json:"issued_token_type,omitempty"` // RFC 8693 §2.2.1
	TokenType    string          `json:"token_type"`
	ExpiresIn    int64           `json:"expires_in"`
	RefreshToken string          `json:"refresh_token,omitempty"`
	IDToken      string          `json:"id_token,omitempty"`
	Scope        string          `json:"scope"`
	Exchange     string          `json:"exchange_id,omitempty"`           // of an exchange between offices
	Details      json.RawMessage `json:"authorization_details,omitempty"` // RFC 9396 §7

	g *grant // what it is of
}

// answerFor hands out an access token of a grant.
func answerFor(g *grant, token string, rec accessRecord) tokenAnswer {
	return tokenAnswer{
		g: g, AccessToken: token, TokenType: rec.typeName(), ExpiresIn: rec.Exp - rec.At, Scope: scopeText(g.scopesOf(&rec)), Details: g.detailsOf(&rec),
	}
}

// typeName is token_type (RFC 9449 §5). A token bound to a certificate is sent as any bearer token is (RFC 8705 §3).
func (a *accessRecord) typeName() string {
	if a.JKT != "" {
		return "DPoP"
	}
	return "Bearer"
}
