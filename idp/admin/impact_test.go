package admin_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/admin/admintest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// visited is a service that does a day's work, and says how much of it the hub refused.
type visited struct {
	h       *admintest.Hub
	b       *idptest.Browser
	refresh string
}

func store(changes map[string]any) map[string]any {
	m := map[string]any{
		"client_id": "store", "client_name": "試験の店", "client_name#en": "Store", "operator": "店の運営者",
		"redirect_uris": []string{"https://store.example/callback", "https://store.example/app"}, "post_logout_redirect_uris": []string{"https://store.example/out"},
		"grant_types": []string{"authorization_code", "refresh_token", "client_credentials"}, "scope": "openid email offline_access service",
		"resources": []string{"https://api.store.example"}, "token_endpoint_auth_method": "client_secret_basic", "require_pkce": false, "id_token_signed_response_alg": "ES256",
	}
	for name, value := range changes {
		if m[name] = value; value == nil {
			delete(m, name)
		}
	}
	return m
}

// work is what the service does in a day: fifteen requests.
func (v *visited) work(t *testing.T) (refused int) {
	t.Helper()
	request := func(changes ...string) idptest.Request {
		return idptest.NewRequest(append([]string{"client_id", "store", "redirect_uri", "https://store.example/callback", "scope", "openid offline_access"}, changes...)...)
	}
	count := func(what string, ok bool) {
		if !ok {
			t.Log("refused:", what)
			refused++
		}
	}
	asked := func(r idptest.Request) bool {
		to := v.b.Get("/authorize?" + r.Params.Encode())
		return to.Status == http.StatusOK && to.Error() == "" || !strings.Contains(to.URL.RawQuery, "error=") && strings.HasPrefix(to.URL.String(), "https://store.example/")
	}
	for range 5 {
		count("plain", asked(request()))
	}
	for range 3 {
		count("email", asked(request("scope", "openid email")))
	}
	count("app", asked(request("redirect_uri", "https://store.example/app")))
	count("no pkce", asked(request("code_challenge", "", "code_challenge_method", "")))
	count("resource", asked(request("resource", "https://api.store.example")))
	count("pushed", v.h.PostForm(t, "/par", "store", idptest.Secret, request("prompt", "login").Params).Status == http.StatusCreated)
	own := v.h.PostForm(t, "/token", "store", idptest.Secret, url.Values{"grant_type": {"client_credentials"}})
	count("own token", own.Status == http.StatusOK)
	again := v.h.PostForm(t, "/token", "store", idptest.Secret, idptest.RefreshForm(v.refresh))
	count("refresh", again.Status == http.StatusOK)
	if next := again.Text("refresh_token"); next != "" {
		v.refresh = next
	}
	out := v.b.Get("/end-session?" + url.Values{"client_id": {"store"}, "post_logout_redirect_uri": {"https://store.example/out"}}.Encode())
	count("sign-out", out.Error() == "")
	return refused
}

// opened is a hub at which the store is live, somebody agreed to all it asks for, and the store has a refresh token.
func opened(t *testing.T) (v *visited, hanako, taro string) {
	t.Helper()
	digest := sha256.Sum256([]byte(idptest.Secret))
	client := store(map[string]any{"client_secret_sha256": hex.EncodeToString(digest[:])})
	h := admintest.Start(t, idptest.Options{Clients: []map[string]any{client}})
	hanako, _ = h.Operator(t, "hanako", "", adminapi.Roles()...)
	taro, _ = h.Operator(t, "taro", "", adminapi.Roles()...)
	v = &visited{h: h, b: h.Browser(t)}
	r := idptest.NewRequest("client_id", "store", "redirect_uri", "https://store.example/callback", "scope", "openid email offline_access")
	a := h.PostForm(t, "/token", "store", idptest.Secret, idptest.CodeForm(h.Code(t, v.b, r, "taro"), r))
	if v.refresh = a.Text("refresh_token"); v.refresh == "" {
		t.Fatalf("%s", a.Raw)
	}
	return v, hanako, taro
}

// draftOf writes a draft of the store and asks for approval.
func (v *visited) draftOf(t *testing.T, token string, changes map[string]any) int64 {
	t.Helper()
	b, err := json.Marshal(store(changes))
	if err != nil {
		t.Fatal(err)
	}
	var applied adminapi.Applied
	v.h.Call(t, token, http.MethodPut, "/api/clients/store", adminapi.Apply{Metadata: b, Request: true}).Into(t, &applied)
	if applied.Client.Draft == nil {
		t.Fatalf("%+v", applied)
	}
	return applied.Client.Draft.Revision
}

