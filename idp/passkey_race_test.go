package idp_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
)

var passkeyMark = regexp.MustCompile(`data-passkey="([^"]+)"`)

// passkeyID is the first passkey of a list.
func passkeyID(t *testing.T, p idptest.Page) string {
	t.Helper()
	m := passkeyMark.FindStringSubmatch(p.Body)
	if m == nil {
		t.Fatalf("no passkey at %d %s", p.Status, p.URL)
	}
	return m[1]
}

func credentialID(t *testing.T, answer []byte) []byte {
	t.Helper()
	var a struct{ ID string }
	must(t, json.Unmarshal(answer, &a))
	id, err := base64.RawURLEncoding.DecodeString(a.ID)
	must(t, err)
	return id
}

// auditKinds counts the audit log's events.
func auditKinds(t *testing.T, h *idptest.Hub) map[string]int {
	t.Helper()
	rows, err := h.DB.Query(t.Context(), `SELECT kind, COUNT(*) FROM audit_event GROUP BY kind`)
	must(t, err)
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var kind string
		var n int
		must(t, rows.Scan(&kind, &n))
		out[kind] = n
	}
	must(t, rows.Err())
	return out
}

// TestPasskeyAnswerCountsOnceUnderContention: a hundred replays of one login, and of one registration, at once on every store: exactly
// one wins.
func TestPasskeyAnswerCountsOnceUnderContention(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		h := idptest.Start(t, idptest.Options{Transient: store, Domain: true})
		b, d := h.WithPasskey(t, "taro")
		count := func(t *testing.T, path string, form url.Values, by *idptest.Browser) {
			t.Helper()
			won := 0
			locations := volleyTo(t, func(int) *http.Request { return by.Request(http.MethodPost, h.Issuer+path, form) })
			for at, n := range locations {
				if !strings.Contains(at, "refused") {
					won += n
				}
			}
			if won != 1 || locations[""] != 0 {
				t.Errorf("%d won: %v", won, locations)
			}
		}
		t.Run("login", func(t *testing.T) {
			other := h.Browser(t)
			count(t, "/login/passkey", other.PasskeyForm(other.Get("/account"), d), other)
		})
		t.Run("registration", func(t *testing.T) {
			count(t, "/account/passkeys/new", b.NewPasskey(h.Authenticator(), "x"), b)
			if n := strings.Count(b.Get("/account/passkeys").Body, "data-passkey="); n != 2 {
				t.Errorf("%d passkeys", n)
			}
		})
	})
}

// TestPasskeyCounterOnlyGoesUp: logins with one authenticator that arrive in any order; the highest count stays, and nobody is suspected.
func TestPasskeyCounterOnlyGoesUp(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Domain: true})
	b, d := h.WithPasskey(t, "taro")
	const logins = 30
	browsers, forms := make([]*idptest.Browser, logins), make([]url.Values, logins)
	for i := range logins {
		browsers[i] = h.Browser(t)
		forms[i] = browsers[i].PasskeyForm(browsers[i].Get("/account"), d)
	}
	locations := volleyTo(t, func(i int) *http.Request {
		i %= logins
		return browsers[i].Request(http.MethodPost, h.Issuer+"/login/passkey", forms[i])
	})
	won := 0
	for at, n := range locations {
		if !strings.Contains(at, "refused") {
			won += n
		}
		if strings.Contains(at, "passkey_cloned") {
			t.Errorf("%d suspected", n)
		}
	}
	var counter int64
	must(t, h.DB.QueryRow(t.Context(), `SELECT counter FROM passkey`).Scan(&counter))
	if won < 1 || won > logins || counter != int64(d.Counter) {
		t.Errorf("%d won, counter %d of %d: %v", won, counter, d.Counter, locations)
	}
	if p := b.Get("/account/passkeys"); strings.Contains(p.Body, "停止中") {
		t.Error("the passkey was stopped")
	}
}

// TestPasskeysAreBounded: ten of them, whoever adds at the same time.
func TestPasskeysAreBounded(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Domain: true})
	b, _ := h.WithPasskey(t, "taro")
	for range 8 {
		if p := b.AddPasskey(h.Authenticator(), "x"); p.Error() != "" {
			t.Fatalf("%d %s %s", p.Status, p.URL, p.Error())
		}
	}
	forms := make([]url.Values, 20)
	for i := range forms {
		forms[i] = b.NewPasskey(h.Authenticator(), "x")
	}
	locations := volleyTo(t, func(i int) *http.Request {
		return b.Request(http.MethodPost, h.Issuer+"/account/passkeys/new", forms[i%len(forms)])
	})
	added, many := 0, 0
	for at, n := range locations {
		if strings.Contains(at, "done=added") {
			added += n
		}
		if strings.Contains(at, "passkey_many") {
			many += n
		}
	}
	if added != 1 || many != len(forms)-1 {
		t.Errorf("added %d, too many %d: %v", added, many, locations)
	}
	if p := b.Get("/account/passkeys/new"); p.Error() != "passkey_many" {
		t.Errorf("an eleventh: %d %s", p.Status, p.URL)
	}
	if p := b.Get("/account/passkeys"); strings.Count(p.Body, "data-passkey=") != 10 || strings.Contains(p.Body, `id="passkey-add"`) {
		t.Error("the list is not ten, or offers more")
	}
}

// TestOldPasskeysAreForgotten: of those removed the owner reads the latest.
func TestOldPasskeysAreForgotten(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Domain: true})
	b, _ := h.WithPasskey(t, "taro")
	for range 12 {
		b.Post("/account/passkeys/"+passkeyID(t, b.Get("/account/passkeys"))+"/remove", nil)
		b.AddPasskey(h.Authenticator(), "x")
	}
	var rows, keys int
	must(t, h.DB.QueryRow(t.Context(), `SELECT COUNT(*), COALESCE(SUM(CASE WHEN LENGTH(sealed) > 0 THEN 1 ELSE 0 END), 0) FROM passkey`).Scan(&rows, &keys))
	if rows != 11 || keys != 1 {
		t.Errorf("%d rows, %d of them with a key", rows, keys)
	}
}
