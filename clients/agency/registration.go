package agency

import (
	"encoding/json"
	"slices"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// Registered is what the hub has to know of an office beside what Registration fills in.
type Registered struct {
	ClientID    string
	Base        string // the origin
	Name        Text
	BodyCode    string // a municipality's six digits, or a corporate number
	JWKS        []byte
	Asks        []string // the resources of other offices that it asks
	Answers     bool     // it answers other offices at its own resource
	Development bool     // the origin may be a loopback address
}

// Ask adds a resource that the office asks, once.
func (r *Registered) Ask(resource string) {
	if !slices.Contains(r.Asks, resource) {
		r.Asks = append(r.Asks, resource)
	}
}

// Registration is the client metadata to register at the hub (RFC 7591 §2 and the hub's own names).
func Registration(r Registered) ([]byte, error) {
	grants, scope := []string{"authorization_code", "client_credentials"}, "openid service"
	m := map[string]any{
		"client_id":                             r.ClientID,
		"client_name":                           r.Name.JA,
		"client_name#en":                        r.Name.EN,
		"client_uri":                            r.Base + "/",
		"operator":                              r.Name.JA,
		"category":                              "government",
		"verified":                              true,
		"development":                           r.Development,
		"profile":                               "fapi2",
		"agency":                                map[string]string{"body_code": r.BodyCode, "name": r.Name.JA, "name#en": r.Name.EN},
		"redirect_uris":                         []string{r.Base + rp.PathCallback},
		"post_logout_redirect_uris":             []string{r.Base + rp.PathSignedOut},
		"backchannel_logout_uri":                r.Base + rp.PathBackchannel,
		"initiate_login_uri":                    r.Base + rp.PathInitiate,
		"response_types":                        []string{"code"},
		"token_endpoint_auth_method":            "private_key_jwt",
		"token_endpoint_auth_signing_alg":       "ES256",
		"jwks":                                  json.RawMessage(r.JWKS),
		"id_token_signed_response_alg":          "ES256",
		"subject_type":                          "pairwise",
		"dpop_bound_access_tokens":              true,
		"require_pushed_authorization_requests": true,
	}
	purposes := map[string]string{"openid": "あなたの申請や記録を、あなたに見せるため", "openid#en": "To show you your own applications and records"}
	if len(r.Asks) > 0 {
		grants = append(grants, "urn:ietf:params:oauth:grant-type:token-exchange")
		m["resources"] = r.Asks
		m["authorization_details_types"] = []string{rp.ExchangeDetail}
		m["description"], m["description#en"] = "児童手当などの申請を受け付ける、見本の市役所です。", "A sample municipality. It receives applications such as child allowance."
	}
	if r.Answers {
		scope += " " + scopeProvide
		m["serves"] = []string{Resource(r.Base)}
		m["description"], m["description#en"] = "年金の加入の記録を持つ、見本の年金事務所です。", "A sample pension office. It holds records of pension enrolment."
	}
	m["grant_types"], m["scope"], m["purposes"] = grants, scope, purposes
	return json.Marshal(m)
}