// TestImpactIsWhatHappens: what a draft is said to do to the requests of the last day is what the hub does with the same requests once the draft is
// live: the very number, and the member of the metadata that it comes of.
func TestImpactIsWhatHappens(t *testing.T) {
	v, hanako, taro := opened(t)
	for _, tt := range []struct {
		name    string
		changes map[string]any
		word    string
		member  string
	}{
		{"new name", map[string]any{"client_name": "新しい店"}, "", ""},
		{"redirect address", map[string]any{"redirect_uris": []string{"https://store.example/callback"}}, "redirect_uri_mismatch", "redirect_uris"},
		{"pkce", map[string]any{"require_pkce": true}, "invalid_request", "require_pkce"},
		{"resource", map[string]any{"resources": nil}, "invalid_target", "resources"},
		{"sign-out address", map[string]any{"post_logout_redirect_uris": nil}, "logout_invalid", "post_logout_redirect_uris"},
		{"own tokens", map[string]any{"grant_types": []string{"authorization_code", "refresh_token"}, "scope": "openid email offline_access"}, "unauthorized_client", "grant_types"},
		{"pushed only", map[string]any{"require_pushed_authorization_requests": true}, "invalid_request", "require_pushed_authorization_requests"},
		{"method", map[string]any{"token_endpoint_auth_method": "client_secret_post"}, "method_mismatch", "token_endpoint_auth_method"},
		{"key of tokens", map[string]any{"dpop_bound_access_tokens": true}, "invalid_dpop_proof", "dpop_bound_access_tokens"},
		{"scope", map[string]any{"scope": "openid offline_access service"}, "invalid_scope", "scope"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := v.h.Shapes.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := v.h.DB.Exec(t.Context(), `DELETE FROM request_shape`); err != nil {
				t.Fatal(err)
			}
			if n := v.work(t); n != 0 {
				t.Fatalf("%d refused before anything changed", n)
			}
			revision := v.draftOf(t, hanako, tt.changes)
			var impact adminapi.Impact
			v.h.Call(t, taro, http.MethodGet, fmt.Sprintf("/api/clients/store/impact?revision=%d", revision), nil).Into(t, &impact)
			if tt.word == "" {
				if impact.Requests != 15 || impact.Refused != 0 || len(impact.Reasons) != 0 {
					t.Errorf("%+v", impact)
				}
				return
			}
			if impact.Requests != 15 || impact.Refused == 0 || len(impact.Reasons) == 0 {
				t.Fatalf("%+v", impact)
			}
			for _, r := range impact.Reasons {
				if r.Word != tt.word || r.Member != tt.member {
					t.Errorf("%+v", r)
				}
			}
			if e := string(impact.Reasons[0].Example); !strings.HasPrefix(e, `{"kind":`) {
				t.Errorf("example %s", e)
			}
			approve := "/api/clients/store/approve"
			if p := v.h.Call(t, taro, http.MethodPost, approve, adminapi.Approve{Revision: revision}).Problem(t); p.Reason != adminapi.NotReady || !strings.Contains(p.Detail, fmt.Sprintf("refused %d of", impact.Refused)) {
				t.Fatalf("%+v", p)
			}
			var d adminapi.ClientDetail
			v.h.Call(t, taro, http.MethodPost, approve, adminapi.Approve{Revision: revision, Exception: "the old addresses are gone"}).Into(t, &d)
			if n := int64(v.work(t)); n != impact.Refused {
				t.Errorf("%d were said to be refused, %d are", impact.Refused, n)
			}
			v.h.Call(t, taro, http.MethodPost, "/api/clients/store/go-back", adminapi.GoBack{Version: d.Previous, Reason: "as it was"}).Into(t, &d)
		})
	}
}

// TestImpactKeepsOthersOut: there is an answer about the very draft that was looked at, or none.
func TestImpactKeepsOthersOut(t *testing.T) {
	v, hanako, _ := opened(t)
	if p := v.h.Call(t, hanako, http.MethodGet, "/api/clients/store/impact", nil).Problem(t); p.Reason != adminapi.WrongState {
		t.Errorf("without a draft: %+v", p)
	}
	revision := v.draftOf(t, hanako, map[string]any{"client_name": "新しい店"})
	if p := v.h.Call(t, hanako, http.MethodGet, fmt.Sprintf("/api/clients/store/impact?revision=%d", revision+1), nil).Problem(t); p.Reason != adminapi.Conflict {
		t.Errorf("of another revision: %+v", p)
	}
	if p := v.h.Call(t, hanako, http.MethodGet, "/api/clients/nobody/impact", nil).Problem(t); p.Reason != adminapi.NotFound {
		t.Errorf("of nobody: %+v", p)
	}
}
