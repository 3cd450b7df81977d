package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestFiguresOfAService: logins, refusals by reason, what is alive and what was seen to work; and of whom it is stands nowhere.
func TestFiguresOfAService(t *testing.T) {
	v, hanako, _ := opened(t)
	v.work(t)
	v.b.Get("/authorize?" + idptest.NewRequest("client_id", "store", "redirect_uri", "https://store.example/callback", "scope", "openid phone").Params.Encode())
	v.h.PostForm(t, "/token", "store", strings.Repeat("x", 43), url.Values{"grant_type": {"client_credentials"}})
	var f adminapi.Figures
	v.h.Call(t, hanako, http.MethodGet, "/api/clients/store/figures", nil).Into(t, &f)
	if f.Logins != 12 || f.Failures["invalid_scope"] != 1 || f.Failures["secret_wrong"] != 1 || f.Sessions != 1 || f.Waiting != 0 {
		t.Errorf("%+v", f)
	}
	for _, check := range []string{"request", "login", "token", "logout"} {
		if !f.Checks[check] {
			t.Errorf("%s was not seen: %v", check, f.Checks)
		}
	}

	for range 2 { // two more people's browsers
		other := v.h.Browser(t)
		v.h.Code(t, other, idptest.NewRequest("client_id", "store", "redirect_uri", "https://store.example/callback", "scope", "openid"), "taro")
	}
	var first, rest adminapi.SessionList
	v.h.Call(t, hanako, http.MethodGet, "/api/clients/store/sessions?limit=2", nil).Into(t, &first)
	v.h.Call(t, hanako, http.MethodGet, "/api/clients/store/sessions?limit=2&after="+url.QueryEscape(first.Next), nil).Into(t, &rest)
	seen := map[string]bool{}
	for _, s := range append(first.Items, rest.Items...) {
		seen[s.ID] = true
		if s.Since.IsZero() || !s.Until.After(s.Since) {
			t.Errorf("%+v", s)
		}
	}
	if len(first.Items) != 2 || len(rest.Items) != 1 || rest.Next != "" || len(seen) != 3 {
		t.Errorf("%+v then %+v", first, rest)
	}
	var session string
	if err := v.h.DB.QueryRow(t.Context(), `SELECT session FROM session_service WHERE client = 'store' LIMIT 1`).Scan(&session); err != nil || strings.Contains(first.Next, session) || seen[session] {
		t.Errorf("the hub's own name of a session is told (%v)", err)
	}
}

// TestDeliveriesOfAService: newest first, a page at a time, without a name.
func TestDeliveriesOfAService(t *testing.T) {
	v, hanako, _ := opened(t)
	for range 2 {
		b := v.h.Browser(t)
		v.h.Code(t, b, idptest.NewRequest("client_id", "store", "redirect_uri", "https://store.example/callback", "scope", "openid"), "taro")
		b.Post("/account/sign-out-everywhere", url.Values{"confirm": {"yes"}})
	}
	var first, rest adminapi.DeliveryList
	v.h.Call(t, hanako, http.MethodGet, "/api/clients/store/deliveries?limit=1", nil).Into(t, &first)
	v.h.Call(t, hanako, http.MethodGet, "/api/clients/store/deliveries?limit=100&after="+first.Next, nil).Into(t, &rest)
	if len(first.Items) != 1 || len(rest.Items) == 0 || rest.Next != "" || first.Items[0].ID == rest.Items[0].ID || first.Items[0].Created.Before(rest.Items[0].Created) {
		t.Fatalf("%+v then %+v", first, rest)
	}
	if d := first.Items[0]; d.State != "unsupported" || d.Done.IsZero() {
		t.Errorf("%+v", d)
	}
}
