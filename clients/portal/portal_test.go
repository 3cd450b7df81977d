package portal

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

func TestFrontAndHome(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	page := b.get("/")
	if page.Status != http.StatusOK || !page.Has(`href="/login" id="sign-in"`, "もっとつながる") || page.Has(signedIn) {
		t.Errorf("front: %d %s", page.Status, page.Body)
	}
	if w.hub.Count("GET /.well-known/openid-configuration") != 0 {
		t.Error("the front page asked the hub")
	}
	page = b.get("/login")
	wantAt(t, page, "/", "")
	if !page.Has(signedIn, `id="sign-out"`, `data-link="etax"`, `class="explain" open`) || page.Has(`data-link="bank"`) {
		t.Errorf("home: %s", page.Body)
	}
	for _, unbuilt := range []string{"やりとり履歴", "ぴったりサービス", "公金決済", "民間送達"} {
		if page.Has(unbuilt) {
			t.Errorf("%s is not built and has a tile", unbuilt)
		}
	}
	if page := w.signedIn().get("/"); page.Has(`class="explain" open`) {
		t.Error("explained a second time")
	}
}

// TestLinkAndLaunch presses what robots press.
func TestLinkAndLaunch(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn()
	home := b.get("/")
	_, form, _ := strings.Cut(home.Body, `action="/connect/etax/link"`)
	if form, _, _ = strings.Cut(form, "</form>"); !strings.Contains(form, `data-link="etax"`) {
		t.Fatal("the button is not in its form")
	}
	if strings.Contains(home.Header.Get("Content-Security-Policy"), "form-action") {
		t.Error("the form would be blocked on its way to the service")
	}
	b.b.Stop(w.service.URL)
	page := b.post("/connect/etax/link")
	if to := page.Header.Get("Location"); page.Status != http.StatusSeeOther || to != w.service.URL+"/login/initiate?iss=x" {
		t.Errorf("%d to %s", page.Status, to)
	}
	if got := w.hub.Link("taro-at-etax").State; got != "offered" {
		t.Errorf("the hub says %q", got)
	}
	if page := b.get("/"); !page.Has("つなぐ途中です", `data-link="etax"`) {
		t.Error("home does not say that it is not finished")
	}
	w.hub.SetLink("taro-at-etax", "linked")
	page = b.get("/")
	if !page.Has(`href="/connect/etax/open" data-launch="etax"`, "つながっています", "すぐに入れるサービス") || page.Has(`data-link="etax"`) {
		t.Errorf("home: %s", page.Body)
	}
	page = b.get("/connect/etax/open")
	if to := page.Header.Get("Location"); page.Status != http.StatusSeeOther || to != w.service.URL+"/login/initiate?iss=x" {
		t.Errorf("%d to %s", page.Status, to)
	}
}

func TestServiceUsedLastComesFirst(t *testing.T) {
	w := newWorld(t)
	w.hub.SetLink("taro-at-etax", "linked")
	w.hub.SetLink("taro-at-bank", "linked")
	b := w.signedIn()
	b.b.Stop(w.service.URL)
	for _, client := range []string{"etax", "bank", "etax"} {
		w.advance(time.Minute)
		b.get("/connect/" + client + "/open")
		body := b.get("/").Body
		if i, j := strings.Index(body, `data-launch="etax"`), strings.Index(body, `data-launch="bank"`); i < 0 || j < 0 || (i < j) != (client == "etax") {
			t.Errorf("after opening %s: etax at %d, bank at %d", client, i, j)
		}
	}
}

