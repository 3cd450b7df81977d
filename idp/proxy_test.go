package idp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

const (
	familyID  = "family"
	familyURI = "https://family.example/callback"
)

// family is a hub with a service that accepts representatives, and two citizens who signed in there.
type family struct {
	*idptest.Hub
	t            *testing.T
	taro, hanako *idptest.Browser
	told         *told
	client       map[string]any
}

// told is what a service was told of sign-outs.
type told struct {
	*httptest.Server
	mu     sync.Mutex
	tokens []map[string]any
}

func (s *told) all() []map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]map[string]any(nil), s.tokens...)
}

func (s *told) eventually(t *testing.T, ok func([]map[string]any) bool) {
	t.Helper()
	for range 200 {
		if ok(s.all()) {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("the service was told %v", s.all())
}

// claimsOf reads a JWT without judging it.
func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %q", token)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(b, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func startFamily(t *testing.T, o idptest.Options) *family {
	t.Helper()
	f := &family{t: t, told: &told{}}
	f.told.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims := claimsOf(t, r.PostFormValue("logout_token"))
		f.told.mu.Lock()
		defer f.told.mu.Unlock()
		f.told.tokens = append(f.told.tokens, claims)
		w.WriteHeader(http.StatusOK)
	}))
	t.Cleanup(f.told.Close)
	digest := sha256.Sum256([]byte(idptest.Secret))
	f.client = map[string]any{
		"client_id": familyID, "client_name": "家族のサービス", "operator": "試験の運営者", "redirect_uris": []string{familyURI},
		"grant_types": []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"},
		"scope":       "openid offline_access profile link", "token_endpoint_auth_method": "client_secret_basic",
		"client_secret_sha256": hex.EncodeToString(digest[:]), "accepts_representatives": true, "authorization_details_types": []string{"signature"},
		"resources": []string{taxAPI, "https://kin.example/"}, "backchannel_logout_uri": f.told.URL + "/bye", "development": true, "status_list_logout": true,
	}
	o.Clients = append(o.Clients, f.client, map[string]any{
		"client_id": "kin", "client_name": "家族の先", "operator": "試験の運営者", "redirect_uris": []string{"https://kin.example/callback"},
		"token_endpoint_auth_method": "client_secret_basic", "client_secret_sha256": hex.EncodeToString(digest[:]),
		"serves": []string{"https://kin.example/"}, "accepts_representatives": true,
	}, map[string]any{
		"client_id": "tax", "client_name": "税の先", "operator": "試験の運営者", "redirect_uris": []string{"https://tax.example/callback"},
		"token_endpoint_auth_method": "client_secret_basic", "client_secret_sha256": hex.EncodeToString(digest[:]), "serves": []string{taxAPI},
	})
	o.Reachable = append(o.Reachable, f.told.Listener.Addr().String())
	f.Hub = idptest.Start(t, o)
	f.taro, f.hanako = f.Browser(t), f.Browser(t)
	f.enter(f.taro, "taro")
	f.enter(f.hanako, "hanako")
	return f
}

// ask is a request of the service.
func (f *family) ask(changes ...string) idptest.Request {
	return idptest.NewRequest(append([]string{"client_id", familyID, "redirect_uri", familyURI, "scope", "openid offline_access profile link"}, changes...)...)
}

// enter signs somebody in at the service for herself and returns the tokens.
func (f *family) enter(b *idptest.Browser, card string, changes ...string) idptest.Answer {
	f.t.Helper()
	r := f.ask(changes...)
	p := b.Get(r.Path())
	if strings.Contains(p.Body, `action="/login/card"`) {
		p = b.SignIn(p, card)
	}
	if p.URL.Path == "/represent" {
		p = b.Finish(f.choose(b, p, "self"))
	}
	return f.redeem(p, r)
}

// enterFor signs somebody in at the service for another.
func (f *family) enterFor(b *idptest.Browser, mandate string, changes ...string) idptest.Answer {
	f.t.Helper()
	r := f.ask(changes...)
	p := b.Get(r.Path())
	if p.URL.Path != "/represent" {
		f.t.Fatalf("no choice: %d %s %s", p.Status, p.URL, p.Error())
	}
	return f.redeem(f.choose(b, p, mandate), r)
}

