package idp

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// pageSample is a page with data, and what has to be in it: the elements that robots rely on, and where their forms go.
type pageSample struct {
	page  web.Page
	hooks []string
}

func pageSamples() map[string]pageSample {
	at := time.Date(2026, 11, 23, 5, 5, 0, 0, time.UTC)
	service := serviceView{Name: "見本e-Tax", Operator: "見本国税局", Domain: "localhost:8402", Verified: true, Home: "http://localhost:8402/"}
	evil := serviceView{Name: `<script>alert(1)</script>`, Operator: `"><b>`, Domain: `x" onclick="y`, Home: "javascript:alert(1)"}
	login := func(v loginView) web.Page {
		return web.Page{Name: "login", Title: "login.title", OpenForm: true, Data: v}
	}
	device := func(v deviceView) web.Page {
		return web.Page{Name: "device", Title: "device.title", Error: v.Error, Data: v}
	}
	card := `action="/login/card"`
	mandate := func(state, name string) mandateView {
		return mandateView{ID: "m1", State: state, Name: name, Number: "4711", Services: []string{"見本e-Tax", evil.Name}, Since: at, Until: at, AnswerBy: at,
			History: []mandateMoveView{{To: state, By: "citizen", Why: "chosen", At: at}}, Uses: []mandateUseView{{Service: evil.Name, At: at}}}
	}
	all := []mandateView{mandate("offered", evil.Name), mandate("accepted", evil.Name), mandate("in_force", evil.Name)}
	return map[string]pageSample{
		"login":         {login(loginView{Tx: "t1", Service: service, Demo: true}), []string{`id="card-login"`, card, `id="login-cancel"`, `action="/login/cancel"`, `name="tx" value="t1"`}},
		"login again":   {login(loginView{Tx: "t1", Service: evil, Why: "again", AgentMissing: true}), []string{`id="card-login"`, `id="agent-missing"`}},
		"login select":  {login(loginView{Tx: "t1", Why: "select"}), []string{`id="card-login"`, "別の人のカード"}},
		"login own":     {login(loginView{Tx: "t1", Why: "stepup"}), []string{`id="card-login"`, `id="login-cancel"`}},
		"folder":        {web.Page{Name: "folder-open", Title: "folder.title", OpenForm: true, Data: folderView{Tx: "t1", Service: service}}, []string{`id="open-folder"`, `action="/folder/open"`}},
		"folder own":    {web.Page{Name: "folder-open", Title: "folder.title", OpenForm: true, Data: folderView{Tx: "t1"}}, []string{`id="open-folder"`}},
		"account empty": {web.Page{Name: "account", Title: "account.title", SignedIn: true, Data: accountView{Opened: at}}, []string{"data-signed-in"}},
		"account": {web.Page{Name: "account", Title: "account.title", SignedIn: true, Data: accountView{
			Opened: at, Card: cardView{Kind: "card", NotAfter: at, ExpiringSoon: true},
			Sessions: []sessionView{{Device: "Windows・Chrome", Since: at, Last: at, ACR: "phrh", Current: true, Services: []sessionServiceView{{Client: "a", Name: "a", Since: at}, {Client: "b", Name: "b", Since: at}}}, {ACR: "unknown"}},
			Services: []connectedView{{Client: "c1", Name: evil.Name, Operator: evil.Operator, Launch: "https://c1.example/start?iss=x", Since: at, Scopes: []string{"openid", "unknown"}}},
			Told:     []receiptView{{Client: "etax", Name: evil.Name, State: "confirmed", At: at}},
		}}, []string{`href="/account/sign-out-everywhere"`, `href="https://c1.example/start?iss=x" data-launch="c1"`, "2026年11月23日（月）14:05"}},
		"devices": {web.Page{Name: "devices", Title: "devices.title", SignedIn: true, Data: devicesView{
			Sessions: []sessionView{{ID: "s1", Device: evil.Name, Since: at, Last: at, Ends: at, ACR: "phrh", Shared: true, Apart: true}}, Page: 2, Pages: 3, Before: "/b", After: "/a", Done: "session",
		}}, []string{`data-done="session"`, `href="/account/devices/s1"`, `id="devices-before"`, `id="apart-begin"`}},
		"devices kept apart": {web.Page{Name: "devices", Title: "devices.title", SignedIn: true, Data: devicesView{Page: 1, Pages: 1, ApartHere: true}}, []string{`id="apart-here"`}},
		"a device": {web.Page{Name: "device-session", Title: "devices.one.title", TitleArgs: []string{"device", evil.Name}, SignedIn: true, Data: sessionView{
			ID: "s1", Device: evil.Name, ACR: ACRRemote, Services: []sessionServiceView{{Client: "c1", Name: evil.Name, Since: at}},
		}}, []string{`data-entered="c1"`, `action="/account/devices/s1"`, `id="end-session-of-device"`}},
		"rules of a service": {web.Page{Name: "service-rules", Title: "rules.title", TitleArgs: []string{"service", evil.Name}, SignedIn: true, Data: serviceRulesView{
			Client: "c1", Name: evil.Name, Operator: evil.Operator, Always: true, Insists: true, Done: "always",
		}}, []string{`action="/account/services/c1"`, `id="always-end"`, `id="always-insists"`}},
		"session ending":  {web.Page{Name: "session-ending", Title: "session.ending.title", SignedIn: true, Data: endingView{Ends: at, Minutes: 2, Extends: true, Back: "/account"}}, []string{`id="session-continue"`, "14:05"}},
		"session too old": {web.Page{Name: "session-ending", Title: "session.ending.title", SignedIn: true, Data: endingView{Ends: at, Minutes: 1, Back: "/account"}}, []string{`id="session-continue"`}},
		"session over":    {web.Page{Name: "session-ending", Title: "session.over.title", Data: endingView{Over: true, Back: "/account/details"}}, []string{`href="/account/details"`, `id="session-over"`}},
		"details": {web.Page{Name: "details", Title: "details.title", SignedIn: true, Data: detailsView{Done: "saved", Any: true, Groups: []detailGroup{
			{Name: "contact", Fields: []detailField{{Field: web.Field{ID: "email", Label: "メールアドレス", Value: evil.Name}}}},
			{Name: "profile", Fields: []detailField{{Select: web.Select{ID: "gender", Label: "性別", Options: []web.Option{{Value: "", Label: "書かない"}}}}}},
		}}}, []string{`action="/account/details"`, `id="details-save"`, `id="details-delete"`, `name="email"`, `name="gender"`}},
		"details refused": {web.Page{Name: "details", Title: "details.title", SignedIn: true, Error: "details_invalid", Data: detailsView{
			Done: "deleted", Problems: []web.FieldError{{Field: "email", Text: evil.Name}},
		}}, []string{`href="#email"`, `data-error="details_invalid"`}},
		"details delete": {web.Page{Name: "details-delete", Title: "details.delete.title", SignedIn: true}, []string{`id="details-delete-confirm"`, `action="/account/details/delete"`}},
		"whom to act for": {web.Page{Name: "represent", Title: "represent.title", TitleArgs: []string{"service", evil.Name}, OpenForm: true, Data: chooseView{
			Tx: "t1", Service: evil, Ended: true, Options: []chooseOption{{ID: "m1", Name: evil.Name, Until: at}},
		}}, []string{`action="/represent"`, `name="tx" value="t1"`, `name="who" value="self"`, `name="who" value="m1"`}},
		"representatives": {web.Page{Name: "representatives", Title: "given.title", SignedIn: true, Data: givenView{Done: "ended", Live: all, Old: []mandateView{mandate("ended", evil.Name)}}},
			[]string{`data-state="in_force"`, `href="/account/representatives/m1/confirm"`, `href="/account/representatives/m1/end"`, "data-moves", "data-uses"}},
		"no representatives": {web.Page{Name: "representatives", Title: "given.title", SignedIn: true, Data: givenView{}}, []string{`href="/account/representatives/new"`}},
		"a representative": {web.Page{Name: "representative-new", Title: "given.new.title", SignedIn: true, Error: "mandate_form", Data: givenNewView{
			ID: "m1", Name: evil.Name, Note: evil.Operator, Months: 3, Most: 40, Services: []delegableView{{ID: "etax", Name: evil.Name, Operator: evil.Operator, Chosen: true}},
			Periods: []web.Option{{Value: "3", Label: "3か月", Selected: true}}, Problems: []web.FieldError{{Field: "service", Text: evil.Name}},
		}}, []string{`action="/account/representatives/new"`, `name="id" value="m1"`, `value="etax" checked`, `href="#service"`}},
		"a representative nowhere": {web.Page{Name: "representative-new", Title: "given.new.title", SignedIn: true, Data: givenNewView{}}, []string{`href="/account/representatives"`}},
		"an invitation": {web.Page{Name: "representative-code", Title: "given.code.title", SignedIn: true, Data: inviteView{
			Code: "BCDF-GHJK-LMNP", Note: evil.Name, Issuer: "http://localhost:8400", Path: heldPath, AnswerBy: at,
		}}, []string{`id="invite-code">BCDF-GHJK-LMNP<`}},
		"a number to compare": {web.Page{Name: "representative-confirm", Title: "given.confirm.title", SignedIn: true, Error: "mandate_number", Data: confirmMandateView{
			Mandate: mandate("accepted", evil.Name), Value: evil.Operator, Problem: "wrong",
		}}, []string{`action="/account/representatives/m1/confirm"`, `href="#number"`, `id="mandate-wrong"`}},
		"the end of a mandate": {web.Page{Name: "representative-end", Title: "mandate.end.title", SignedIn: true, Data: mandateEndView{Mandate: mandate("in_force", evil.Name), List: heldPath}},
			[]string{`action="/account/representing/m1/end"`, `id="mandate-end"`}},
		"representing": {web.Page{Name: "representing", Title: "held.title", SignedIn: true, Error: "invite_many", Data: heldView{
			Value: evil.Name, Problem: "many", Hours: 3, Live: all, Old: []mandateView{mandate("ended", evil.Name)},
		}}, []string{`action="/account/representing"`, `data-number>4711<`, `href="#code"`}},
		"an invitation to accept": {web.Page{Name: "representing-accept", Title: "held.accept.title", SignedIn: true, Data: acceptView{Mandate: mandate("offered", evil.Name), Code: "BCDF-GHJK-LMNP"}},
			[]string{`action="/account/representing/accept"`, `name="code" value="BCDF-GHJK-LMNP"`, `id="invite-refuse"`}},
		"sign out everywhere": {web.Page{Name: "account-signout", Title: "account.signout.title", SignedIn: true}, []string{`id="signout-everywhere"`, `action="/account/sign-out-everywhere"`, `href="/account"`}},
		"end session": {web.Page{Name: "end-session", Title: "end_session.title", Data: endSessionView{Service: service, Token: "t2"}},
			[]string{`id="logout-confirm"`, `id="logout-cancel"`, `value="all"`, `value="service"`, `name="token" value="t2"`, `action="/end-session/confirm"`}},
		"end session of no service": {web.Page{Name: "end-session", Title: "end_session.title", Data: endSessionView{Token: "t2"}}, []string{`id="logout-confirm"`, `id="logout-cancel"`}},
		"signed out":                {web.Page{Name: "signed-out", Title: "signed_out.title", Data: signedOutView{Return: "http://localhost:8402/", Back: service.Name}}, []string{`href="http://localhost:8402/"`}},
		"signed out, browser tells": {web.Page{Name: "signed-out", Title: "signed_out.title", Frames: []string{"https://shop.example"}, Data: signedOutView{
			Return: "http://localhost:8402/", Back: evil.Name, Frames: []string{"https://shop.example/bye?iss=a&sid=b"}, Receipts: []receiptView{
				{Client: "shop", Name: "店", State: "asked", At: at}, {Client: "etax", Name: "見本e-Tax", State: "confirmed", At: at, Browser: true}},
		}}, []string{`<iframe src="https://shop.example/bye?iss=a&amp;sid=b" hidden sandbox=`, `id="signed-out-next"`, `data-state="asked"`, "届いたかどうかは分かりません", `data-browser`, "/signed-out.js"}},
		"signed out everywhere": {web.Page{Name: "signed-out", Title: "signed_out.title", Data: signedOutView{Everywhere: true}}, []string{`href="/"`}},
		"signed out with receipts": {web.Page{Name: "signed-out", Title: "signed_out.title", Data: signedOutView{
			Again: "/signed-out?request=r1", Receipts: []receiptView{
				{Client: "etax", Name: "見本e-Tax", State: "confirmed", At: at}, {Client: "bank", Name: evil.Name, State: "pending", At: at}, {Client: "shop", Name: "店", State: "failed", At: at}, {Client: "old", Name: "古い店", State: "unsupported", At: at}},
		}}, []string{`href="/signed-out?request=r1"`, `data-service="etax" data-state="confirmed"`, "伝えています（まだ返事がありません）", "応答がありませんでした"}},
		"consent": {web.Page{Name: "consent", Title: "consent.title", TitleArgs: []string{"service", service.Name}, OpenForm: true, Data: consentView{
			Tx: "t1", Service: service, More: true, Offline: true, Items: []consentItem{
				{Scope: "openid", Label: "scope.openid"}, {Scope: "links", Label: "scope.links", Purpose: evil.Name}, {Scope: "link", Label: "scope.link", Added: true},
				{Scope: "email", Label: "scope.email", Personal: true, Details: []web.Description{{Term: "メールアドレス", Value: evil.Name}}},
				{Scope: "phone", Label: "scope.phone", Personal: true}}, Personal: true,
		}}, []string{`id="consent-allow"`, `id="consent-deny"`, `name="decision"`, `value="allow"`, `value="deny"`, `action="/consent"`}},
		"device":         {device(deviceView{}), []string{`id="user_code"`, `action="/device"`, `id="device-next"`, "役所や会社の人が"}},
		"device by link": {device(deviceView{Request: "r1", Head: "WDJB"}), []string{`name="request" value="r1"`, ">WDJB<", `id="user_code"`, "役所や会社の人が"}},
		"device wrong code": {device(deviceView{Value: evil.Name, Error: "code_wrong"}),
			[]string{`data-error="code_wrong"`, "data-error-summary", `aria-invalid="true"`, `value="&lt;script`, `href="#user_code"`}},
		"device too many":     {device(deviceView{Value: "x", Error: "too_many", Minutes: 3}), []string{`data-error="too_many"`, "3分ほど"}},
		"device wrong end":    {device(deviceView{Request: "r1", Head: "WDJB", Error: "code_wrong"}), []string{"終わりの4文字を入力してください", `name="request" value="r1"`}},
		"device code expired": {device(deviceView{Error: "code_expired"}), []string{`data-error="code_expired"`, `href="/device"`}},
		"device code used":    {device(deviceView{Error: "code_used"}), []string{`data-error="code_used"`, `href="/device"`}},
		"device confirm": {web.Page{Name: "device-confirm", Title: "device.confirm.title", Data: deviceConfirmView{Tx: "t1", Service: evil, Code: "WDJB-MJHT", Minutes: 7}},
			[]string{`id="device-yes"`, `id="device-no"`, `value="yes"`, `value="no"`, `action="/device/confirm"`, "およそ7分前", "役所や会社の人が", "WDJB-MJHT"}},
		"device done":    {web.Page{Name: "device-done", Title: "device.done.title", Data: deviceDoneView{Service: service, Approved: true}}, []string{`id="device-done"`}},
		"device denied":  {web.Page{Name: "device-done", Title: "device.denied.title", Data: deviceDoneView{Service: service}}, []string{`id="device-denied"`}},
		"device login":   {login(loginView{Tx: "t1", Service: service, Device: true}), []string{"別の機器の「見本e-Tax」"}},
		"device folder":  {web.Page{Name: "folder-open", Title: "folder.title", OpenForm: true, Data: folderView{Tx: "t1", Service: service, Device: true}}, []string{"の機器に渡す情報"}},
		"device consent": {web.Page{Name: "consent", Title: "consent.title", TitleArgs: []string{"service", service.Name}, OpenForm: true, Data: consentView{Tx: "t1", Service: service, Device: true}}, []string{"機器に渡ります"}},
		"home":           {web.Page{Name: "home", Title: "home.title"}, []string{`href="/account"`}},
		"terms":          {web.Page{Name: "terms", Title: "terms.title"}, nil}, "help": {web.Page{Name: "help", Title: "help.title"}, []string{`id="card-app"`}},
		"consent in detail": {web.Page{Name: "consent", Title: "consent.title", TitleArgs: []string{"service", service.Name}, OpenForm: true, Data: consentView{
			Tx: "t1", Service: service, Details: []detailView{{Type: "application", Title: "手続き", Facts: []web.Description{{Term: "できること", Values: []string{"見る", evil.Name}}}}},
		}}, []string{`id="consent-details"`, `data-detail="application"`, `id="consent-allow"`}},
		"form post": {web.Page{Name: "form-post", Title: "form_post.title", TitleArgs: []string{"service", service.Name}, OpenForm: true, Once: true, Data: formPostView{
			Service: service, Action: "https://app.example/cb?a=1&b=%20", Fields: []formField{{"code", `"><script>alert(1)</script>`}},
		}}, []string{`id="form-post"`, `action="https://app.example/cb?a=1&amp;b=%20"`, `id="form-post-go"`, `name="code"`, `form-post.js" defer></script>`}},
		"notices none": {web.Page{Name: "notices", Title: "notices.title", SignedIn: true, Data: noticesView{Done: "stopped"}}, []string{"お知らせはまだありません"}},
		"notices": {web.Page{Name: "notices", Title: "notices.title", SignedIn: true, Data: noticesView{
			Unread: 1, Until: 5, List: []noticeView{
				{What: "新しいブラウザー", Word: "sign-in", When: at, Lines: []string{evil.Name, evil.Operator}, Unread: true, NotMe: "/not-me/abc"},
				{What: "新しいブラウザー", Word: "sign-in", When: at, NotMe: "/not-me/def", Over: true}},
			Ways: []wayView{{Via: "mail", Live: evil.Name, Failed: true}, {Via: "webhook", Waiting: "https://hook.example/"}},
		}}, []string{`data-notice="sign-in" data-unread`, `href="/not-me/abc"`, `name="until" value="5"`, `data-way="mail"`, "data-live", "data-waiting", `action="/account/notices/mail/stop"`, `action="/account/notices/webhook/stop"`}},
		"notices by mail": {web.Page{Name: "notice-way", Title: "notices.mail.title", SignedIn: true, Error: "address_invalid", Data: &noticeWayView{
			Via: "mail", Address: web.Field{ID: "address", Label: "メールアドレス", Value: evil.Name, Error: evil.Name}, Kinds: []kindView{{"sign-in", true}, {"link", false}},
			Lang: web.Select{ID: "lang", Label: "言葉", Options: []web.Option{{Value: "ja", Label: "日本語", Selected: true}}}, Problems: []web.FieldError{{Field: "address", Text: evil.Name}},
		}}, []string{`action="/account/notices/mail"`, `id="kind-sign-in"`, `name="kind-link"`, `id="notices-save"`, `href="#address"`}},
		"notices by webhook": {web.Page{Name: "notice-way", Title: "notices.webhook.title", SignedIn: true, Data: &noticeWayView{Via: "webhook", Address: web.Field{ID: "address"}, Lang: web.Select{ID: "lang"}}},
			[]string{`action="/account/notices/webhook"`}},
		"notice confirm": {web.Page{Name: "notice-confirm", Title: "notices.confirm.title", SignedIn: true, Data: noticeConfirmView{Via: "mail", Address: evil.Name, Proof: "p1"}},
			[]string{`id="notices-confirm"`, `name="proof" value="p1"`, `action="/account/notices/confirm"`}},
		"notice confirm over": {web.Page{Name: "notice-confirm", Title: "notices.confirm.over.title", Error: "address_not_waiting", Data: noticeConfirmView{Over: true}},
			[]string{`data-error="address_not_waiting"`, `href="/account/notices"`}},
		"not me": {web.Page{Name: "not-me", Title: "not_me.title", Data: notMeView{Action: "/not-me/abc", What: "新しいブラウザー", When: at, Lines: []string{evil.Name}}},
			[]string{`id="not-me"`, `action="/not-me/abc"`}},
		"not me, done": {web.Page{Name: "not-me", Title: "not_me.done.title", Data: notMeView{Done: true, Live: true}}, []string{`data-disowned="ended"`, `id="not-me-account"`, "0120-95-0178"}},
		"not me, over": {web.Page{Name: "not-me", Title: "not_me.done.title", Data: notMeView{Done: true}}, []string{`data-disowned="over"`}},
		"developers": {web.Page{Name: "developers", Title: "developers.title", Data: developersView{Issuer: evil.Name, Register: "https://hub.example/register",
			Endpoints: []web.Term{{Name: "token_endpoint", Value: "https://hub.example/token"}}, Levels: []string{ACRCard, ACRPasskey, ACRRemote}}},
			[]string{`id="issuer"`, "https://hub.example/token", "curl https://hub.example/register"}},
		"developers, closed": {web.Page{Name: "developers", Title: "developers.title", Data: developersView{}}, nil},
		"privacy":            {web.Page{Name: "privacy", Title: "privacy.title"}, nil}, "accessibility": {web.Page{Name: "accessibility", Title: "accessibility.title"}, nil},
	}
}

