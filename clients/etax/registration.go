package etax

import (
	"encoding/json"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// Registration is the client metadata to register at the hub (RFC 7591 §2 and the hub's own names) for a site at the origin
// base whose public keys are jwks. With development the origin may be a loopback address.
func Registration(clientID, base string, jwks []byte, development bool) ([]byte, error) {
	return json.Marshal(map[string]any{
		"client_id":                             clientID,
		"client_name":                           "見本e-Tax",
		"client_name#en":                        "Sample e-Tax",
		"client_uri":                            base + "/",
		"operator":                              "見本税務署",
		"description":                           "所得税などの申告をする見本のサイトです。番号と暗証番号の入力は、はじめの1回だけです。",
		"description#en":                        "A sample site for filing income tax. You enter its number and password once.",
		"accepts_representatives":               true,
		"category":                              "government",
		"verified":                              true,
		"listed":                                true,
		"development":                           development,
		"profile":                               "oidc",
		"redirect_uris":                         []string{base + rp.PathCallback},
		"post_logout_redirect_uris":             []string{base + rp.PathSignedOut},
		"backchannel_logout_uri":                base + rp.PathBackchannel,
		"initiate_login_uri":                    base + rp.PathInitiate,
		"grant_types":                           []string{"authorization_code", "refresh_token", "client_credentials"},
		"response_types":                        []string{"code"},
		"scope":                                 "openid offline_access link service links.own",
		"authorization_details_types":           []string{"signature"},
		"token_endpoint_auth_method":            "private_key_jwt",
		"token_endpoint_auth_signing_alg":       "ES256",
		"jwks":                                  json.RawMessage(jwks),
		"id_token_signed_response_alg":          "ES256",
		"subject_type":                          "pairwise",
		"require_pushed_authorization_requests": true,
		"purposes": map[string]string{
			"openid":            "次からe-Taxの番号を入力せずに入るため",
			"openid#en":         "To let you in without your e-Tax number next time",
			"offline_access":    "使っているあいだ、つながりが続いているかを確かめるため",
			"offline_access#en": "To check, while you are here, that you are still connected",
			"link":              "つながっていることを、ポータルに出すため",
			"link#en":           "To show the connection in the portal",
		},
	})
}
