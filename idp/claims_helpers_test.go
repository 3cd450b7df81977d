package idp_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// part decodes one part of a compact token without believing it.
func part(t *testing.T, token string, i int) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if i >= len(parts) {
		t.Fatalf("%d parts", len(parts))
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[i])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func idClaims(t *testing.T, token string) map[string]any { t.Helper(); return part(t, token, 1) }

// reregister changes a client's registration.
func reregister(t *testing.T, h *idptest.Hub, client map[string]any) {
	t.Helper()
	b, err := json.Marshal(client)
	if err != nil {
		t.Fatal(err)
	}
	m, err := clients.ParseMetadata(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Clients.Put(t.Context(), m, nil, clients.Origin{By: "test"}); err != nil {
		t.Fatal(err)
	}
}

// jsonOf is a value as JSON, to compare.
func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// discovered is a list of the discovery document.
func discovered(t *testing.T, h *idptest.Hub, member string) []string {
	t.Helper()
	list, _ := h.Bearer(t, http.MethodGet, "/.well-known/openid-configuration", "").JSON[member].([]any)
	var out []string
	for _, v := range list {
		s, _ := v.(string)
		out = append(out, s)
	}
	if len(out) == 0 {
		t.Fatalf("%s is not a list", member)
	}
	return out
}

func base64URL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