func (f *family) choose(b *idptest.Browser, p idptest.Page, who string) idptest.Page {
	f.t.Helper()
	return b.Post("/represent", url.Values{"tx": {p.Tx()}, "who": {who}})
}

func (f *family) redeem(p idptest.Page, r idptest.Request) idptest.Answer {
	f.t.Helper()
	code := p.URL.Query().Get("code")
	if code == "" {
		f.t.Fatalf("no code: %d %s %s", p.Status, p.URL, p.Error())
	}
	return f.PostForm(f.t, "/token", familyID, idptest.Secret, idptest.CodeForm(code, r))
}

var (
	inviteShown = regexp.MustCompile(`id="invite-code">([A-Z-]+)<`)
	hiddenID    = regexp.MustCompile(`name="id" value="([^"]+)"`)
	numberShown = regexp.MustCompile(`data-number>(\d{4})<`)
)

func found(t *testing.T, re *regexp.Regexp, p idptest.Page) string {
	t.Helper()
	m := re.FindStringSubmatch(p.Body)
	if m == nil {
		t.Fatalf("no %s on %s (%d %s)", re, p.URL, p.Status, p.Error())
	}
	return m[1]
}

// invite makes an invitation and returns its code and the mandate's id.
func (f *family) invite(b *idptest.Browser) (code, id string) {
	f.t.Helper()
	id = found(f.t, hiddenID, b.Get("/account/representatives/new"))
	p := b.Post("/account/representatives/new", url.Values{
		"id": {id}, "note": {"長女の花子"}, "name": {"父"}, "service": {familyID}, "months": {"3"},
	})
	return found(f.t, inviteShown, p), id
}

// accept accepts an invitation and returns the number that is shown.
func (f *family) accept(b *idptest.Browser, code string) string {
	f.t.Helper()
	if p := b.Post("/account/representing", url.Values{"code": {strings.ToLower(code)}}); !strings.Contains(p.Body, `id="invite-accept"`) || !strings.Contains(p.Body, "父") {
		f.t.Fatalf("code not taken: %d %s", p.Status, p.Error())
	}
	return found(f.t, numberShown, b.Post("/account/representing/accept", url.Values{"code": {code}}))
}

// represent brings a mandate from the one to the other into force.
func (f *family) represent(from, to *idptest.Browser) string {
	f.t.Helper()
	code, id := f.invite(from)
	number := f.accept(to, code)
	if p := from.Post("/account/representatives/"+id+"/confirm", url.Values{"number": {number}}); !strings.Contains(p.URL.RawQuery, "done=confirmed") {
		f.t.Fatalf("not confirmed: %d %s %s", p.Status, p.URL, p.Error())
	}
	return id
}

func (f *family) alive(a idptest.Answer) bool {
	f.t.Helper()
	told := f.PostForm(f.t, "/introspect", familyID, idptest.Secret, url.Values{"token": {a.Text("access_token")}})
	return told.JSON["active"] == true
}