func renderPage(t *testing.T, site *web.Site, lang string, p web.Page) string {
	t.Helper()
	w := httptest.NewRecorder()
	site.Render(w, httptest.NewRequest(http.MethodGet, "/?lang="+lang, nil), http.StatusOK, p)
	if w.Code != http.StatusOK {
		t.Fatalf("%s in %s: status %d", p.Name, lang, w.Code)
	}
	return w.Body.String()
}

// Every page, with and without what may be missing, in every language: hooks, one h1, and nothing a service named itself comes out
// as markup.
func TestPagesRender(t *testing.T) {
	site, err := NewSite(false, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range pageSamples() {
		for _, lang := range web.Languages() {
			body := renderPage(t, site, lang.Code, s.page)
			for _, hook := range s.hooks {
				if !strings.Contains(body, hook) && (lang.Code == "ja" || !regexp.MustCompile(`\p{Han}`).MatchString(hook)) {
					t.Errorf("%s in %s: no %s", name, lang.Code, hook)
				}
			}
			if n := strings.Count(body, "<h1"); n != 1 {
				t.Errorf("%s: %d h1", name, n)
			}
			for _, bad := range []string{"<script>", "<b>", `href="javascript`, "ZgotmplZ\" onclick"} {
				if strings.Contains(body, bad) {
					t.Errorf("%s in %s: %s got through", name, lang.Code, bad)
				}
			}
		}
	}
}

var titlePattern = regexp.MustCompile(`<title>(.*)</title>`)

// Where one is must be told by the title alone: by tab, by history, by screen reader.
func TestPageTitlesAreDistinct(t *testing.T) {
	site, err := NewSite(false, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range web.Languages() {
		seen := map[string]string{}
		for _, s := range pageSamples() {
			title := titlePattern.FindStringSubmatch(renderPage(t, site, lang.Code, s.page))[1]
			if other, ok := seen[title]; ok && other != s.page.Name {
				t.Errorf("%s: %s and %s are both called %s", lang.Code, other, s.page.Name, title)
			}
			seen[title] = s.page.Name
		}
	}
}

// Each refusal has a page of its own that says what to do next.
func TestEveryRefusalHasItsPage(t *testing.T) {
	site, err := NewSite(false, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	words := []string{OtherBrowser.String(), ReturnUsed.String(), ReturnUnknown.String(), QRExpired.String(), QRUsed.String(), QRLinked.String(), QRSameDevice.String()}
	for r := cardauth.Malformed; r <= cardauth.RevocationUnavailable; r++ {
		words = append(words, r.String())
	}
	if len(words) < 19 {
		t.Fatalf("only %d refusals", len(words))
	}
	for _, word := range words {
		for _, lang := range web.Languages() {
			p := web.Page{Name: "card-refused", Title: "refused." + word + ".title", Error: word, OpenForm: true}
			p.Data = refusedView{Tx: "t1", Reason: word, Service: serviceView{Name: "見本e-Tax"}}
			body := renderPage(t, site, lang.Code, p)
			for _, want := range []string{`data-error="` + word + `"`, `action="/login/card"`, `id="login-cancel"`} {
				if !strings.Contains(body, want) {
					t.Errorf("%s in %s: no %s", word, lang.Code, want)
				}
			}
			p.Data = refusedView{Reason: word, Final: true}
			if body := renderPage(t, site, lang.Code, p); strings.Contains(body, "<form") {
				t.Errorf("%s without a login offers a form", word)
			}
		}
	}
	for r := UnknownClient; r <= Internal; r++ {
		w := httptest.NewRecorder()
		site.FailWith(w, httptest.NewRequest(http.MethodGet, "/", nil), r.status(), r.String(), web.ErrorView{Developer: []web.Term{{Name: "error", Value: "<x>"}}})
		if slices.Contains([]Reason{OtherBrowser, ReturnUsed, ReturnUnknown, QRExpired, QRUsed, QRLinked, QRSameDevice, MethodNotAllowed, CodeWrong, CodeExpired, CodeUsed}, r) {
			continue // shown by card-refused, as not_found, and by device
		}
		if w.Code != r.status() || !strings.Contains(w.Body.String(), `data-error="`+r.String()+`"`) {
			t.Errorf("%s: status %d", r, w.Code)
		}
	}
}
