package hub

import (
	"context"
	"fmt"
)

// hubctl is the command line as a client: a program on operators' computers, which gets a person's tokens by a code that she types at the hub.
// Each sign-in takes a card that is read for it.
const hubctl = `[{
	"client_id": "hubctl", "client_name": "hubctl（運用担当者の端末）", "client_name#en": "hubctl (an operator's terminal)", "operator": "Tsunagu",
	"category": "government", "first_party": true, "verified": true, "application_type": "native", "token_endpoint_auth_method": "none",
	"grant_types": ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"], "scope": "openid offline_access admin",
	"default_acr_values": ["phrh"], "always_card": true
}]`

// registerHubctl has the command line known wherever there is an administration API.
func (h *Hub) registerHubctl(ctx context.Context) error {
	if err := h.Clients.Seed(ctx, []byte(hubctl)); err != nil {
		return fmt.Errorf("register hubctl: %w", err)
	}
	return nil
}