func TestRepresentativeActsForAnother(t *testing.T) {
	f := startFamily(t, idptest.Options{})
	// What is known of taro must not come out.
	f.taro.Post("/account/details", url.Values{"name": {"税務 太郎"}})
	own, hers := f.enter(f.taro, "taro"), f.enter(f.hanako, "hanako")
	taro, hanako := claimsOf(t, own.Text("id_token")), claimsOf(t, hers.Text("id_token"))
	if taro["act"] != nil || hanako["act"] != nil {
		t.Fatalf("act without a representative: %v, %v", taro["act"], hanako["act"])
	}
	id := f.represent(f.taro, f.hanako)

	acting := f.enterFor(f.hanako, id, "claims", `{"id_token":{"name":null},"userinfo":{"name":null,"acr":null}}`)
	claims := claimsOf(t, acting.Text("id_token"))
	act, _ := claims["act"].(map[string]any)
	if claims["sub"] != taro["sub"] || act["sub"] != hanako["sub"] || claims["sid"] != hanako["sid"] || claims["acr"] != "phrh" || claims["name"] != nil {
		t.Errorf("id token %v; taro %v, hanako %v", claims, taro["sub"], hanako["sub"])
	}
	if acting.Text("scope") != "openid" || acting.Text("refresh_token") != "" {
		t.Errorf("scope %q, refresh token %q", acting.Text("scope"), acting.Text("refresh_token"))
	}
	info := f.Bearer(t, http.MethodGet, "/userinfo", acting.Text("access_token"))
	if a, _ := info.JSON["act"].(map[string]any); info.Text("sub") != taro["sub"] || a["sub"] != hanako["sub"] || info.JSON["name"] != nil {
		t.Errorf("userinfo %s", info.Raw)
	}
	seen := f.PostForm(t, "/introspect", familyID, idptest.Secret, url.Values{"token": {acting.Text("access_token")}})
	if a, _ := seen.JSON["act"].(map[string]any); seen.JSON["active"] != true || seen.Text("sub") != taro["sub"] || a["sub"] != hanako["sub"] {
		t.Errorf("introspection %s", seen.Raw)
	}
	if p := f.taro.Get("/account/representatives"); !strings.Contains(p.Body, "data-uses") || strings.Contains(p.Body, "data-no-uses") {
		t.Error("taro does not see that hanako acted")
	}
	rows, err := f.Audit.List(t.Context(), audit.Query{Limit: 10, Kind: "mandate.used"})
	if err != nil || len(rows) != 1 || rows[0].Account == "" || rows[0].Actor == "" || rows[0].Account == rows[0].Actor || rows[0].Client != familyID {
		t.Errorf("audit %+v, %v", rows, err)
	}
	// For herself she still is herself.
	if again := claimsOf(t, f.enter(f.hanako, "hanako").Text("id_token")); again["sub"] != hanako["sub"] || again["act"] != nil {
		t.Errorf("hanako for herself: %v", again)
	}
}

func TestRepresentativeIsRefusedElsewhere(t *testing.T) {
	f := startFamily(t, idptest.Options{})
	id := f.represent(f.taro, f.hanako)
	acting := f.enterFor(f.hanako, id)
	token := acting.Text("access_token")
	for _, call := range []struct{ method, path string }{
		{http.MethodGet, "/api/link"}, {http.MethodPut, "/api/link"}, {http.MethodDelete, "/api/link"}, {http.MethodGet, "/api/account/services"},
		{http.MethodGet, "/api/signatures/" + strings.Repeat("a", 22)}, {http.MethodGet, "/api/service"},
	} {
		if a := f.Bearer(t, call.method, call.path, token); a.Status != http.StatusForbidden && a.Status != http.StatusNotFound {
			t.Errorf("%s %s: %d %s", call.method, call.path, a.Status, a.Raw)
		}
	}
	a := f.PostForm(t, "/token", familyID, idptest.Secret, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {token}, "subject_token_type": {accessType}, "resource": {"https://kin.example/"},
	})
	if a.Status != http.StatusBadRequest || a.Text("error") != "invalid_request" {
		t.Errorf("exchange: %d %s", a.Status, a.Raw)
	}
	// A service that does not accept representatives never hears of one.
	r := idptest.NewRequest()
	p := f.hanako.Finish(f.hanako.Get(r.Path()))
	if claims := claimsOf(t, f.Redeem(t, p.URL.Query().Get("code"), r).Text("id_token")); claims["act"] != nil {
		t.Errorf("a service that knows no act got %v", claims)
	}
	// No chain: whom hanako names acts for hanako.
	taro := claimsOf(t, f.enter(f.taro, "taro").Text("id_token"))
	hanako := claimsOf(t, f.enter(f.hanako, "hanako").Text("id_token"))
	third := f.Browser(t)
	third.SignIn(third.Get("/account/representing"), "phone")
	chain := f.represent(f.hanako, third)
	r = f.ask()
	p = third.Get(r.Path())
	if strings.Contains(p.Body, id) {
		t.Error("the third is offered to act for taro")
	}
	if p = f.choose(third, p, id); p.Status != http.StatusBadRequest {
		t.Errorf("the third acts for taro: %d %s", p.Status, p.URL)
	}
	claims := claimsOf(t, f.enterFor(third, chain).Text("id_token"))
	if act, _ := claims["act"].(map[string]any); claims["sub"] != hanako["sub"] || claims["sub"] == taro["sub"] || act["act"] != nil {
		t.Errorf("chain: %v", claims)
	}
	// Nobody signs in another's name: what is asked in detail is the citizen's own.
	details := `[{"type":"signature","document":{"name":"x","digest_alg":"sha-256","digest":"` + base64.RawURLEncoding.EncodeToString(make([]byte, 32)) + `"}}]`
	if p := f.hanako.Get(f.ask("authorization_details", details).Path()); p.URL.Path == "/represent" {
		t.Error("the citizen is asked for whom she signs")
	}
	hinted := f.hanako.Get(f.ask("authorization_details", details, "prompt", "none", "id_token_hint", acting.Text("id_token")).Path())
	if e := hinted.URL.Query().Get("error"); e != "login_required" {
		t.Errorf("signature for another: %q", e)
	}
}

