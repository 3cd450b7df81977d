package admintest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/admin"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// The clients that come to the API; Secret of idptest is that of both.
const (
	ConsoleID   = "test-console"
	consoleURI  = "https://console.example/callback"
	ProgramID   = "test-program"
	adminScopes = "openid offline_access admin"
)

// Registrations are those of ConsoleID and ProgramID, for a hub that a test starts itself.
func Registrations() []map[string]any {
	digest := sha256.Sum256([]byte(idptest.Secret))
	return []map[string]any{
		{
			"client_id": ConsoleID, "client_name": "試験の管理画面", "operator": "つなぐ運営", "first_party": true, "redirect_uris": []string{consoleURI},
			"grant_types": []string{"authorization_code", "refresh_token"}, "scope": adminScopes, "token_endpoint_auth_method": "client_secret_basic",
			"client_secret_sha256": hex.EncodeToString(digest[:]), "id_token_signed_response_alg": "ES256",
		},
		{
			"client_id": ProgramID, "client_name": "試験のプログラム", "operator": "つなぐ運営", "grant_types": []string{"client_credentials"}, "scope": "admin",
			"token_endpoint_auth_method": "client_secret_basic", "client_secret_sha256": hex.EncodeToString(digest[:]),
		},
	}
}

// Token signs the person of a card in and returns an access token with scope admin; whether she is an operator is another matter.
func (h *Hub) Token(t testing.TB, card string) string {
	t.Helper()
	r := Request()
	return h.Tokens(t, h.Code(t, h.Browser(t), r, card), r).Text("access_token")
}

// Request is an authorization request of ConsoleID.
func Request() idptest.Request {
	return idptest.NewRequest("client_id", ConsoleID, "redirect_uri", consoleURI, "scope", adminScopes)
}

// Tokens exchanges a code that such a request came to for tokens.
func (h *Hub) Tokens(t testing.TB, code string, r idptest.Request) idptest.Answer {
	t.Helper()
	a := h.PostForm(t, "/token", ConsoleID, idptest.Secret, idptest.CodeForm(code, r))
	if a.Status != http.StatusOK {
		t.Fatalf("token: %d %s", a.Status, a.Raw)
	}
	return a
}

// ProgramToken returns a token that ProgramID got on its own behalf.
func (h *Hub) ProgramToken(t testing.TB) string {
	t.Helper()
	a := h.PostForm(t, "/token", ProgramID, idptest.Secret, url.Values{"grant_type": {"client_credentials"}, "scope": {"admin"}})
	if a.Status != http.StatusOK {
		t.Fatalf("token: %d %s", a.Status, a.Raw)
	}
	return a.Text("access_token")
}

// Program makes ProgramID an operator and returns its token.
func (h *Hub) Program(t testing.TB, roles ...adminapi.Role) string {
	t.Helper()
	if _, err := admin.Invite(t.Context(), h.DB, h.Now, adminapi.NewOperator{Name: "a program", Roles: roles, Client: ProgramID}); err != nil {
		t.Fatal(err)
	}
	return h.ProgramToken(t)
}
