package console

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

// oversee makes the API answer what the pages of checks, people and oversight ask for. What it is sent is kept by path.
func (w *world) oversee() map[string]json.RawMessage {
	at := w.now().Add(-time.Hour)
	sent := map[string]json.RawMessage{}
	answer := func(pattern string, status int, out any) {
		w.api.HandleFunc(pattern, func(rw http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet && r.ContentLength != 0 {
				var in json.RawMessage
				if !w.api.read(rw, r, &in) {
					return
				}
				sent[r.Method+" "+r.URL.Path] = in
			}
			if out == nil {
				rw.WriteHeader(status)
				return
			}
			w.api.reply(rw, status, out)
		})
	}
	metadata := json.RawMessage(`{"client_id":"svc","redirect_uris":["https://svc.example/cb"],"grant_types":["authorization_code"],"scope":"openid profile","token_endpoint_auth_method":"client_secret_basic"}`)
	client := adminapi.Client{ClientID: "svc", Name: "見本市", NameEN: "Sample", Kind: adminapi.KindWeb, State: adminapi.StateLive, Version: 3, Draft: "open", Warnings: []adminapi.Warning{}}
	answer("GET /api/clients/svc", 200, adminapi.ClientDetail{
		Client: client, Live: &adminapi.Version{Version: 3, Metadata: metadata, At: at},
		Draft: &adminapi.Draft{Revision: 7, Metadata: metadata, State: "open", At: at, Authors: []string{"o1"}}, Secrets: []adminapi.Secret{},
	})
	answer("GET /api/clients/svc/figures", 200, adminapi.Figures{Logins: 2, Checks: map[string]bool{"login": true}})
	findings := []adminapi.Finding{
		{Probe: "tls", Title: "通信の暗号", TitleEN: "TLS", Verdict: adminapi.Green, Did: "した", DidEN: "did", Expected: "e", ExpectedEN: "e", Got: "g", GotEN: "g"},
		{Probe: "state", Title: "stateの確認", TitleEN: "State", Verdict: adminapi.Red, Did: "壊れた返事", DidEN: "broken answer", Expected: "e", ExpectedEN: "e", Got: "g", GotEN: "g", Remedy: "stateを比べる", RemedyEN: "compare state"},
	}
	red := adminapi.Preflight{ID: "r1", ClientID: "svc", Revision: 7, State: "done", Verdict: adminapi.Red, By: "花子", Began: at, Ended: at, Findings: findings, Planned: 2}
	running := adminapi.Preflight{ID: "r2", ClientID: "svc", Revision: 7, State: "running", By: "花子", Began: at, Findings: findings[:1], Planned: 2}
	answer("GET /api/clients/svc/preflights", 200, adminapi.PreflightList{Items: []adminapi.Preflight{running, red}, Next: "n"})
	answer("GET /api/clients/svc/preflights/r1", 200, red)
	answer("GET /api/clients/svc/preflights/r2", 200, running)
	answer("POST /api/clients/svc/preflights", 202, running)
	answer("GET /api/clients/svc/impact", 200, adminapi.Impact{Requests: 8310, Refused: 12, Since: at, Sector: true, Reasons: []adminapi.ImpactReason{
		{Word: "redirect_uri", Member: "redirect_uris", Detail: "戻り先<old>が登録されていません", Count: 12, Example: json.RawMessage(`{"redirect_uri":"https://svc.example/old"}`)},
	}})
	answer("GET /api/clients/svc/deliveries", 200, adminapi.DeliveryList{Items: []adminapi.Delivery{{ID: "d", State: "pending", Tries: 2, Created: at, Next: at}}})
	answer("GET /api/clients/svc/sessions", 200, adminapi.SessionList{Items: []adminapi.Session{{ID: "s", Since: at}}})
	answer("GET /api/status", 200, adminapi.Status{Parts: []adminapi.StatusPart{{Name: "database", State: "down", Since: at, Detail: "x"}, {Name: "other", State: "good"}}, Counts: map[string]int64{"logins": 1234}})
	answer("GET /api/keys", 200, adminapi.KeyList{Items: []adminapi.SigningKey{{Kid: "k1", Alg: "ES256", State: "current", From: at}}})
	answer("POST /api/keys/rotate", 200, adminapi.KeyList{})
	answer("GET /api/organisations", 200, adminapi.OrganisationList{Items: []adminapi.Organisation{{ID: "minato", Name: "みなと市", Contacts: []string{"a@minato.example"}}}})
	answer("PUT /api/organisations/minato", 200, adminapi.Organisation{ID: "minato"})
	answer("GET /api/operators", 200, adminapi.OperatorList{Items: []adminapi.Operator{
		{ID: "o1", Name: "花子", Roles: adminapi.Roles(), Since: at, LastSeen: at}, {ID: "o2", Name: "太郎", Roles: []adminapi.Role{adminapi.Viewer}, Since: at, Suspended: true},
	}})
	answer("POST /api/operators", 201, adminapi.Invitation{Operator: adminapi.Operator{ID: "o3", Name: "次郎"}, Code: "ABCD-EFGH-2345-6789", Until: at})
	answer("PATCH /api/operators/{id}", 200, adminapi.Operator{})
	answer("GET /api/registration-tokens", 200, adminapi.RegistrationTokenList{Items: []adminapi.RegistrationToken{{ID: "t1", Name: "partner", Scopes: []string{"openid"}, Until: w.now().Add(time.Hour), MaxClients: 3}}})
	answer("POST /api/registration-tokens", 201, adminapi.MadeRegistrationToken{RegistrationToken: adminapi.RegistrationToken{Name: "partner", Until: at}, Token: "the-token"})
	answer("DELETE /api/registration-tokens/t1", 204, nil)
	answer("GET /api/audit", 200, adminapi.AuditList{More: true, Next: "n", Items: []adminapi.AuditRow{
		{Seq: 9, At: at, Kind: "login.succeeded", Client: "svc", Actor: "o1", Trace: "7F3A-21C9", Facts: map[string]string{"acr": "phrh"}, Hash: "aa", Prev: "bb"},
		{Seq: 8, At: at, Kind: "unheard.of", Reason: "why"},
	}})
	answer("POST /api/audit/verify", 200, adminapi.AuditCheck{Rows: 8, Seq: 4, Why: "altered"})
	answer("GET /api/audit/retention", 200, adminapi.Retention{Days: 365, First: 1})
	answer("GET /api/audit/checkpoints", 200, adminapi.CheckpointList{Items: []adminapi.Checkpoint{{Seq: 9, At: at, Hash: "aa", JWS: "a.b.c"}}})
	answer("POST /api/audit/checkpoints", 201, adminapi.Checkpoint{Seq: 9})
	w.api.HandleFunc("GET /api/audit/export", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/x-ndjson")
		_, _ = rw.Write([]byte(r.URL.RawQuery + "\n"))
	})
	answer("POST /api/citizens/find", 200, adminapi.Citizen{
		Case: "c1", Since: at, Logins: []adminapi.CitizenLogin{{At: at, Client: "svc", Reason: "pin_locked"}, {At: at, ACR: "phrh"}},
		Sessions: []adminapi.CitizenDevice{{ID: "s", Since: at, LastUse: at, ACR: "phrh", Services: []string{"svc"}}},
		Links:    []adminapi.CitizenLink{{Client: "svc", State: "linked", Since: at}}, Deliveries: []adminapi.Delivery{{State: "given_up", Created: at}},
		Troubles: []adminapi.AuditRow{{Seq: 9, At: at, Kind: "login.card_refused", Reason: "pin_locked"}},
	})
	answer("POST /api/citizens/c1/end-sessions", 204, nil)
	return sent
}