func TestRepresentativeAtResources(t *testing.T) {
	f := startFamily(t, idptest.Options{})
	id := f.represent(f.taro, f.hanako)
	r := f.ask("resource", taxAPI)
	p := f.choose(f.hanako, f.hanako.Get(r.Path()), id)
	if a := f.redeem(p, r); a.Status != http.StatusBadRequest || a.Text("error") != "invalid_target" {
		t.Errorf("a resource that knows no act: %d %s", a.Status, a.Raw)
	}
	acting := f.enterFor(f.hanako, id, "resource", "https://kin.example/")
	kin := toldTo(t, f.Hub, "kin", acting.Text("access_token"))
	own := claimsOf(t, acting.Text("id_token"))
	act, _ := kin["act"].(map[string]any)
	ownAct, _ := own["act"].(map[string]any)
	if kin["active"] != true || kin["sub"] == own["sub"] || act["sub"] == nil || act["sub"] == ownAct["sub"] || act["sub"] == kin["sub"] {
		t.Errorf("at the resource %v; at the client %v", kin, own)
	}
	seen := f.PostForm(t, "/introspect", familyID, idptest.Secret, url.Values{"token": {acting.Text("access_token")}})
	if a, _ := seen.JSON["act"].(map[string]any); seen.Text("sub") != own["sub"] || a["sub"] != ownAct["sub"] {
		t.Errorf("the client is told %s", seen.Raw)
	}
}

func TestRepresentativeWithPromptNone(t *testing.T) {
	f := startFamily(t, idptest.Options{})
	quiet := func(changes ...string) url.Values {
		return f.hanako.Get(f.ask(append([]string{"prompt", "none"}, changes...)...).Path()).URL.Query()
	}
	self := f.enter(f.hanako, "hanako").Text("id_token")
	id := f.represent(f.taro, f.hanako)
	if q := quiet(); q.Get("code") == "" { // she entered for herself in this session
		t.Errorf("after her own sign-in: %v", q)
	}
	other := f.Browser(t)
	other.SignIn(other.Get("/account/representing"), "hanako")
	if q := other.Get(f.ask("prompt", "none").Path()).URL.Query(); q.Get("error") != "interaction_required" {
		t.Errorf("never chosen: %v", q)
	}
	acting := f.enterFor(f.hanako, id).Text("id_token")
	r := f.ask("prompt", "none", "id_token_hint", acting)
	if claims := claimsOf(t, f.redeem(f.hanako.Get(r.Path()), r).Text("id_token")); claims["act"] == nil || claims["sub"] != claimsOf(t, acting)["sub"] {
		t.Errorf("as she last chose: %v", claims)
	}
	if q := quiet("id_token_hint", self); q.Get("error") != "login_required" {
		t.Errorf("asked for herself while she acts: %v", q)
	}
	f.taro.Post("/account/representatives/"+id+"/end", nil)
	if q := quiet(); q.Get("error") != "interaction_required" {
		t.Errorf("after the end: %v", q)
	}
	// The choice that was made is no sign-in as herself.
	if p := f.hanako.Get(f.ask("id_token_hint", self).Path()); p.URL.Query().Get("code") == "" {
		t.Errorf("for herself: %d %s", p.Status, p.URL)
	}
}

