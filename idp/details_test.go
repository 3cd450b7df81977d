package idp_test

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// detailsForm is a form in which everything is filled in, with the changes applied.
func detailsForm(changes ...string) url.Values {
	f := url.Values{
		"name": {"山田 太郎"}, "family_name": {"山田"}, "given_name": {"太郎"}, "middle_name": {"ジョン"}, "nickname": {"たろう"},
		"preferred_username": {"taro"}, "gender": {"male"}, "birthdate": {"1990年5月17日"}, "zoneinfo": {"Asia/Tokyo"}, "locale": {"ja-JP"},
		"profile": {"https://taro.example/me"}, "picture": {"https://taro.example/me.png"}, "website": {"https://taro.example/"},
		"email": {"taro@example.jp"}, "phone_number": {"090-1234-5678"}, "address-postal_code": {"1000001"}, "address-region": {"東京都"},
		"address-locality": {"千代田区"}, "address-street_address": {"千代田1-1"}, "address-country": {"日本"},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		f.Set(changes[i], changes[i+1])
	}
	return f
}

// atHome signs a browser in at the hub itself.
func atHome(t *testing.T, h *idptest.Hub, card string) *idptest.Browser {
	t.Helper()
	b := h.Browser(t)
	if p := b.SignIn(b.Get("/account/details"), card); p.Status != http.StatusOK || p.URL.Path != "/account/details" {
		t.Fatalf("signed in: %d %s", p.Status, p.URL)
	}
	return b
}

func TestDetailsAreKeptAndShown(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := atHome(t, h, "taro")
	p := b.Post("/account/details", detailsForm("name", `太郎 "<script>`))
	if p.Status != http.StatusOK || p.URL.RequestURI() != "/account/details?done=saved" || !strings.Contains(p.Body, "保存しました") {
		t.Fatalf("saved: %d %s", p.Status, p.URL)
	}
	for _, want := range []string{`value="&#43;819012345678"`, `value="1990-05-17"`, `value="100-0001"`, `value="taro@example.jp"`, `<option value="male" selected>`, `value="太郎 &#34;&lt;script&gt;"`} {
		if !strings.Contains(p.Body, want) {
			t.Errorf("the form does not show %s", want)
		}
	}
	// A field left empty takes its item away, and only it.
	form := detailsForm("email", "", "name", "   ")
	p = b.Post("/account/details", form)
	if strings.Contains(p.Body, "taro@example.jp") || strings.Contains(p.Body, "&lt;script") || !strings.Contains(p.Body, `value="&#43;819012345678"`) {
		t.Error("after one item was left empty")
	}
	audited(t, h, "account.details_changed", "")
	if other := atHome(t, h, "hanako").Get("/account/details"); strings.Contains(other.Body, "taro") {
		t.Error("another citizen reads them")
	}
}

