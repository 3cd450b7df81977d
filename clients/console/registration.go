package console

import (
	"encoding/json"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// Registration is the client metadata to register at the hub for a console at the origin base whose public keys are jwks. Every sign-in takes a
// card on the operator's own device. With development the origin may be a loopback address.
func Registration(clientID, base string, jwks []byte, development bool) ([]byte, error) {
	return json.Marshal(map[string]any{
		"client_id":                             clientID,
		"client_name":                           "つなぐ 管理画面",
		"client_name#en":                        "Tsunagu Console",
		"client_uri":                            base + "/",
		"operator":                              "つなぐ運営",
		"description":                           "サービスの登録と運用をする人の画面です。",
		"description#en":                        "Where people who register and run services work.",
		"category":                              "government",
		"verified":                              true,
		"first_party":                           true,
		"development":                           development,
		"profile":                               "fapi2",
		"always_card":                           true,
		"redirect_uris":                         []string{base + rp.PathCallback},
		"post_logout_redirect_uris":             []string{base + rp.PathSignedOut},
		"backchannel_logout_uri":                base + rp.PathBackchannel,
		"grant_types":                           []string{"authorization_code", "refresh_token"},
		"response_types":                        []string{"code"},
		"scope":                                 "openid offline_access admin",
		"token_endpoint_auth_method":            "private_key_jwt",
		"token_endpoint_auth_signing_alg":       "ES256",
		"jwks":                                  json.RawMessage(jwks),
		"id_token_signed_response_alg":          "ES256",
		"subject_type":                          "pairwise",
		"require_pushed_authorization_requests": true,
		"purposes": map[string]string{
			"openid":            "あなたが管理者かどうかを確かめるため",
			"openid#en":         "To see whether you are an operator",
			"offline_access":    "作業のあいだ、ログインを続けるため",
			"offline_access#en": "To keep you signed in while you work",
			"admin":             "あなたの代わりに、管理の操作をするため",
			"admin#en":          "To do what you ask for in the administration",
		},
	})
}