func TestEveryPageOfOversightIsShown(t *testing.T) {
	w := newWorld(t)
	w.oversee()
	pages := []string{
		"/", "/clients/svc/start", "/clients/svc/start?in=node", "/clients/svc/trial", "/clients/svc/preflights", "/clients/svc/preflights/r1",
		"/clients/svc/preflights/r2", "/clients/svc/impact", "/clients/svc/logout", "/clients/svc/sessions", "/keys", "/keys/ES256/rotate", "/organisations",
		"/organisations/new", "/organisations/minato", "/operators", "/operators/new", "/operators/o2", "/operators/o1/suspend", "/operators/o2/suspend",
		"/registration-tokens", "/registration-tokens/new", "/registration-tokens/t1/end", "/audit", "/audit?from=2026-03-01&to=2026-03-31&kind=login.succeeded",
		"/audit/checkpoints", "/citizens", "/citizens/c1/end",
	}
	for name, roles := range map[string][]adminapi.Role{"everything": adminapi.Roles(), "viewer": {adminapi.Viewer}} {
		t.Run(name, func(t *testing.T) {
			b := w.as("o1", roles...)
			titles := map[string]string{}
			for _, lang := range []string{"ja", "en"} {
				for _, path := range pages {
					at := query(path, "lang", lang)
					page := b.get(at)
					wantAt(t, page, at, "")
					if page.Status != http.StatusOK || !page.Has("data-signed-in", `<h1>`) {
						t.Errorf("%s: status %d", at, page.Status)
					}
					_, rest, _ := strings.Cut(page.Body, "<title>")
					title, _, _ := strings.Cut(rest, "</title>")
					if bare, _, _ := strings.Cut(path, "?"); titles[lang+title] != "" && titles[lang+title] != bare {
						t.Errorf("%s and %s have the title %s", bare, titles[lang+title], title)
					} else {
						titles[lang+title] = bare
					}
					if name == "viewer" && page.Has(`id="start-`) {
						t.Errorf("%s offers a viewer to start something", at)
					}
				}
			}
		})
	}
}

