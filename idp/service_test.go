package idp_test

import (
	"net/http"
	"testing"
)

// standingOf calls GET /api/service at the second address.
func (b *bank) standingOf(by *http.Client, scheme, token string, proofs ...string) int {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.h.MutualURL+"/api/service", http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", scheme+" "+token)
	return sendBy(b.t, by, req, proofs...).Status
}

// TestFAPI2ServiceTokenIsBound: client credentials of profile fapi2, bound to a DPoP key or to the certificate, at the endpoint and at the
// resource [fapi2-security-profile-final with the client credentials grant].
func TestFAPI2ServiceTokenIsBound(t *testing.T) {
	service := map[string]any{"grant_types": []string{"client_credentials"}, "scope": "service", "redirect_uris": []string{}}
	t.Run("DPoP", func(t *testing.T) {
		b := newBank(t, "private_key_jwt", service)
		if a := b.post(b.client, "/token", serviceForm()); a.Text("error") != "invalid_dpop_proof" {
			t.Errorf("without a proof: %d %s", a.Status, a.Raw)
		}
		a := b.redeem(serviceForm(), true)
		token := a.Text("access_token")
		if a.Status != http.StatusOK || a.Text("token_type") != "DPoP" || a.JSON["refresh_token"] != nil {
			t.Fatalf("%d %s", a.Status, a.Raw)
		}
		thief := newProver(t, b.c.now).proof(t, http.MethodGet, b.h.MutualURL+"/api/service", map[string]any{"ath": tokenHashOf(token)})
		for name, status := range map[string]int{
			"as bearer": b.standingOf(b.client, "Bearer", token), "without a proof": b.standingOf(b.client, "DPoP", token), "by a thief": b.standingOf(b.client, "DPoP", token, thief),
		} {
			if status != http.StatusUnauthorized {
				t.Errorf("%s: %d", name, status)
			}
		}
		if status := b.standingOf(b.client, "dpop", token, b.proof(http.MethodGet, "/api/service", token)); status != http.StatusOK {
			t.Errorf("with its key: %d", status)
		}
	})
	t.Run("certificate", func(t *testing.T) {
		bound := map[string]any{"tls_client_certificate_bound_access_tokens": true}
		for k, v := range service {
			bound[k] = v
		}
		b := newBank(t, "tls_client_auth", bound)
		a := b.redeem(serviceForm(), false)
		token := a.Text("access_token")
		if a.Status != http.StatusOK || a.Text("token_type") != "Bearer" {
			t.Fatalf("%d %s", a.Status, a.Raw)
		}
		if status := b.standingOf(b.h.Show(t), "Bearer", token); status != http.StatusUnauthorized {
			t.Errorf("without the certificate: %d", status)
		}
		if status := b.standingOf(b.client, "Bearer", token); status != http.StatusOK {
			t.Errorf("with it: %d", status)
		}
	})
}
