package idp

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
)

// FuzzVerifiedClaims: whatever is asked, the request is bounded, means the same after it was kept, and the answer has no claim and no member
// that was not asked for, and never a serial number.
func FuzzVerifiedClaims(f *testing.F) {
	const plain = `{"userinfo":{"verified_claims":{"verification":{"trust_framework":null},"claims":{"name":null}}}}`
	for _, s := range []string{
		plain, `{"id_token":{"verified_claims":[{"verification":{"trust_framework":{"values":["a"]},"time":{"max_age":3}},"claims":{"gender":{"essential":true}}}]}}`,
		`{"userinfo":{"verified_claims":{"verification":{"trust_framework":null,"evidence":[{"type":{"value":"electronic_signature"},"serial_number":null,"created_at":null,"issuer":null}]},"claims":{"address":null}}}}`,
		`{"userinfo":{"verified_claims":null}}`, `{"userinfo":{"verified_claims":{"verification":{"trust_framework":null,"x":[[[[[[[[[[]]]]]]]]]]},"claims":{"a":null}}}}`,
	} {
		f.Add(s)
	}
	v := verification{
		attestation: &attestation{Holder: cardauth.Attributes{Name: "見本　太郎", Address: "見本町", Sex: cardauth.Male, Birthdate: cardauth.Birthdate{Year: 1980}}, Confirmed: 1000, Signed: 1000},
		issuer:      "CN=test", now: time.Unix(2000, 0),
	}
	f.Fuzz(func(t *testing.T, text string) {
		asked, err := parseClaims(text)
		if err != nil {
			return
		}
		if asked.VerifiedUserinfo.count()+asked.VerifiedIDToken.count() > maxClaims {
			t.Errorf("%d claims", asked.VerifiedUserinfo.count())
		}
		b, err := asked.encoded()
		if err != nil {
			t.Fatal(err)
		}
		again := new(claimsRequest)
		if err := json.Unmarshal(b, again); err != nil {
			t.Fatal(err)
		}
		for i, place := range []*verifiedAsks{asked.VerifiedUserinfo, asked.VerifiedIDToken} {
			if place == nil {
				continue
			}
			kept := []*verifiedAsks{again.VerifiedUserinfo, again.VerifiedIDToken}[i]
			for j, ask := range place.Asks {
				checkAnswer(t, ask, v.answer(ask))
				one, err := json.Marshal(v.answer(ask))
				two, err2 := json.Marshal(v.answer(kept.Asks[j]))
				if err != nil || err2 != nil || string(one) != string(two) {
					t.Errorf("%s became %s when it was kept", one, two)
				}
			}
		}
	})
}

func checkAnswer(t *testing.T, ask verifiedAsk, answer any) {
	t.Helper()
	if answer == nil {
		return
	}
	element, _ := answer.(map[string]any)
	claims, _ := element["claims"].(map[string]any)
	how, _ := element["verification"].(map[string]any)
	if len(element) != 2 || len(claims) == 0 || how["trust_framework"] != trustFramework || ask.Impossible {
		t.Errorf("answer %v", answer)
	}
	for claim := range claims {
		if _, there := ask.Claims[claim]; !there {
			t.Errorf("%s was not asked for", claim)
		}
	}
	if (how["time"] != nil) != (ask.Time != nil) || (how["evidence"] != nil) != (len(ask.Evidence) > 0) {
		t.Errorf("verification %v", how)
	}
	list, _ := how["evidence"].([]any)
	for _, e := range list {
		if one, _ := e.(map[string]any); one["serial_number"] != nil || one["type"] != evidenceOfSignature {
			t.Errorf("evidence %v", one)
		}
	}
}