func TestReportNamesWhatToChangeFirst(t *testing.T) {
	w := newWorld(t)
	w.oversee()
	b := w.as("o1", adminapi.Editor)
	page := b.get("/clients/svc/preflights/r1")
	if !page.Has("stateを比べる") || strings.Index(page.Body, `data-probe="state"`) > strings.Index(page.Body, `data-probe="tls"`) {
		t.Errorf("the worst finding does not come first: %s", page.Body)
	}
	if page = b.get("/clients/svc/preflights/r1?lang=en"); !page.Has("compare state") || page.Has("stateを比べる") {
		t.Error("the report is not in the reader's language")
	}
	if page = b.get("/clients/svc/preflights/r2"); !page.Has("follow.", `http-equiv="refresh"`) {
		t.Error("a report that grows is not followed")
	}
	b.get("/clients/svc/preflights?lang=ja")
	wantAt(t, b.send("/clients/svc/preflights", nil), "/clients/svc/preflights/r2", "")
}

func TestImpactIsToldWithReasonsAndEscaped(t *testing.T) {
	w := newWorld(t)
	w.oversee()
	page := w.as("o1", adminapi.Editor).get("/clients/svc/impact")
	if !page.Has("8,310", `data-reason="redirect_uri"`, "&lt;old&gt;") || page.Has("<old>") {
		t.Error(page.Body)
	}
}