func TestDirectory(t *testing.T) {
	w := newWorld(t)
	w.hub.Set(func(s *rptest.Settings) {
		s.Services = append(s.Services,
			entryOf("../evil", "道をはずれた名前", "private", "https://evil.example/"),
			entryOf("script", "危ないアドレス", "private", "javascript:alert(1)"),
			entryOf("plain", "暗号のないアドレス", "private", "http://plain.example/"))
	})
	b := w.signedIn()
	for query, want := range map[string][2]bool{ // etax, bank
		"":                               {true, true},
		"?kind=government":               {true, false},
		"?kind=private":                  {false, true},
		"?kind=nonsense":                 {true, true},
		"?q=e-tax":                       {true, false},
		"?q=%E9%8A%80%E8%A1%8C":          {false, true}, // 銀行
		"?q=bank.example":                {false, true},
		"?q=nothing":                     {false, false},
		"?kind=private&q=e-tax":          {false, false},
		"?q=" + strings.Repeat("x", 200): {true, true},
	} {
		page := b.get("/connect" + query)
		if got := [2]bool{page.Has(`data-link="etax"`), page.Has(`data-link="bank"`)}; got != want || page.Status != http.StatusOK {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
		if want == [2]bool{} && !page.Has("条件に合うサービスがありません") {
			t.Errorf("%s: does not say that nothing matches", query)
		}
		if page.Has("道をはずれた名前") || page.Has("危ないアドレス") || page.Has("暗号のないアドレス") {
			t.Errorf("%s: shows what cannot be entered safely", query)
		}
	}
	w.hub.Set(func(s *rptest.Settings) { s.Services = nil })
	if page := b.get("/connect"); !page.Has("まだありません") {
		t.Error("does not say that there are none")
	}
}

func TestServicePage(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn()
	for state, want := range map[string][]string{
		"none": {`data-link="etax"`, "つなぎ方"}, "offered": {`data-link="etax"`, "続きからつなぐ", "つながりを切る"},
		"linked": {`data-launch="etax"`, "2026年4月1日（水）から", "つながりを切る"}, "broken": {`data-link="etax"`, "つなぎ直す", "つながりが見つかりませんでした", "つながりを切る"},
		"ended": {`data-link="etax"`, "つなぎ方"},
	} {
		w.hub.SetLink("taro-at-etax", state)
		page := b.get("/connect/etax")
		wantAt(t, page, "/connect/etax", "")
		if !page.Has(want...) {
			t.Errorf("%s: no %v in %s", state, want, page.Body)
		}
		if page.Has("番号と暗証番号を") {
			t.Errorf("%s: says that every service asks for a number and password", state)
		}
		if (state == "none" || state == "ended") && page.Has(`id="end-link"`) {
			t.Errorf("%s: offers to end what is not", state)
		}
	}
	for _, path := range []string{"/connect/nobody", "/connect/nobody/open", "/connect/nobody/end", "/connect/..%2f..%2fapi/open"} {
		if page := b.get(path); page.Error() != "service_unknown" || page.Status != http.StatusNotFound {
			t.Errorf("%s: %d %q", path, page.Status, page.Error())
		}
	}
}

// A service that does not answer says so wherever it can be opened, and can be opened all the same.
func TestServiceThatIsDownSaysSo(t *testing.T) {
	w := newWorld(t)
	w.hub.SetLink("taro-at-etax", "linked")
	b := w.signedIn()
	for health, down := range map[string]bool{"ok": false, "unknown": false, "down": true} {
		w.hub.Set(func(s *rptest.Settings) {
			for _, one := range s.Services {
				if one["client_id"] == "etax" {
					one["health"], one["health_since"] = health, "2026-04-01T05:05:00Z"
				}
			}
		})
		for _, path := range []string{"/", "/connect", "/connect/etax"} {
			page := b.get(path)
			if said := page.Has("data-down", "2026年4月1日（水）14:05から"); said != down || !page.Has(`data-launch="etax"`) {
				t.Errorf("%s, %s: %v", health, path, said)
			}
		}
	}
}

func TestEndALink(t *testing.T) {
	w := newWorld(t)
	w.hub.SetLink("taro-at-etax", "linked")
	b := w.signedIn()
	page := b.get("/connect/etax/end")
	if !page.Has("見本e-Taxとのつながりを切りますか", "消えません", `action="/connect/etax/end"`) {
		t.Errorf("%s", page.Body)
	}
	mark := page.Hidden("/connect/etax/end").Get("for")
	if got := w.hub.Link("taro-at-etax").State; got != "linked" {
		t.Errorf("looking at the page left the hub at %q", got)
	}
	for range 2 { // and once more, with the Back button
		page = b.send("/connect/etax/end", url.Values{"for": {mark}})
		wantAt(t, page, "/connect?ended=etax", "")
		if !page.Has("見本e-Taxとのつながりを切りました", `data-link="etax"`) {
			t.Errorf("%s", page.Body)
		}
	}
	if got := w.hub.Link("taro-at-etax").State; got != "ended" || w.hub.Count("DELETE /api/account/links/etax") != 1 {
		t.Errorf("the hub says %q", got)
	}
	wantAt(t, b.get("/connect/etax/end"), "/connect/etax", "")
	w.hub.SetLink("taro-at-etax", "linked")
	if page := b.get("/connect?ended=etax"); page.Has("つながりを切りました") {
		t.Error("says that it is cut when it is not")
	}
}

// A page that was shown to one person, sent when another has signed in in another tab, ends nobody's link.
func TestEndOfOnePersonDoesNotEndAnothers(t *testing.T) {
	w := newWorld(t)
	w.hub.SetLink("taro-at-etax", "linked")
	w.hub.SetLink("hanako-at-etax", "linked")
	b := w.signedIn()
	shown := b.get("/connect/etax/end").Hidden("/connect/etax/end").Get("for")
	w.hub.Set(func(s *rptest.Settings) { s.Person = "hanako" })
	b.get(rp.PathInitiate + "?" + url.Values{"iss": {w.hub.URL}}.Encode())
	for _, mark := range []string{shown, ""} {
		page := b.send("/connect/etax/end", url.Values{"for": {mark}})
		wantAt(t, page, "/connect/etax/end", "person_changed")
		if !page.Has("ログインしている人が変わりました") {
			t.Errorf("%s", page.Body)
		}
	}
	if a, b := w.hub.Link("taro-at-etax").State, w.hub.Link("hanako-at-etax").State; a != "linked" || b != "linked" {
		t.Errorf("the hub says %q and %q", a, b)
	}
	wantAt(t, b.post("/connect/etax/end"), "/connect?ended=etax", "") // from the page shown again, to hanako
	if got := w.hub.Link("taro-at-etax").State; got != "linked" {
		t.Errorf("the hub says %q", got)
	}
}

func TestHubAPIIsDown(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn()
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = true })
	page := b.get("/")
	wantAt(t, page, "/", "")
	if !page.Has(signedIn, "サービスの一覧を読み込めませんでした", "つながりは切れていません") {
		t.Errorf("home: %s", page.Body)
	}
	page = b.get("/connect/etax")
	wantAt(t, page, "/connect/etax", "hub_unreachable")
	if page.Status != http.StatusServiceUnavailable || !page.Has(`href="/connect/etax"`) {
		t.Errorf("%d %s", page.Status, page.Body)
	}
}

