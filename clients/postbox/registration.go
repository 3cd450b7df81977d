package postbox

import (
	"encoding/json"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// Registration is the client metadata to register at the hub (RFC 7591 §2 and the hub's own names) for a site at the origin
// base whose public keys are jwks. With development the origin may be a loopback address.
func Registration(clientID, base string, jwks []byte, development bool) ([]byte, error) {
	return json.Marshal(map[string]any{
		"client_id":                       clientID,
		"client_name":                     "見本ポスト便",
		"client_name#en":                  "Sample Postbox",
		"client_uri":                      base + "/",
		"operator":                        "見本ポスト便株式会社",
		"description":                     "会社や役所からの郵便を、紙のかわりに受け取る見本のサイトです。",
		"description#en":                  "A sample site where letters from companies and offices reach you without paper.",
		"category":                        "private",
		"verified":                        true,
		"listed":                          true,
		"development":                     development,
		"profile":                         "oidc",
		"redirect_uris":                   []string{base + rp.PathCallback},
		"post_logout_redirect_uris":       []string{base + rp.PathSignedOut},
		"backchannel_logout_uri":          base + rp.PathBackchannel,
		"initiate_login_uri":              base + rp.PathInitiate,
		"grant_types":                     []string{"authorization_code", "refresh_token", "client_credentials"},
		"response_types":                  []string{"code"},
		"scope":                           "openid offline_access link links.own",
		"token_endpoint_auth_method":      "private_key_jwt",
		"token_endpoint_auth_signing_alg": "ES256",
		"jwks":                            json.RawMessage(jwks),
		"id_token_signed_response_alg":    "ES256",
		"subject_type":                    "pairwise",
		"purposes": map[string]string{
			"openid":            "あなたの郵便受けを開くため",
			"openid#en":         "To open your own box",
			"offline_access":    "郵便受けを閉じたことを、あとからでも伝えるため",
			"offline_access#en": "To report that you closed your box, even later",
			"link":              "つながっていることを、ポータルに出すため",
			"link#en":           "To show the connection in the portal",
		},
	})
}