func TestFormsThatAreRefusedKeepWhatWasTyped(t *testing.T) {
	w := newWorld(t)
	sent := w.oversee()
	w.api.HandleFunc("POST /api/organisations", func(rw http.ResponseWriter, r *http.Request) {
		w.api.refuse(rw, adminapi.Problem{Status: 422, Reason: adminapi.Invalid, Errors: []adminapi.FieldError{{Field: "contacts[1]", Problem: "is no address", Remedy: "mend it"}}})
	})
	b := w.as("o1", adminapi.Roles()...)
	for _, tt := range []struct {
		path  string
		form  url.Values
		field string
		keeps []string
	}{
		{"/organisations/new", url.Values{"id": {"x-city"}, "name": {"X市"}, "contacts": {"a@x.example\nwrong"}}, "contacts", []string{"x-city", "X市", "a@x.example\nwrong"}},
		{"/operators/new", url.Values{"name": {"次郎"}}, "roles", []string{"次郎"}},
		{"/operators/o1", url.Values{"roles": {"approver"}, "reason": {"x"}}, "reason", []string{`value="approver" aria-describedby="role-approver-hint" checked`}},
		{"/registration-tokens/new", url.Values{"name": {"partner"}, "days": {"x9"}, "scopes": {"openid email"}}, "days", []string{"partner", "x9", "openid email"}},
		{"/citizens", url.Values{"trouble": {"7f3a"}, "reason": {"本人から電話"}}, "trouble", []string{"7F3A", "本人から電話"}},
		{"/citizens", url.Values{"sub": {"abc"}, "reason": {"本人から電話"}}, "client_id", []string{"abc"}},
		{"/operators/o1/suspend", url.Values{"reason": {"x"}}, "reason", []string{`value="x"`}},
		{"/keys/ES256/rotate", url.Values{"reason": {""}}, "reason", nil},
	} {
		b.get(tt.path)
		page := b.send(tt.path, tt.form)
		wantAt(t, page, tt.path, "invalid")
		if page.Status != http.StatusUnprocessableEntity || !page.Has(`href="#`+tt.field+`"`, `id="`+tt.field+`"`) || !page.Has(tt.keeps...) {
			t.Errorf("%s: status %d: %s", tt.path, page.Status, page.Body)
		}
	}
	if len(sent) != 0 {
		t.Errorf("sent to the API: %v", sent)
	}
}

func TestActsThatStopSomethingTakeAReason(t *testing.T) {
	w := newWorld(t)
	sent := w.oversee()
	b := w.as("o1", adminapi.Roles()...)
	for path, want := range map[string]string{
		"/operators/o1/suspend": "PATCH /api/operators/o1", "/keys/ES256/rotate": "POST /api/keys/rotate", "/citizens/c1/end": "POST /api/citizens/c1/end-sessions",
	} {
		b.get(path)
		if page := b.send(path, url.Values{"reason": {"申し出があった"}}); page.Error() != "" || page.Status != http.StatusOK {
			t.Errorf("%s: %d %s", path, page.Status, page.Error())
		}
		if !strings.Contains(string(sent[want]), "申し出があった") {
			t.Errorf("%s was sent %s", want, sent[want])
		}
	}
	if !strings.Contains(string(sent["PATCH /api/operators/o1"]), `"suspended":true`) {
		t.Errorf("%s", sent["PATCH /api/operators/o1"])
	}
	b.get("/registration-tokens/t1/end")
	wantAt(t, b.send("/registration-tokens/t1/end", nil), "/registration-tokens?ended=1", "")
}

// Sent twice, or after a colleague did it, the form that suspends must not let the operator go on.
func TestSuspendingTwiceSuspends(t *testing.T) {
	w := newWorld(t)
	sent := w.oversee()
	b := w.as("o1", adminapi.Roles()...)
	b.get("/operators/o2/suspend") // of o2, who is suspended by now; the form is from before
	page := b.send("/operators/o2/suspend", url.Values{"reason": {"異動したため"}, "resume": {""}})
	if page.Error() != "" || !strings.Contains(string(sent["PATCH /api/operators/o2"]), `"suspended":true`) {
		t.Errorf("%s: %s", page.Error(), sent["PATCH /api/operators/o2"])
	}
	b.get("/operators/o2/suspend")
	b.send("/operators/o2/suspend", url.Values{"reason": {"戻ったため"}})
	if !strings.Contains(string(sent["PATCH /api/operators/o2"]), `"suspended":false`) {
		t.Errorf("%s", sent["PATCH /api/operators/o2"])
	}
}

func TestSuspendedOperatorsAreToldSo(t *testing.T) {
	w := newWorld(t)
	b := w.as("o1", adminapi.Editor)
	w.api.stop(adminapi.Suspended)
	for _, path := range []string{"/", "/clients", "/join"} {
		page := b.get(path)
		wantAt(t, page, path, "suspended")
		if page.Status != http.StatusForbidden || !page.Has("data-signed-in", `id="sign-out"`) || page.Has(`href="/clients"`) {
			t.Errorf("%s: %d %s", path, page.Status, page.Body)
		}
	}
}

