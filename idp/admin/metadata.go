package admin

import (
	"encoding/json"
	"net/http"

	"github.com/tsunagu-id/tsunagu/clients"
)

// MetadataPath is where a program learns whose tokens the API takes (RFC 9728 §3.1).
const MetadataPath = "/.well-known/oauth-protected-resource"

// Metadata serves the description of the API as a protected resource (RFC 9728 §2).
func (a *API) Metadata() http.Handler {
	document, err := json.Marshal(map[string]any{
		"resource": a.d.BaseURL, "authorization_servers": []string{a.d.Issuer}, "scopes_supported": []string{clients.ScopeAdmin},
		"bearer_methods_supported": []string{"header"}, "resource_name": "Tsunagu administration API",
	})
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err != nil { // not reached: strings only
			http.Error(w, "not available", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document) // the caller hung up: nobody is left to tell
	})
}