func TestEndOfAMandateEndsItsTokens(t *testing.T) {
	f := startFamily(t, idptest.Options{})
	ends := map[string]func(id string){
		"by the person represented": func(id string) { f.taro.Post("/account/representatives/"+id+"/end", nil) },
		"by the representative":     func(id string) { f.hanako.Post("/account/representing/"+id+"/end", nil) },
	}
	for name, end := range ends {
		id := f.represent(f.taro, f.hanako)
		acting, hers := f.enterFor(f.hanako, id), f.enter(f.hanako, "hanako")
		r := f.ask()
		waiting := f.choose(f.hanako, f.hanako.Get(r.Path()), id) // a code that nobody redeemed yet
		sid := claimsOf(t, acting.Text("id_token"))["sid"]
		if !f.alive(acting) {
			t.Fatalf("%s: dead before its end", name)
		}
		before := len(f.told.all())
		end(id)
		if f.alive(acting) {
			t.Errorf("%s: its token lives", name)
		}
		if a := f.redeem(waiting, r); a.Status != http.StatusBadRequest {
			t.Errorf("%s: its code was redeemed: %d %s", name, a.Status, a.Raw)
		}
		if a := f.Bearer(t, http.MethodGet, "/userinfo", acting.Text("access_token")); a.Status != http.StatusUnauthorized {
			t.Errorf("%s: userinfo answered %d", name, a.Status)
		}
		if !f.alive(hers) {
			t.Errorf("%s: the representative's own token died", name)
		}
		f.told.eventually(t, func(all []map[string]any) bool {
			return len(all) == before+1 && all[before]["sid"] == sid && all[before]["sub"] == nil
		})
	}
}

func TestGroundsOfAMandate(t *testing.T) {
	for name, tt := range map[string]struct {
		happens func(f *family)
		alive   bool
	}{
		"the representative signs out everywhere":      {func(f *family) { f.hanako.Post("/account/sign-out-everywhere", nil) }, false},
		"the person represented signs out everywhere":  {func(f *family) { f.taro.Post("/account/sign-out-everywhere", nil) }, true},
		"the person represented disconnects a service": {func(f *family) { f.disconnect() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFamily(t, idptest.Options{})
			acting := f.enterFor(f.hanako, f.represent(f.taro, f.hanako))
			tt.happens(f)
			if f.alive(acting) != tt.alive {
				t.Errorf("alive %t, want %t", !tt.alive, tt.alive)
			}
		})
	}
}

// disconnect ends what the service may do for taro, from its side.
func (f *family) disconnect() {
	f.t.Helper()
	if a := f.Bearer(f.t, http.MethodDelete, "/api/link", f.enter(f.taro, "taro").Text("access_token")); a.Status >= 300 {
		f.t.Fatalf("disconnect: %d %s", a.Status, a.Raw)
	}
}

func TestMandateEndsWithItsPeriod(t *testing.T) {
	c := newClock()
	f := startFamily(t, idptest.Options{Now: c.now})
	id := f.represent(f.taro, f.hanako)
	c.advance(62 * 24 * time.Hour)
	f.hanako = f.Browser(t)
	f.enter(f.hanako, "hanako")
	acting := f.enterFor(f.hanako, id)
	if !f.alive(acting) {
		t.Fatal("dead before its period was over")
	}
	c.advance(40 * 24 * time.Hour)
	f.hanako = f.Browser(t)
	r := f.ask()
	if p := f.hanako.SignIn(f.hanako.Get(r.Path()), "hanako"); p.URL.Query().Get("code") == "" {
		t.Errorf("asked after the period: %d %s", p.Status, p.URL)
	}
}

// TestNewCardChangesNoMandate: both are persons, not certificates.
func TestNewCardChangesNoMandate(t *testing.T) {
	f := startFamily(t, idptest.Options{Own: true})
	id := f.represent(f.taro, f.hanako)
	before := claimsOf(t, f.enterFor(f.hanako, id).Text("id_token"))
	f.PKI.Linkage().Tell(leaf(t, f.Hub, "taro-renewed"), leaf(t, f.Hub, "taro"))
	renewed := f.Browser(t)
	renewed.SignIn(renewed.Get("/account/representatives"), "taro-renewed")
	if p := renewed.Get("/account/representatives"); !strings.Contains(p.Body, `data-mandate="`+id+`" data-state="in_force"`) {
		t.Errorf("the mandate is not on the page after the renewal")
	}
	after := claimsOf(t, f.enterFor(f.hanako, id).Text("id_token"))
	if after["sub"] != before["sub"] {
		t.Errorf("taro was %v and is %v", before["sub"], after["sub"])
	}
	// And the other way round: the one whose card is renewed is the representative.
	back := f.represent(f.hanako, renewed)
	if claims := claimsOf(t, f.enterFor(renewed, back).Text("id_token")); claims["act"].(map[string]any)["sub"] != before["sub"] {
		t.Errorf("the representative with the new card is %v, was %v", claims["act"], before["sub"])
	}
}

