package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/console"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
	"github.com/tsunagu-id/tsunagu/idp/admin/admintest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// reservations is one registration as a file in git has it. What the console's wizard fills in for a web site with a server stands in it too.
const reservations = `{
	"redirect_uris": ["https://reserve.example.jp/callback", "https://reserve.example.jp/second"],
	"client_id": "CLIENT_ID", "client_name": "施設予約", "client_name#en": "Room & Hall <Reservations>",
	"operator": "見本市", "description": "部屋を予約できます。", "contacts": ["it@reserve.example.jp"],
	"client_uri": "https://reserve.example.jp/", "category": "private", "profile": "oidc", "application_type": "web",
	"subject_type": "pairwise", "id_token_signed_response_alg": "ES256", "response_types": ["code"],
	"scope": "openid profile offline_access", "grant_types": ["authorization_code", "refresh_token"], "default_max_age": 3600,
	"purposes": {"profile": "申込書に書くため", "openid": "予約をあなたのものと見分けるため", "offline_access": "抽選の結果を知らせるため"},
	"token_endpoint_auth_method": "private_key_jwt",
	"jwks": {"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "k1",
		"x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}
}`

// throughWizard fills the console's forms in as somebody at a screen would, and returns the client_id that was drawn.
func throughWizard(t *testing.T, b *rptest.Browser, base string) string {
	t.Helper()
	step := func(at, to string, form url.Values) string {
		t.Helper()
		page, err := b.Post(base+at, form)
		if err != nil {
			t.Fatal(err)
		}
		if page.Status != http.StatusOK || page.Error() != "" || !strings.HasSuffix(page.URL.Path, to) {
			t.Fatalf("%s led to %d %s %q, not to %s:\n%s", at, page.Status, page.URL, page.Error(), to, page.Body)
		}
		return page.URL.Path
	}
	if _, err := b.Get(base + "/clients/new"); err != nil {
		t.Fatal(err)
	}
	at := step("/clients/new", "/edit/names", url.Values{"kind": {"web"}})
	service := strings.TrimSuffix(at, "/edit/names")
	at = step(at, "/edit/addresses", url.Values{
		"client_name": {"施設予約"}, "client_name_en": {"Room & Hall <Reservations>"}, "operator": {"見本市"}, "description": {"部屋を予約できます。"},
		"category": {"private"}, "contacts": {"it@reserve.example.jp\r\n"}, "client_uri": {"https://reserve.example.jp/"},
	})
	at = step(at, "/edit/data", url.Values{"redirect_uris": {"https://reserve.example.jp/callback\r\nhttps://reserve.example.jp/second\r\n"}})
	at = step(at, "/edit/proof", url.Values{
		"scope": {"openid", "profile", "offline_access"}, "default_max_age": {"3600"}, "purposes-openid": {"予約をあなたのものと見分けるため"},
		"purposes-profile": {"申込書に書くため"}, "purposes-offline_access": {"抽選の結果を知らせるため"},
	})
	at = step(at, "/draft", url.Values{
		"token_endpoint_auth_method": {"private_key_jwt"},
		"jwks": {`{"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "k1",
			"x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`},
	})
	step(at+"/request", strings.TrimPrefix(service, "/clients"), url.Values{"note": {"the same"}})
	return strings.TrimPrefix(service, "/clients/")
}

