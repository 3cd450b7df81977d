package portal

import (
	"encoding/json"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// Registration is the client metadata to register at the hub (RFC 7591 §2 and the hub's own names) for a portal at the origin
// base whose public keys are jwks. With development the origin may be a loopback address.
func Registration(clientID, base string, jwks []byte, development bool) ([]byte, error) {
	return json.Marshal(map[string]any{
		"client_id":                             clientID,
		"client_name":                           "つなぐポータル",
		"client_name#en":                        "Tsunagu Portal",
		"client_uri":                            base + "/",
		"operator":                              "つなぐ運営",
		"description":                           "役所のサービスへの入口です。一度のログインで、つないだサイトに入れます。",
		"description#en":                        "The way in to public services. Sign in once and enter every site you connected.",
		"category":                              "government",
		"verified":                              true,
		"first_party":                           true,
		"development":                           development,
		"profile":                               "fapi2",
		"redirect_uris":                         []string{base + rp.PathCallback},
		"post_logout_redirect_uris":             []string{base + rp.PathSignedOut},
		"backchannel_logout_uri":                base + rp.PathBackchannel,
		"initiate_login_uri":                    base + rp.PathInitiate,
		"grant_types":                           []string{"authorization_code", "refresh_token", "client_credentials"},
		"response_types":                        []string{"code"},
		"scope":                                 "openid offline_access links exchanges ssf.manage",
		"token_endpoint_auth_method":            "private_key_jwt",
		"token_endpoint_auth_signing_alg":       "ES256",
		"jwks":                                  json.RawMessage(jwks),
		"id_token_signed_response_alg":          "ES256",
		"subject_type":                          "pairwise",
		"require_pushed_authorization_requests": true,
		"purposes": map[string]string{
			"openid":            "あなたのホームを出すため",
			"openid#en":         "To show your own home page",
			"offline_access":    "ログインしているあいだ、一覧を新しくしておくため",
			"offline_access#en": "To keep your list up to date while you are signed in",
			"links":             "つながっているサービスを見せ、つないだり切ったりするため",
			"links#en":          "To show your connected services, connect and disconnect",
			"exchanges":         "役所どうしのやりとりの記録を見せるため",
			"exchanges#en":      "To show which offices asked about you",
		},
	})
}