func TestInvitationCodesAreNotGuessed(t *testing.T) {
	f := startFamily(t, idptest.Options{})
	code, _ := f.invite(f.taro)
	for i := range 10 {
		p := f.hanako.Post("/account/representing", url.Values{"code": {"BBBB-CCCC-DDDD"}})
		if p.Error() != "invite_wrong" {
			t.Fatalf("try %d: %d %q", i, p.Status, p.Error())
		}
	}
	p := f.hanako.Post("/account/representing", url.Values{"code": {code}})
	if p.Status != http.StatusTooManyRequests || p.Error() != "invite_many" || p.Header.Get("Retry-After") == "" {
		t.Errorf("the right code after ten wrong ones: %d %q", p.Status, p.Error())
	}
	if n := count(t, f.Hub, "mandate.wrong_code"); n != 10 {
		t.Errorf("%d wrong codes in the audit log", n)
	}
	if p := f.taro.Post("/account/representing", url.Values{"code": {code}}); p.Error() != "invite_own" {
		t.Errorf("her own code: %d %q", p.Status, p.Error())
	}
}

func TestWrongPersonIsNotConfirmed(t *testing.T) {
	f := startFamily(t, idptest.Options{})
	code, id := f.invite(f.taro)
	number := f.accept(f.hanako, code)
	if p := f.taro.Get("/account/representatives/" + id + "/confirm"); strings.Contains(p.Body, number) {
		t.Error("the number is on the page that asks for it")
	}
	if p := f.taro.Get("/account"); !strings.Contains(p.Body, `id="mandate-waiting"`) {
		t.Error("the account page does not say that somebody waits")
	}
	// The one who accepted cannot say herself that she is the right one.
	if p := f.hanako.Post("/account/representatives/"+id+"/confirm", url.Values{"number": {number}}); p.Status != http.StatusNotFound {
		t.Errorf("confirmed by the representative: %d %s", p.Status, p.URL)
	}
	wrong := "0000"
	if number == wrong {
		wrong = "0001"
	}
	for range 2 {
		if p := f.taro.Post("/account/representatives/"+id+"/confirm", url.Values{"number": {wrong}}); p.Error() != "mandate_number" {
			t.Fatalf("wrong number: %d %q", p.Status, p.Error())
		}
	}
	f.taro.Post("/account/representatives/"+id+"/confirm", url.Values{"number": {wrong}})
	if p := f.taro.Get("/account/representatives"); !strings.Contains(p.Body, `data-mandate="`+id+`" data-state="ended"`) {
		t.Error("three wrong numbers did not end it")
	}
	if p := f.hanako.Get(f.ask().Path()); p.URL.Path == "/represent" {
		t.Error("somebody who was not confirmed may act")
	}
}

// TestMandatesNeedAFreshCard: a session of an hour ago names nobody.
func TestMandatesNeedAFreshCard(t *testing.T) {
	c := newClock()
	f := startFamily(t, idptest.Options{Now: c.now})
	code, id := f.invite(f.taro)
	number := f.accept(f.hanako, code)
	c.advance(11 * time.Minute)
	for _, p := range []idptest.Page{
		f.taro.Get("/account/representatives/new"), f.taro.Post("/account/representatives/"+id+"/confirm", url.Values{"number": {number}}),
		f.hanako.Post("/account/representing", url.Values{"code": {code}}), f.hanako.Post("/account/representing/accept", url.Values{"code": {code}}),
		f.taro.Post("/account/representatives/new", url.Values{"id": {strings.Repeat("a", 22)}, "note": {"a"}, "name": {"b"}, "service": {familyID}, "months": {"1"}}),
	} {
		if p.URL.Path != "/login" {
			t.Errorf("%s: %d without a card", p.URL, p.Status)
		}
	}
}