// The token grows old while the person reads: nobody notices.
func TestTokenGrowsOld(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn()
	w.advance(10 * time.Minute)
	wantAt(t, b.get("/connect?kind=government"), "/connect?kind=government", "")
	if w.hub.Count("GET /authorize") != 1 {
		t.Error("had to sign in again")
	}
	w.hub.RevokeAll()
	wantAt(t, b.get("/connect?kind=government"), "/connect?kind=government", "")
	if w.hub.Count("GET /authorize") != 2 {
		t.Error("did not go through the hub")
	}
	w.advance(time.Minute)
	wantAt(t, b.get("/connect/etax"), "/connect/etax", "")
	w.hub.RevokeAll() // in the middle of a form
	wantAt(t, b.post("/connect/etax/link"), "/connect/etax", "")
}

// Signed out everywhere, seconds after signing in: the front page, and no question.
func TestSignedOutElsewhere(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn()
	w.hub.RevokeAll()
	w.hub.Set(func(s *rptest.Settings) { s.Person = "" })
	page := b.get("/")
	wantAt(t, page, "/", "")
	if page.Has(signedIn) || !page.Has(`id="sign-in"`) {
		t.Errorf("%s", page.Body)
	}
}

func TestSignOut(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn()
	wantAt(t, b.post(rp.PathLogout), rp.PathSignedOut, "")
	if page := b.get("/"); page.Has(signedIn) || w.hub.Count("GET /end-session") != 1 {
		t.Error("still signed in")
	}
}

func TestStopAtTheHub(t *testing.T) {
	w := newWorld(t)
	w.hub.Set(func(s *rptest.Settings) { s.Deny = "access_denied" })
	page := w.browser().get("/login")
	if page.Error() != "access_denied" || !page.Has(`href="/"`, "ログインをやめました") || page.Has(signedIn) {
		t.Errorf("%q %s", page.Error(), page.Body)
	}
}

// TestPages visits every address: a title of its own, the headers, both languages.
func TestPages(t *testing.T) {
	w := newWorld(t)
	w.hub.SetLink("taro-at-etax", "linked")
	stranger, taro := w.browser(), w.signedIn()
	titles := map[string]string{}
	for _, tt := range []struct {
		b      *browser
		path   string
		status int
	}{
		{stranger, "/", 200}, {stranger, "/help", 200}, {stranger, rp.PathSignedOut, 200}, {stranger, "/nothing-here", 404},
		{taro, "/", 200}, {taro, "/connect", 200}, {taro, "/connect/etax", 200}, {taro, "/connect/bank", 200}, {taro, "/connect/etax/end", 200},
	} {
		page := tt.b.get(tt.path)
		_, title, _ := strings.Cut(page.Body, "<title>")
		title, _, _ = strings.Cut(title, "</title>")
		if other, ok := titles[title]; ok || title == "" {
			t.Errorf("%s and %s are both called %q", tt.path, other, title)
		}
		titles[title] = tt.path
		if page.Status != tt.status || page.Header.Get("Cache-Control") != "no-store" || strings.Contains(page.Header.Get("Content-Security-Policy"), "unsafe") {
			t.Errorf("%s: %d %v", tt.path, page.Status, page.Header)
		}
		if page.Has(signedIn) && strings.Contains(page.Header.Get("Content-Security-Policy"), "form-action") {
			t.Errorf("%s: the sign-out button would be blocked on its way to the hub", tt.path)
		}
		if !tt.b.get(tt.path + "?lang=en").Has(`<html lang="en"`) {
			t.Errorf("%s: not in English", tt.path)
		}
		tt.b.get(tt.path + "?lang=ja")
	}
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", rp.PathJWKS: `{"keys":[{`} {
		if page := stranger.get(path); page.Status != http.StatusOK || !strings.HasPrefix(page.Body, want) {
			t.Errorf("%s: %d %s", path, page.Status, page.Body)
		}
	}
	for _, path := range []string{"/connect/etax/link", "/connect/etax/end", rp.PathLogout} {
		r := httptest.NewRequest(http.MethodPost, path, nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		rec := httptest.NewRecorder()
		w.portal.Handler().ServeHTTP(rec, r)
		if rec.Code != http.StatusForbidden {
			t.Errorf("%s: a foreign post was answered %d", path, rec.Code)
		}
	}
}