// TestDetailsKeepWhatWasTypedOnError: nothing is stored, everything typed stays in the form, and the words at a field are those of the
// summary.
func TestDetailsKeepWhatWasTypedOnError(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := atHome(t, h, "taro")
	p := b.Post("/account/details", detailsForm("email", "taro＠", "birthdate", "あした", "nickname", "のこる"))
	if p.Status != http.StatusUnprocessableEntity || p.Error() != "details_invalid" || !strings.Contains(p.Body, "<title>エラー：") {
		t.Fatalf("refused: %d %q", p.Status, p.Error())
	}
	for _, want := range []string{`value="taro＠"`, `value="あした"`, `value="のこる"`, `href="#email"`, `href="#birthdate"`, `id="email-error"`, `aria-describedby="birthdate-hint birthdate-error"`} {
		if !strings.Contains(p.Body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if n := strings.Count(p.Body, "メールアドレスは、name@example.jp のように書いてください"); n != 2 {
		t.Errorf("the words of the fault stand %d times, not at the field and in the summary", n)
	}
	if p := b.Get("/account/details"); strings.Contains(p.Body, "のこる") {
		t.Error("part of a refused form is stored")
	}
	if p := b.Post("/account/details", url.Values{"name": {"a", "b"}}); p.Status != http.StatusBadRequest {
		t.Errorf("a field twice: %d", p.Status)
	}
}

func TestDetailsCanAllBeDeleted(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := atHome(t, h, "taro")
	if p := b.Get("/account/details"); strings.Contains(p.Body, `id="details-delete"`) {
		t.Error("nothing to delete is offered for deletion")
	}
	if p := b.Post("/account/details", detailsForm()); !strings.Contains(p.Body, `href="/account/details/delete"`) {
		t.Error("no way to delete")
	}
	if p := b.Get("/account/details/delete"); p.Status != http.StatusOK || !strings.Contains(p.Body, `id="details-delete-confirm"`) {
		t.Errorf("asked first: %d", p.Status)
	}
	p := b.Post("/account/details/delete", nil)
	if !strings.Contains(p.Body, "すべて消しました") || strings.Contains(p.Body, "taro") {
		t.Errorf("after deleting: %d %s", p.Status, p.URL)
	}
	var rows int
	if err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM attribute`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows left, %v", rows, err)
	}
}

func TestDetailsNeedASession(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	for _, path := range []string{"/account/details", "/account/details/delete"} {
		b := h.Browser(t)
		if p := b.Get(path); p.URL.Path != "/login" {
			t.Errorf("GET %s: %s", path, p.URL)
		}
		if p := b.Post(path, detailsForm()); p.URL.Path != "/login" {
			t.Errorf("POST %s: %s", path, p.URL)
		}
	}
	if n := count(t, h, "account.details_changed"); n != 0 {
		t.Errorf("%d changes", n)
	}
}

// TestDetailsAreSealedAtRest: the database holds no word of them, the audit log neither, and a row that is moved to another name opens
// no more.
func TestDetailsAreSealedAtRest(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := atHome(t, h, "taro")
	b.Post("/account/details", detailsForm())
	ctx := t.Context()
	rows, err := h.DB.Query(ctx, `SELECT name, source, value FROM attribute`)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		var name, source string
		var value []byte
		if err := rows.Scan(&name, &source, &value); err != nil {
			t.Fatal(err)
		}
		n++
		if source != "self" {
			t.Errorf("%s comes from %s", name, source)
		}
		for field, values := range detailsForm() {
			if strings.Contains(string(value), values[0]) {
				t.Errorf("%s lies open in %s", field, name)
			}
		}
	}
	if err := rows.Close(); err != nil || n != len(detailsForm()) {
		t.Fatalf("%d rows, %v", n, err)
	}
	var facts string
	if err := h.DB.QueryRow(ctx, `SELECT facts FROM audit_event WHERE kind = 'account.details_changed'`).Scan(&facts); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(facts, "profile email phone address") || strings.Contains(facts, "taro") || strings.Contains(facts, "山田") {
		t.Errorf("the audit log says %s", facts)
	}
	if _, err := h.DB.Exec(ctx, `DELETE FROM attribute WHERE name = 'name'`); err != nil {
		t.Fatal(err)
	}
	if _, err := h.DB.Exec(ctx, `UPDATE attribute SET name = 'name' WHERE name = 'nickname'`); err != nil {
		t.Fatal(err)
	}
	if p := b.Get("/account/details"); p.Status != http.StatusInternalServerError || strings.Contains(p.Body, "たろう") {
		t.Errorf("a row that was moved: %d", p.Status)
	}
	// The citizen can still be rid of it.
	if p := b.Post("/account/details/delete", nil); p.Status != http.StatusOK || !strings.Contains(p.Body, "すべて消しました") {
		t.Errorf("after deleting what cannot be opened: %d", p.Status)
	}
}

const detailsID, detailsURI = "details", "https://details.example/callback"

// detailsClient may have everything; more changes its metadata.
func detailsClient(more map[string]any) map[string]any {
	c := map[string]any{
		"client_id": detailsID, "client_name": "くわしいサービス", "operator": "くわしい運営者", "redirect_uris": []string{detailsURI},
		"grant_types": []string{"authorization_code", "refresh_token"}, "scope": "openid profile email address phone offline_access",
		"token_endpoint_auth_method": "none",
	}
	maps.Copy(c, more)
	return c
}

func detailsRequest(scope string, changes ...string) idptest.Request {
	return idptest.NewRequest(append([]string{"client_id", detailsID, "redirect_uri", detailsURI, "scope", scope}, changes...)...)
}

func (s signedInAt) tokens(r idptest.Request) idptest.Answer {
	s.t.Helper()
	p := s.b.Finish(s.b.Get(r.Path()))
	a := s.h.PostForm(s.t, "/token", r.Params.Get("client_id"), "", idptest.CodeForm(p.URL.Query().Get("code"), r))
	if a.Status != http.StatusOK {
		s.t.Fatalf("token: %d %s", a.Status, a.Raw)
	}
	return a
}

func (s signedInAt) userinfo(r idptest.Request) idptest.Answer {
	s.t.Helper()
	return s.h.Bearer(s.t, http.MethodGet, "/userinfo", s.tokens(r).Text("access_token"))
}

// signedInAt is a citizen in front of a browser.
type signedInAt struct {
	t *testing.T
	h *idptest.Hub
	b *idptest.Browser
}

func claimNames(a idptest.Answer) []string { return slices.Sorted(maps.Keys(a.JSON)) }

// TestScopesAskForClaims: OIDC Core §5.4, the suite's oidcc-scope-profile, -email, -address, -phone and -all: each scope yields exactly
// its claims at the userinfo endpoint and none in the ID token.
func TestScopesAskForClaims(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(nil)}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	s.b.Post("/account/details", detailsForm())
	profile := []string{"birthdate", "family_name", "gender", "given_name", "locale", "middle_name", "name", "nickname", "picture", "preferred_username", "profile", "updated_at", "website", "zoneinfo"}
	all := slices.Concat(profile, []string{"email", "email_verified", "address", "phone_number", "phone_number_verified"})
	protocol := []string{"acr", "amr", "at_hash", "aud", "auth_time", "exp", "iat", "iss", "nonce", "sub"} // no sid: this client takes no part in signing out
	for _, c := range []struct {
		scope string
		want  []string
	}{
		{"openid", nil},
		{"openid profile", profile},
		{"openid email", []string{"email", "email_verified"}},
		{"openid address", []string{"address"}},
		{"openid phone", []string{"phone_number", "phone_number_verified"}},
		{"openid profile email address phone", all},
	} {
		tokens := s.tokens(detailsRequest(c.scope))
		info := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token"))
		want := append(slices.Clone(c.want), "sub")
		slices.Sort(want)
		if got := claimNames(info); !slices.Equal(got, want) {
			t.Errorf("%s: userinfo has %v, want %v", c.scope, got, want)
		}
		id := idClaims(t, tokens.Text("id_token"))
		if got := slices.Sorted(maps.Keys(id)); !slices.Equal(got, protocol) {
			t.Errorf("%s: the ID token has %v", c.scope, got)
		}
		if info.JSON["sub"] != id["sub"] {
			t.Errorf("%s: sub differs", c.scope)
		}
		if v, there := info.JSON["email_verified"]; there && v != false {
			t.Errorf("email_verified %v", v)
		}
	}
}

// TestConsentShowsWhatWouldBeGiven: the very values, or that there are none; and it does not say that no name is shared when one is.
func TestConsentShowsWhatWouldBeGiven(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(nil)}})
	b := atHome(t, h, "taro")
	no := "名前、住所、生年月日、マイナンバーは渡しません。"
	p := b.Get(detailsRequest("openid").Path())
	if !strings.Contains(p.Body, no) || strings.Contains(p.Body, "data-none") {
		t.Error("plain consent")
	}
	p = b.Get(detailsRequest("openid profile phone").Path())
	if strings.Contains(p.Body, no) || !strings.Contains(p.Body, `data-none="profile"`) || !strings.Contains(p.Body, `data-none="phone"`) {
		t.Error("consent without anything written")
	}
	b.Post("/account/details", detailsForm("phone_number", ""))
	p = b.Get(detailsRequest("openid profile phone").Path())
	text := html.UnescapeString(p.Body)
	for _, want := range []string{"山田 太郎", "1990-05-17", "男性", `data-none="phone"`, "渡すのは、あなたが自分で書いたものだけです"} {
		if !strings.Contains(text, want) {
			t.Errorf("consent does not show %s", want)
		}
	}
	for _, not := range []string{no, "taro@example.jp", "千代田", `data-none="profile"`} {
		if strings.Contains(text, not) {
			t.Errorf("consent shows %s", not)
		}
	}
}

// TestNewScopeAsksAnew: what was agreed to stays so, and nothing more is given before the citizen agreed to that as well.
func TestNewScopeAsksAnew(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(nil)}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	s.b.Post("/account/details", detailsForm())
	s.tokens(detailsRequest("openid email"))
	if p := s.b.Get(detailsRequest("openid email").Path()); p.Body != "" {
		t.Errorf("asked again for the same: %s", p.URL)
	}
	if p := s.b.Get(detailsRequest("openid email phone").Path()); p.URL.Path != "/consent" || !strings.Contains(p.Body, "追加") {
		t.Errorf("not asked for more: %s", p.URL)
	}
	if p := s.b.Get(detailsRequest("openid phone", "prompt", "none").Path()); p.URL.Query().Get("error") != "consent_required" {
		t.Errorf("prompt=none: %s", p.URL)
	}
	// A token of fewer scopes says less, whatever else was agreed to.
	if got := claimNames(s.userinfo(detailsRequest("openid"))); !slices.Equal(got, []string{"sub"}) {
		t.Errorf("userinfo without scope email: %v", got)
	}
}

// TestUserinfoTellsTheNewest: what the citizen changes is told from then on, and what she deletes no more.
func TestUserinfoTellsTheNewest(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(nil)}, Now: c.now})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	token := s.tokens(detailsRequest("openid profile email")).Text("access_token")
	info := func() idptest.Answer { return h.Bearer(t, http.MethodPost, "/userinfo", token) }
	if got := claimNames(info()); !slices.Equal(got, []string{"sub"}) {
		t.Errorf("nothing written: %v", got)
	}
	s.b.Post("/account/details", url.Values{"email": {"a@example.jp"}})
	first := info()
	if first.Text("email") != "a@example.jp" || first.JSON["updated_at"] != float64(c.now().Unix()) {
		t.Errorf("written: %s", first.Raw)
	}
	c.advance(time.Minute)
	s.b.Post("/account/details", url.Values{"nickname": {"た"}})
	if got := info(); !slices.Equal(claimNames(got), []string{"nickname", "sub", "updated_at"}) || got.JSON["updated_at"] != float64(c.now().Unix()) {
		t.Errorf("changed: %s", got.Raw)
	}
	s.b.Post("/account/details/delete", nil)
	if got := claimNames(info()); !slices.Equal(got, []string{"sub"}) {
		t.Errorf("deleted: %v", got)
	}
}

// TestScopeTakenFromAClientGivesNoMore: a token from before does not outlast the registration.
func TestScopeTakenFromAClientGivesNoMore(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(nil)}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	s.b.Post("/account/details", detailsForm())
	token := s.tokens(detailsRequest("openid email phone")).Text("access_token")
	reregister(t, h, detailsClient(map[string]any{"scope": "openid phone"}))
	if got := claimNames(h.Bearer(t, http.MethodGet, "/userinfo", token)); !slices.Equal(got, []string{"phone_number", "phone_number_verified", "sub"}) {
		t.Errorf("userinfo: %v", got)
	}
}

// TestTwoChangesAtOnceAreOneAfterTheOther: on every database what is kept in the end is one of the forms, whole.
func TestTwoChangesAtOnceAreOneAfterTheOther(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := idptest.Start(t, idptest.Options{DB: db})
		b := atHome(t, h, "taro")
		answers := volley(t, func(i int) *http.Request {
			form := url.Values{"name": {fmt.Sprint("n", i)}, "nickname": {fmt.Sprint("n", i)}}
			if i%2 == 0 {
				form = url.Values{"given_name": {fmt.Sprint("n", i)}, "middle_name": {fmt.Sprint("n", i)}}
			}
			return b.Request(http.MethodPost, h.Issuer+"/account/details", form)
		})
		if answers[http.StatusSeeOther] == 0 || len(answers) != 1 {
			t.Errorf("answers %v", answers)
		}
		p := b.Get("/account/details")
		values := regexp.MustCompile(`value="(n[0-9]+)"`).FindAllStringSubmatch(p.Body, -1)
		if p.Status != http.StatusOK || len(values) != 2 || values[0][1] != values[1][1] {
			t.Errorf("after a volley: %d %v", p.Status, values)
		}
		if err := h.Audit.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