// withConsole is a hub whose operators' address has the console too.
func withConsole(t *testing.T) *admintest.Hub {
	t.Helper()
	key, err := rp.OpenKey(filepath.Join(t.TempDir(), "console.key"))
	if err != nil {
		t.Fatal(err)
	}
	address := httptest.NewUnstartedServer(nil)
	base := "http://" + address.Listener.Addr().String()
	raw, err := console.Registration("console", base, key.JWKS(), true)
	if err != nil {
		t.Fatal(err)
	}
	var registration map[string]any
	if err := json.Unmarshal(raw, &registration); err != nil {
		t.Fatal(err)
	}
	h := &admintest.Hub{URL: base, Hub: idptest.Start(t, idptest.Options{OperatorsURL: base, Clients: append(admintest.Registrations(), registration)})}
	store, err := ephemeral.NewSQL(t.Context(), sqldbtest.Open(t), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	site, err := console.New(console.Config{
		Issuer: h.Issuer, BaseURL: base, ClientID: "console", Key: key, Store: store, Now: time.Now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	address.Config.Handler = h.OperatorHandler(site.Handler())
	address.Start()
	t.Cleanup(address.Close)
	return h
}

// atConsole signs the person of a card in at the console.
func atConsole(t *testing.T, h *admintest.Hub, card string) *rptest.Browser {
	t.Helper()
	b, err := rptest.NewBrowser()
	if err != nil {
		t.Fatal(err)
	}
	b.Stop(h.Issuer)
	begun, err := b.Get(h.URL + "/login")
	if err != nil {
		t.Fatal(err)
	}
	hub := h.Browser(t)
	callback := hub.SignIn(hub.Get(begun.Header.Get("Location")), card).URL.String()
	if page, err := b.Get(callback); err != nil || page.Status != http.StatusOK {
		t.Fatalf("%s: %d %v", callback, page.Status, err)
	}
	return b
}

// The same registration, filled in at the console, sent to the API and applied from a file, is the same stored version, byte by byte.
func TestConsoleAPIAndCommandLineStoreTheSameVersion(t *testing.T) {
	t.Parallel() // signing hubctl in waits for the hub's polling interval
	h := withConsole(t)
	hanako, _ := h.Operator(t, "hanako", "", adminapi.Editor)
	taro, _ := h.Operator(t, "taro", "", adminapi.Approver)

	fromConsole := throughWizard(t, atConsole(t, h, "hanako"), h.URL)

	document := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(reservations), &document); err != nil {
		t.Fatal(err)
	}
	delete(document, "client_id") // the hub draws one
	metadata, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	var saved adminapi.Saved
	h.Call(t, hanako, http.MethodPost, "/api/clients", adminapi.NewClient{Kind: adminapi.KindWeb, Metadata: metadata, Note: "the same"}).Into(t, &saved)
	fromAPI := saved.Client.ClientID
	h.Call(t, hanako, http.MethodPost, "/api/clients/"+fromAPI+"/request", adminapi.At{Revision: saved.Client.Draft.Revision}).Into(t, nil)

	dir := t.TempDir()
	must(t, loginAt(t, h, dir, "hanako"))
	const fromFile = "reservations"
	must(t, call(t, dir, "", "client", "apply", "-f", file(t, strings.Replace(reservations, "CLIENT_ID", fromFile, 1)), "--note", "the same", "--request"))

	stored := map[string]string{}
	for _, id := range []string{fromConsole, fromAPI, fromFile} {
		var detail adminapi.ClientDetail
		h.Call(t, taro, http.MethodGet, "/api/clients/"+id, nil).Into(t, &detail)
		h.Call(t, taro, http.MethodPost, "/api/clients/"+id+"/approve", adminapi.Approve{
			Revision: detail.Draft.Revision, Exception: "nothing runs there to be tried",
		}).Into(t, nil)
		var text string
		if err := h.DB.QueryRow(t.Context(), `SELECT metadata FROM client_version WHERE client = ? AND version = 1`, id).Scan(&text); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, `"client_id":"`+id+`"`) || !strings.Contains(text, "Reservations") {
			t.Fatalf("%s: %s", id, text)
		}
		stored[id] = strings.Replace(text, `"client_id":"`+id+`"`, `"client_id":"…"`, 1)
	}
	if stored[fromConsole] != stored[fromFile] || stored[fromAPI] != stored[fromFile] {
		t.Errorf("console: %s\nAPI:     %s\nhubctl:  %s", stored[fromConsole], stored[fromAPI], stored[fromFile])
	}
	// and what hubctl finds of the console's is what stands in the file
	same := file(t, strings.Replace(reservations, "CLIENT_ID", fromConsole, 1))
	if got := must(t, call(t, dir, "", "client", "apply", "-f", same)); got.out != fromConsole+": unchanged\n" {
		t.Errorf("%+v", got)
	}
}