func TestMandateForm(t *testing.T) {
	f := startFamily(t, idptest.Options{})
	id := found(t, hiddenID, f.taro.Get("/account/representatives/new"))
	good := url.Values{"id": {id}, "note": {"花子"}, "name": {"父"}, "service": {familyID}, "months": {"3"}}
	for field, value := range map[string][]string{
		"note": {""}, "name": {strings.Repeat("長", 41)}, "service": {"app"}, "months": {"600"},
	} {
		form := url.Values{}
		for k, v := range good {
			form[k] = v
		}
		form[field] = value
		if p := f.taro.Post("/account/representatives/new", form); p.Status != http.StatusUnprocessableEntity || p.Error() != "mandate_form" || strings.Contains(p.Body, "invite-code") {
			t.Errorf("%s: %d %q", field, p.Status, p.Error())
		}
	}
	found(t, inviteShown, f.taro.Post("/account/representatives/new", good))
	if p := f.taro.Post("/account/representatives/new", good); p.URL.RawQuery != "done=made" { // pressed twice
		t.Errorf("pressed twice: %d %s", p.Status, p.URL)
	}
}

// TestStatusListEndsWithTheMandate: a service that looks by itself sees the end of a representative's session.
func TestStatusListEndsWithTheMandate(t *testing.T) {
	f := startFamily(t, idptest.Options{})
	position := func(a idptest.Answer) position {
		t.Helper()
		p, ok := positionOf(t, a)
		if !ok {
			t.Fatalf("no status: %d %s", a.Status, a.Raw)
		}
		return p
	}
	id := f.represent(f.taro, f.hanako)
	away, r := f.Browser(t), f.ask() // where she has not been at the service for herself
	acting := position(f.redeem(f.choose(away, away.SignIn(away.Get(r.Path()), "hanako"), id), r))
	wantEnded(t, f.Hub, acting, false)
	f.taro.Post("/account/representatives/"+id+"/end", nil)
	wantEnded(t, f.Hub, acting, true)
	if again := position(f.enter(away, "hanako")); again == acting {
		t.Error("her own session has the position of the one that ended")
	}
}

// TestDisconnectingEndsTheRepresentativesSession: the service is told of it by the session's name alone, and shown it in its status list.
func TestDisconnectingEndsTheRepresentativesSession(t *testing.T) {
	f := startFamily(t, idptest.Options{})
	acting := f.enterFor(f.hanako, f.represent(f.taro, f.hanako))
	where, _ := positionOf(t, acting)
	sid := claimsOf(t, acting.Text("id_token"))["sid"]
	r := idptest.NewRequest("scope", "openid links")
	portal := f.Redeem(t, f.Code(t, f.taro, r, "taro"), r)
	if a := f.Bearer(t, http.MethodDelete, "/api/account/links/"+familyID, portal.Text("access_token")); a.Status != http.StatusNoContent {
		t.Fatalf("disconnect: %d %s", a.Status, a.Raw)
	}
	if f.alive(acting) {
		t.Error("its token lives")
	}
	f.told.eventually(t, func(all []map[string]any) bool {
		return slices.ContainsFunc(all, func(c map[string]any) bool { return c["sid"] == sid && c["sub"] == nil })
	})
	wantEnded(t, f.Hub, where, true)
}

// TestServiceThatStopsAcceptingRepresentativesHasNone: not even those who were there before, whose tokens it no longer reads as such.
func TestServiceThatStopsAcceptingRepresentativesHasNone(t *testing.T) {
	f := startFamily(t, idptest.Options{})
	acting, own := f.enterFor(f.hanako, f.represent(f.taro, f.hanako)), f.enter(f.hanako, "hanako")
	if !f.alive(acting) {
		t.Fatal("dead before the service changed")
	}
	changed := maps.Clone(f.client)
	changed["accepts_representatives"] = false
	seed, err := json.Marshal([]any{changed})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Hub.Clients.Seed(t.Context(), seed); err != nil {
		t.Fatal(err)
	}
	if f.alive(acting) {
		t.Error("its token lives")
	}
	if a := f.Bearer(t, http.MethodGet, "/userinfo", acting.Text("access_token")); a.Status != http.StatusUnauthorized {
		t.Errorf("userinfo answered %d %s", a.Status, a.Raw)
	}
	if !f.alive(own) {
		t.Error("her own token died")
	}
}
