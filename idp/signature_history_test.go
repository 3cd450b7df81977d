package idp_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/ades"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// signedDocument signs a document for the notary, and returns the signature's identifier.
func signedDocument(t *testing.T, h *idptest.Hub, b *idptest.Browser, card string, d ades.Document) string {
	t.Helper()
	r := signatureRequest(t, d)
	back := b.Get(b.CardSign(b.SignatureRequest(toSign(t, b, r, card)), card))
	a, id := signatureFor(t, h, r, back.URL.Query().Get("code"))
	if a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	return id
}

func TestCitizenSeesWhatSheSigned(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		o := notaryOptions()
		o.Now, o.DB = c.now, db
		h := idptest.Start(t, o)
		b := h.Browser(t)
		documents := 0
		sign := func() {
			documents++
			name := fmt.Sprintf("契約書その%02d", documents)
			signedDocument(t, h, b, "taro", ades.NewDocument(name, sha256.Sum256([]byte(name))))
		}
		sign()
		if p := b.Get("/account/signatures"); p.Status != http.StatusOK || !strings.Contains(p.Body, "契約書その01") ||
			!strings.Contains(p.Body, "電子契約サービス") || strings.Contains(p.Body, "signatures-older") {
			t.Fatalf("%d %s", p.Status, p.Body)
		}
		for range 20 { // many in one second, and one too many for a page
			sign()
		}
		first := b.Get("/account/signatures")
		if n := strings.Count(first.Body, "data-signed>"); n != 20 {
			t.Fatalf("%d on the first page", n)
		}
		_, older, _ := strings.Cut(first.Body, `href="/account/signatures?after=`)
		older, _, _ = strings.Cut(older, `"`)
		second := b.Get("/account/signatures?after=" + older)
		if n := strings.Count(second.Body, "data-signed>"); n != 1 || !strings.Contains(second.Body, "signatures-newest") {
			t.Errorf("%d on the second page", n)
		}
		for i := range documents {
			name := fmt.Sprintf("契約書その%02d", i+1)
			if n := strings.Count(first.Body+second.Body, name); n != 1 {
				t.Errorf("%s stands there %d times", name, n)
			}
		}
		for _, odd := range []string{"x", "1.x", "-1." + strings.Repeat("a", 22), "9999999999999999999." + strings.Repeat("a", 22), "."} {
			if p := b.Get("/account/signatures?after=" + url.QueryEscape(odd)); p.Status != http.StatusOK || strings.Count(p.Body, "data-signed>") != 20 {
				t.Errorf("after=%s: %d", odd, p.Status)
			}
		}
		other := h.Browser(t)
		other.SignIn(other.Get("/account/signatures"), "hanako")
		if p := other.Get("/account/signatures?after=" + older); p.Status != http.StatusOK || strings.Contains(p.Body, "契約書") {
			t.Errorf("another person sees it: %d", p.Status)
		}
	})
}

// After a week the hub has no signature any more, and after six years it does not say that there was one.
func TestSignatureIsForgottenInTwoSteps(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		o := notaryOptions()
		o.Now, o.DB = c.now, db
		h := idptest.Start(t, o)
		b := h.Browser(t)
		signedDocument(t, h, b, "taro", contract)
		rows := func(table string) (n int) {
			if err := h.DB.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		c.advance(8 * 24 * time.Hour)
		signedDocument(t, h, b, "taro", contract)
		if s, l := rows("signature"), rows("signature_history"); s != 1 || l != 2 {
			t.Errorf("%d signatures and %d lines after a week, want 1 and 2", s, l)
		}
		if p := b.Get("/account/signatures"); strings.Count(p.Body, contract.Name) != 2 {
			t.Errorf("%d %s", p.Status, p.Body)
		}
		old := c.now().Add(-6 * 366 * 24 * time.Hour).Unix() // no card lasts long enough to wait for it
		if _, err := h.DB.Exec(t.Context(), "UPDATE signature_history SET made_at = $1", old); err != nil {
			t.Fatal(err)
		}
		if p := b.Get("/account/signatures"); p.Status != http.StatusOK || strings.Contains(p.Body, contract.Name) {
			t.Errorf("still shown: %d", p.Status)
		}
		signedDocument(t, h, b, "taro", contract)
		if l := rows("signature_history"); l != 1 {
			t.Errorf("%d lines after six years, want the new one", l)
		}
	})
}

