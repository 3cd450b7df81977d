package cardauth

import (
	"crypto/sha256"
	"encoding/base64"
	"testing"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// The cards of the drawer, spoken to in command bytes, judged as a citizen's.
func TestDrawerCardsAtLogin(t *testing.T) {
	w := newWorld(t, nil)
	w.deps.PhonePolicy = cardtest.PolicyPhone
	bindings := map[Binding]string{}
	for name, want := range map[string]Reason{
		"taro": 0, "hanako": 0, "taro-renewed": 0, "phone": 0, "revoked": CertificateRevoked, "expired": CertificateExpired,
	} {
		t.Run(name, func(t *testing.T) {
			id := w.challenge(t)
			i, err := w.submit(t.Context(), id, w.byCard(t, id, name))
			if want != 0 {
				wantReason(t, err, want)
				return
			}
			wantAccepted(t, i, err, "ocsp")
			if isPhone := i.Kind() == Phone; isPhone != (name == "phone") {
				t.Errorf("kind %v", i.Kind())
			}
			if other, there := bindings[i.Binding()]; there {
				t.Errorf("same binding as %s", other)
			}
			bindings[i.Binding()] = name
		})
	}
}

// byCard has a virtual card sign the response, as the card app does.
func (w *world) byCard(t *testing.T, id, name string) []byte {
	t.Helper()
	virtual, err := testPKI(t).Drawer().Card(name)
	if err != nil {
		t.Fatal(err)
	}
	card, err := jpki.Open(t.Context(), virtual)
	if err != nil {
		t.Fatal(err)
	}
	pin, err := jpki.ParsePIN(cardtest.DemoPIN)
	if err != nil {
		t.Fatal(err)
	}
	if err = card.Unlock(t.Context(), pin); err != nil {
		t.Fatal(err)
	}
	der, err := card.AuthCertificate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := w.honest(t, id, issue(t, nil))
	a.header["x5c"] = []string{base64.StdEncoding.EncodeToString(der)}
	input := a.input(t)
	signature, err := card.SignAuth(t.Context(), sha256.Sum256([]byte(input)))
	if err != nil {
		t.Fatal(err)
	}
	if err = card.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return []byte(input + "." + b64(signature))
}

func TestPhonePolicyIsItsOwn(t *testing.T) {
	for policy, good := range map[string]bool{
		"": true, cardtest.PolicyPhone: true, policyAuth: false, signPolicies[0]: false, signPolicies[2]: false,
		"phone": false, "1.2.392.": false, "01.2.392": false, "1": false,
	} {
		if err := CheckPhonePolicy(policy); (err == nil) != good {
			t.Errorf("%q: %v", policy, err)
		}
	}
}

// The level is what the card signed, not what somebody says afterwards.
func TestIdentityCarriesTheSignedLevel(t *testing.T) {
	w := newWorld(t, nil)
	for _, acr := range []string{"phrh", "urn:tsunagu:acr:card-remote"} {
		id, err := w.challenges.Issue(t.Context(), Request{ClientName: "Tsunagu", RedirectHost: "hub.example", ACR: acr, Bound: bound})
		if err != nil {
			t.Fatal(err)
		}
		i, err := w.submit(t.Context(), id, w.honest(t, id, issue(t, nil)).compact(t))
		wantAccepted(t, i, err, "ocsp")
		if i.ACR() != acr {
			t.Errorf("%s: identity has %s", acr, i.ACR())
		}
	}
}