func TestEveryKindOfTheAuditLogHasWords(t *testing.T) {
	site := newTestSite(t)
	kind, found := regexp.MustCompile(`audit\.Kind += "([a-z_.]+)"`), 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		// The card app's journal is another log.
		if d != nil && d.IsDir() && slices.Contains([]string{"node_modules", "build", ".git", "bin", "agent"}, d.Name()) {
			return filepath.SkipDir
		}
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range kind.FindAllStringSubmatch(string(source), -1) {
			found++
			for _, lang := range []string{"ja", "en"} {
				if key := "audit.kind." + m[1]; site.TextIn(lang, key) == key {
					t.Errorf("%s: no words for %s of %s", lang, key, path)
				}
			}
		}
		return err
	})
	if err != nil || found < 50 {
		t.Errorf("%d kinds, %v", found, err)
	}
}

// Browsers hold the whole way of a form against the page's policy, and signing out ends at the hub.
func TestSigningOutIsNotKeptFromTheHub(t *testing.T) {
	w := newWorld(t)
	w.oversee()
	b := w.as("o1", adminapi.Editor)
	for _, path := range []string{"/", "/clients/svc/start", "/audit"} {
		if page := b.get(path); !page.Has(`id="sign-out"`) || strings.Contains(page.Header.Get("Content-Security-Policy"), "form-action") {
			t.Errorf("%s: %s", path, page.Header.Get("Content-Security-Policy"))
		}
	}
}

func TestCodesAndTokensAreShownOnceAndInNoAddress(t *testing.T) {
	w := newWorld(t)
	sent := w.oversee()
	b := w.as("o1", adminapi.Roles()...)
	b.get("/operators/new")
	page := b.send("/operators/new", url.Values{"name": {"次郎"}, "roles": {"editor", "owner"}})
	if !page.Has("ABCD-EFGH-2345-6789") || page.URL.RawQuery != "" || page.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: %s", page.URL, page.Body)
	}
	if string(sent["POST /api/operators"]) != `{"name":"次郎","roles":["editor"]}` {
		t.Errorf("%s", sent["POST /api/operators"])
	}
	b.get("/registration-tokens/new")
	if page = b.send("/registration-tokens/new", url.Values{"name": {"partner"}, "days": {"３０"}, "fapi2": {"1"}}); !page.Has("the-token") || page.URL.RawQuery != "" {
		t.Errorf("%s: %s", page.URL, page.Body)
	}
	if string(sent["POST /api/registration-tokens"]) != `{"name":"partner","profiles":["fapi2"],"days":30}` {
		t.Errorf("%s", sent["POST /api/registration-tokens"])
	}
}