// A service that lost the citizen's token fetches what it asked for, and nothing else, with a token of its own.
func TestServiceFetchesItsSignatureWithItsOwnToken(t *testing.T) {
	c := newClock()
	o := notaryOptions()
	o.Now = c.now
	o.Clients[0]["grant_types"] = []string{"authorization_code", "refresh_token", "client_credentials"}
	o.Clients[0]["scope"] = "openid offline_access service"
	o.Clients = append(o.Clients, map[string]any{
		"client_id": "bystander", "client_name": "別のサービス", "operator": "別の運営者", "grant_types": []string{"client_credentials"}, "scope": "service",
		"token_endpoint_auth_method": "client_secret_basic", "client_secret_sha256": o.Clients[0]["client_secret_sha256"],
	})
	h := idptest.Start(t, o)
	id := signedDocument(t, h, h.Browser(t), "taro", contract)
	fetch := func(client, id string) idptest.Answer {
		token := h.PostForm(t, "/token", client, idptest.Secret, url.Values{"grant_type": {"client_credentials"}, "scope": {"service"}})
		return h.Bearer(t, http.MethodGet, "/api/signatures/"+id, token.Text("access_token"))
	}
	if a := fetch(notaryID, id); a.Status != http.StatusOK || a.Text("id") != id {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	if a := fetch("bystander", id); a.Status != http.StatusNotFound {
		t.Errorf("another service: %d %s", a.Status, a.Raw)
	}
	if a := fetch(notaryID, strings.Repeat("a", 22)); a.Status != http.StatusNotFound {
		t.Errorf("another identifier: %d", a.Status)
	}
	c.advance(7*24*time.Hour + time.Second)
	if a := fetch(notaryID, id); a.Status != http.StatusNotFound {
		t.Errorf("after a week: %d %s", a.Status, a.Raw)
	}
}

// A service's own token rests on no consent. What the citizen signed for a service, and with it her name and address, goes with the tie.
func TestSignatureGoesWithTheConsent(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := notaryOptions()
		o.DB = db
		o.Clients[0]["grant_types"] = []string{"authorization_code", "refresh_token", "client_credentials"}
		o.Clients[0]["scope"] = "openid offline_access link service"
		h := idptest.Start(t, o)
		taro := h.Browser(t)
		ended, others := signedDocument(t, h, taro, "taro", contract), signedDocument(t, h, h.Browser(t), "hanako", contract)
		r := idptest.NewRequest("client_id", notaryID, "redirect_uri", notaryURI, "scope", "openid link")
		code := taro.Finish(taro.Get(r.Path())).URL.Query().Get("code")
		tokens := h.PostForm(t, "/token", notaryID, idptest.Secret, idptest.CodeForm(code, r))
		if a := h.Bearer(t, http.MethodDelete, "/api/link", tokens.Text("access_token")); a.Status != http.StatusNoContent {
			t.Fatalf("end: %d %s", a.Status, a.Raw)
		}
		own := h.PostForm(t, "/token", notaryID, idptest.Secret, url.Values{"grant_type": {"client_credentials"}, "scope": {"service"}})
		for id, want := range map[string]int{ended: http.StatusNotFound, others: http.StatusOK} {
			if a := h.Bearer(t, http.MethodGet, "/api/signatures/"+id, own.Text("access_token")); a.Status != want {
				t.Errorf("%d, want %d: %s", a.Status, want, a.Raw)
			}
		}
		if p := taro.Get("/account/signatures"); strings.Count(p.Body, contract.Name) != 1 {
			t.Errorf("not in her own list: %d", p.Status)
		}
	})
}