func TestCitizensAreFoundByNumbersAsPeopleSayThem(t *testing.T) {
	for in, want := range map[string]string{"7f3a-21c9": "7F3A-21C9", "７Ｆ３Ａー２１Ｃ９": "7F3A-21C9", " 7f3a 21c9 ": "7F3A-21C9", "7F3A—21C9": "7F3A-21C9", "hanako": "HANAKO"} {
		if got := trouble(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	w := newWorld(t)
	sent := w.oversee()
	b := w.as("o1", adminapi.Security)
	b.get("/citizens")
	page := b.send("/citizens", url.Values{"trouble": {"７ｆ３ａ 21c9"}, "reason": {"本人から電話"}})
	if !page.Has(`href="/citizens/c1/end"`, "カードがロックされています") || !strings.Contains(string(sent["POST /api/citizens/find"]), `"7F3A-21C9"`) {
		t.Errorf("%s: %s", sent["POST /api/citizens/find"], page.Body)
	}
}

func TestLooksThatFindNobodyKeepWhatWasTyped(t *testing.T) {
	for reason, says := range map[adminapi.Reason]string{
		adminapi.NotFound: "あてはまる人が見つかりません", adminapi.WrongState: "何人かの要求に付いています", adminapi.TooMany: "時間をおくか",
	} {
		w := newWorld(t)
		w.api.HandleFunc("POST /api/citizens/find", func(rw http.ResponseWriter, r *http.Request) {
			w.api.refuse(rw, adminapi.Problem{Status: http.StatusConflict, Reason: reason})
		})
		b := w.as("o1", adminapi.Security)
		b.get("/citizens")
		page := b.send("/citizens", url.Values{"trouble": {"7f3a-21c9"}, "reason": {"本人から電話"}})
		wantAt(t, page, "/citizens", "invalid")
		if !page.Has(says, "7F3A-21C9", "本人から電話") {
			t.Errorf("%s: %s", reason, page.Body)
		}
	}
}

func TestNumberOfAStrangersPageShowsNobody(t *testing.T) {
	w := newWorld(t)
	w.api.HandleFunc("POST /api/citizens/find", func(rw http.ResponseWriter, r *http.Request) {
		w.api.reply(rw, http.StatusOK, adminapi.Citizen{Troubles: []adminapi.AuditRow{{Seq: 9, At: w.now(), Kind: "page.trouble", Reason: "login_expired"}}})
	})
	w.api.HandleFunc("POST /api/citizens/c0/end-sessions", func(rw http.ResponseWriter, r *http.Request) {
		w.api.refuse(rw, adminapi.Problem{Status: http.StatusNotFound, Reason: adminapi.NotFound})
	})
	b := w.as("o1", adminapi.Security)
	b.get("/citizens")
	page := b.send("/citizens", url.Values{"trouble": {"7f3a-21c9"}, "reason": {"本人から電話"}})
	if !page.Has("だれもログインしていませんでした", "画面の時間が切れました") || page.Has(`id="end-sessions"`) || page.Has("本人に表示されます") || page.Has("0001年") || page.Has("1年1月1日") {
		t.Error(page.Body)
	}
	b.get("/citizens/c0/end")
	if page = b.send("/citizens/c0/end", url.Values{"reason": {"本人から電話"}}); page.Error() != "invalid" || !page.Has("この問い合わせは閉じました") {
		t.Error(page.Body)
	}
}

func TestAuditLogIsSearchedVerifiedAndHandedOver(t *testing.T) {
	w := newWorld(t)
	w.oversee()
	b := w.as("o1", adminapi.Roles()...)
	if page := b.get("/audit?from=2026-03-01&to=2026-03-31&kind=login.succeeded"); !page.Has("花子", "ログインした", "unheard.of", "/audit/export?from=2026-03-01&amp;to=2026-03-31") {
		t.Error(page.Body)
	}
	wantAt(t, b.get("/audit?from=march"), "/audit?from=march", "invalid")
	b.get("/audit")
	if page := b.send("/audit/verify", nil); !page.Has("記録 4 でつながりが切れています", "書き換えられて") {
		t.Error(page.Body)
	}
	// A day of the period is one in Japan, the last one included.
	page := b.get("/audit/export?from=2026-03-01&to=2026-03-31")
	if page.Body != "from=2026-02-28T15%3A00%3A00Z&to=2026-03-31T15%3A00%3A00Z\n" || !strings.HasPrefix(page.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%s %v", page.Body, page.Header)
	}
	if page = b.get("/audit/checkpoints/9"); page.Body != "a.b.c" {
		t.Error(page.Body)
	}
	wantAt(t, b.get("/audit/checkpoints/10"), "/audit/checkpoints/10", "not_found")
	b.get("/audit/checkpoints")
	wantAt(t, b.send("/audit/checkpoints", nil), "/audit/checkpoints?made=1", "")
}

func TestStatusPageComesAlthoughTheStateCannotBeHad(t *testing.T) {
	w := newWorld(t)
	w.api.HandleFunc("GET /api/status", func(rw http.ResponseWriter, r *http.Request) {
		w.api.refuse(rw, adminapi.Problem{Status: 503, Reason: adminapi.Failed})
	})
	if page := w.as("o1", adminapi.Viewer).get("/"); page.Status != http.StatusOK || !page.Has("状態を確かめられませんでした") {
		t.Errorf("%d %s", page.Status, page.Body)
	}
}
