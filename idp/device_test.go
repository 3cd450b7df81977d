package idp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
)

const consoleID = "console"

// television is a hub with a device of a public client and one of a confidential one, and a clock.
type television struct {
	*idptest.Hub
	*clock
}

func startTelevision(t *testing.T, o idptest.Options) *television {
	t.Helper()
	v := &television{clock: newClock()}
	o.Now = v.now
	digest := sha256.Sum256([]byte(idptest.Secret))
	o.Clients = append(o.Clients, idptest.DeviceClient(nil), idptest.DeviceClient(map[string]any{
		"client_id": consoleID, "token_endpoint_auth_method": "client_secret_basic", "client_secret_sha256": hex.EncodeToString(digest[:]),
	}))
	v.Hub = idptest.Start(t, o)
	return v
}

func wantError(t *testing.T, a idptest.Answer, status int, code string) {
	t.Helper()
	if a.Status != status || a.Text("error") != code {
		t.Errorf("%d %s, want %d %s", a.Status, a.Raw, status, code)
	}
}

func wantPage(t *testing.T, p idptest.Page, status int, reason string) {
	t.Helper()
	if p.Status != status || p.Error() != reason {
		t.Errorf("%s: %d %q, want %d %q", p.URL, p.Status, p.Error(), status, reason)
	}
}

// TestDeviceFlow: a television asks, a citizen types its code, uses her card and agrees, and the television has its tokens
// (RFC 8628 §3.1 to §3.5).
func TestDeviceFlow(t *testing.T) {
	h := startTelevision(t, idptest.Options{})
	a := h.Device(t, idptest.DeviceID, "")
	code := a.Text("user_code")
	if !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(code) {
		t.Errorf("user_code %q", code)
	}
	if len(a.Text("device_code")) < 43 || a.JSON["expires_in"] != 600.0 || a.JSON["interval"] != 5.0 || a.Text("verification_uri") != h.Issuer+"/device" {
		t.Errorf("%s", a.Raw)
	}
	if complete := a.Text("verification_uri_complete"); !strings.HasPrefix(complete, h.Issuer+"/device?") || strings.Contains(complete, code[5:]) {
		t.Errorf("verification_uri_complete %q", complete)
	}
	if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("headers %v", a.Header)
	}
	wantError(t, h.Poll(t, a.Text("device_code")), 400, "authorization_pending")

	b := h.Browser(t)
	confirm := b.EnterCode(strings.ToLower(code), "")
	for _, want := range []string{"見本テレビ", "見本放送", "役所や会社の人が", code, `id="device-yes"`} {
		if !strings.Contains(confirm.Body, want) {
			t.Errorf("the page does not say %s", want)
		}
	}
	h.advance(6 * time.Second)
	wantError(t, h.Poll(t, a.Text("device_code")), 400, "authorization_pending")
	login := b.OwnDevice(confirm, "yes")
	if !strings.Contains(login.Body, `id="card-login"`) || !strings.Contains(login.Body, "別の機器の「見本テレビ」") {
		t.Fatalf("no login: %d %s %s", login.Status, login.URL, login.Error())
	}
	done := b.SignIn(login, "taro")
	if done.URL.Path != "/device/done" || !strings.Contains(done.Body, `id="device-done"`) {
		t.Fatalf("%d %s %s", done.Status, done.URL, done.Error())
	}
	h.advance(time.Second) // approved: nobody is told to slow down
	tokens := h.Poll(t, a.Text("device_code"))
	if tokens.Status != 200 || tokens.Text("token_type") != "Bearer" || tokens.Text("refresh_token") == "" || tokens.Text("scope") != "openid offline_access" {
		t.Fatalf("%d %s", tokens.Status, tokens.Raw)
	}
	var claims struct {
		Aud, ACR, Nonce, Sub string
		ATHash               string `json:"at_hash"`
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(tokens.Text("id_token"), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Aud != idptest.DeviceID || claims.ACR != "phrh" || claims.Nonce != "" || claims.ATHash == "" {
		t.Errorf("%s, %v", payload, err)
	}
	if u := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")); u.Status != 200 || u.Text("sub") != claims.Sub {
		t.Errorf("userinfo: %d %s", u.Status, u.Raw)
	}
	if r := h.PostForm(t, "/token", idptest.DeviceID, "", idptest.RefreshForm(tokens.Text("refresh_token"))); r.Status != 200 {
		t.Errorf("refresh: %d %s", r.Status, r.Raw)
	}
	rows, err := h.Audit.List(t.Context(), audit.Query{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[audit.Kind]int{}
	for _, row := range rows {
		kinds[row.Kind]++
	}
	if kinds["device.asked"] != 1 || kinds["device.approved"] != 1 || kinds["login.succeeded"] != 1 {
		t.Errorf("audit: %v", kinds)
	}
	// A reload tells the same; the button of the page before leads there too.
	for _, p := range []idptest.Page{b.Get(done.URL.String()), b.Get("/device/confirm?" + done.URL.RawQuery), b.Post("/consent", url.Values{"tx": {done.URL.Query().Get("tx")}, "decision": {"allow"}})} {
		if !strings.Contains(p.Body, `id="device-done"`) {
			t.Errorf("%d %s %s", p.Status, p.URL, p.Error())
		}
	}
}

// TestDeviceAsksForTheCardEveryTime: somebody who is signed in and has agreed before meets the card and the question again
// (RFC 8628 §5.4: what is agreed to happens elsewhere).
func TestDeviceAsksForTheCardEveryTime(t *testing.T) {
	h := startTelevision(t, idptest.Options{})
	b := h.Browser(t)
	for range 2 {
		a := h.Device(t, idptest.DeviceID, "")
		login := b.OwnDevice(b.EnterCode(a.Text("user_code"), ""), "yes")
		if !strings.Contains(login.Body, `id="card-login"`) {
			t.Fatalf("no card was asked for: %s", login.URL)
		}
		p := b.Get(b.CardLogin(login, "taro"))
		if strings.Contains(p.Body, `id="open-folder"`) {
			p = b.Post("/folder/open", url.Values{"tx": {p.Tx()}})
		}
		if !strings.Contains(p.Body, `id="consent-allow"`) || !strings.Contains(p.Body, "機器に渡ります") {
			t.Fatalf("nobody was asked: %s", p.URL)
		}
		wantError(t, h.Poll(t, a.Text("device_code")), 400, "authorization_pending")
		if p = b.Finish(p); !strings.Contains(p.Body, `id="device-done"`) {
			t.Fatalf("%s %s", p.URL, p.Error())
		}
		if tokens := h.Poll(t, a.Text("device_code")); tokens.Status != 200 {
			t.Errorf("%d %s", tokens.Status, tokens.Raw)
		}
	}
}

// TestDeviceDenied: No on the first page, No at the consent, and stopping at the login reach the device as access_denied (§3.5).
func TestDeviceDenied(t *testing.T) {
	h := startTelevision(t, idptest.Options{})
	for name, deny := range map[string]func(b *idptest.Browser, p idptest.Page) idptest.Page{
		"not my device": func(b *idptest.Browser, p idptest.Page) idptest.Page { return b.OwnDevice(p, "no") },
		"stopped at the login": func(b *idptest.Browser, p idptest.Page) idptest.Page {
			return b.Post("/login/cancel", url.Values{"tx": {b.OwnDevice(p, "yes").Tx()}})
		},
		"not shared": func(b *idptest.Browser, p idptest.Page) idptest.Page {
			p = b.Get(b.CardLogin(b.OwnDevice(p, "yes"), "taro"))
			if strings.Contains(p.Body, `id="open-folder"`) {
				p = b.Post("/folder/open", url.Values{"tx": {p.Tx()}})
			}
			return b.Post("/consent", url.Values{"tx": {p.Tx()}, "decision": {"deny"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := h.Device(t, idptest.DeviceID, "")
			b := h.Browser(t)
			confirm := b.EnterCode(a.Text("user_code"), "")
			p := deny(b, confirm)
			if p.URL.Path != "/device/done" || !strings.Contains(p.Body, `id="device-denied"`) {
				t.Fatalf("%d %s %s", p.Status, p.URL, p.Error())
			}
			wantError(t, h.Poll(t, a.Text("device_code")), 400, "access_denied")
			if p := b.OwnDevice(confirm, "yes"); !strings.Contains(p.Body, `id="device-denied"`) {
				t.Errorf("yes after no: %s %s", p.URL, p.Error())
			}
			wantPage(t, h.Browser(t).EnterCode(a.Text("user_code"), ""), 410, "code_used")
		})
	}
}

// TestDevicePollsTooFast: slow_down, and five seconds more each time, remembered (§3.5).
func TestDevicePollsTooFast(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		h := startTelevision(t, idptest.Options{Transient: store})
		code := h.Device(t, idptest.DeviceID, "").Text("device_code")
		for i, step := range []struct {
			after time.Duration
			want  string
		}{
			{0, "authorization_pending"},
			{5 * time.Second, "authorization_pending"},
			{4 * time.Second, "authorization_pending"}, // the network may have been slow the time before
			{time.Second, "slow_down"},                 // from now on 10 seconds
			{6 * time.Second, "slow_down"},             // 15
			{15 * time.Second, "authorization_pending"},
			{10 * time.Second, "slow_down"}, // 20
			{20 * time.Second, "authorization_pending"},
		} {
			h.advance(step.after)
			if a := h.Poll(t, code); a.Status != 400 || a.Text("error") != step.want {
				t.Errorf("poll %d: %d %s, want %s", i, a.Status, a.Raw, step.want)
			}
		}
	})
}

// TestDeviceCodeExpires: after ten minutes neither code is good, and both are told so (§3.5).
func TestDeviceCodeExpires(t *testing.T) {
	h := startTelevision(t, idptest.Options{})
	a := h.Device(t, idptest.DeviceID, "")
	late := h.Device(t, idptest.DeviceID, "")
	b := h.Browser(t)
	h.advance(5 * time.Minute)
	p := b.EnterCode(late.Text("user_code"), "") // typed in time, decided too late
	p = b.Get(b.CardLogin(b.OwnDevice(p, "yes"), "taro"))
	p = b.Post("/folder/open", url.Values{"tx": {p.Tx()}})
	h.advance(5 * time.Minute)
	wantError(t, h.Poll(t, a.Text("device_code")), 400, "expired_token")
	wantPage(t, b.EnterCode(a.Text("user_code"), ""), 410, "code_expired")
	wantPage(t, b.Get(a.Text("verification_uri_complete")), 410, "code_expired")
	wantPage(t, b.Post("/consent", url.Values{"tx": {p.Tx()}, "decision": {"allow"}}), 410, "code_expired")
	wantError(t, h.Poll(t, late.Text("device_code")), 400, "expired_token")
}

// TestDeviceWrongCodes: kept as typed, and after ten in one browser there is a pause (RFC 8628 §5.1).
func TestDeviceWrongCodes(t *testing.T) {
	h := startTelevision(t, idptest.Options{})
	h.advance(h.now().Truncate(10 * time.Minute).Add(10 * time.Minute).Sub(h.now())) // windows are fixed
	code := h.Device(t, idptest.DeviceID, "").Text("user_code")
	b := h.Browser(t)
	wantPage(t, b.Get("/device"), 200, "")
	for range 10 {
		p := b.EnterCode("AEIO-UAEI", "")
		wantPage(t, p, 422, "code_wrong")
		if !strings.Contains(p.Body, `value="AEIO-UAEI"`) {
			t.Error("what was typed is lost")
		}
	}
	p := b.EnterCode(code, "")
	wantPage(t, p, 429, "too_many")
	if p.Header.Get("Retry-After") == "" || !strings.Contains(p.Body, `value="`+code+`"`) {
		t.Errorf("%v", p.Header)
	}
	if p := h.Browser(t).EnterCode(code, ""); !strings.Contains(p.Body, `id="device-yes"`) {
		t.Errorf("another citizen has to wait: %d %s", p.Status, p.Error())
	}
	h.advance(10 * time.Minute)
	fresh := h.Device(t, idptest.DeviceID, "").Text("user_code")
	if p := b.EnterCode(fresh, ""); !strings.Contains(p.Body, `id="device-yes"`) {
		t.Errorf("still waiting: %d %s", p.Status, p.Error())
	}
	wantPage(t, b.EnterCode(strings.Repeat("x", 5000), ""), 422, "code_wrong")
}

// TestDeviceAuthorizationRefusals: who may ask, and for what (§3.1).
func TestDeviceAuthorizationRefusals(t *testing.T) {
	h := startTelevision(t, idptest.Options{})
	form := idptest.DeviceForm()
	with := func(name string, values ...string) url.Values {
		f := idptest.DeviceForm()
		f[name] = values
		return f
	}
	ask := func(client, secret string, f url.Values) idptest.Answer {
		return h.PostForm(t, "/device_authorization", client, secret, f)
	}
	wantError(t, ask(idptest.ClientID, idptest.Secret, form), 400, "unauthorized_client")
	wantError(t, ask(idptest.PublicID, "", form), 400, "unauthorized_client")
	wantError(t, ask(consoleID, "", form), 401, "invalid_client")
	wantError(t, ask(consoleID, idptest.Secret[1:], form), 401, "invalid_client")
	wantError(t, ask("nobody", "", form), 401, "invalid_client")
	wantError(t, ask(idptest.DeviceID, "", with("scope", "openid links")), 400, "invalid_scope")
	wantError(t, ask(idptest.DeviceID, "", with("scope")), 400, "invalid_scope")
	wantError(t, ask(idptest.DeviceID, "", with("scope", "openid", "openid")), 400, "invalid_request")
	wantError(t, ask(idptest.DeviceID, "", with("request", "a.b.c")), 400, "invalid_request")
	if a := ask(consoleID, idptest.Secret, form); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
	if a := ask(idptest.DeviceID, "", with("unheard_of", "x")); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
	if a := h.Bearer(t, http.MethodGet, "/device_authorization", "x"); a.Status != 405 && a.Status != 404 {
		t.Errorf("GET: %d", a.Status)
	}
}

// TestDeviceCodeOfAnotherClient: a code is good for the client it was given to, and nobody else's polls change anything.
func TestDeviceCodeOfAnotherClient(t *testing.T) {
	h := startTelevision(t, idptest.Options{})
	a := h.Device(t, consoleID, idptest.Secret)
	form := idptest.PollForm(a.Text("device_code"))
	if p := h.Browser(t).Approve(a.Text("user_code"), "taro"); !strings.Contains(p.Body, `id="device-done"`) {
		t.Fatal(p.Error())
	}
	wantError(t, h.Poll(t, a.Text("device_code")), 400, "invalid_grant")
	wantError(t, h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, form), 400, "unauthorized_client")
	wantError(t, h.PostForm(t, "/token", consoleID, "", form), 401, "invalid_client")
	for _, bad := range []string{"x", a.Text("device_code") + "x", "tsc" + a.Text("device_code")[3:], a.Text("user_code")} {
		wantError(t, h.PostForm(t, "/token", consoleID, idptest.Secret, idptest.PollForm(bad)), 400, "invalid_grant")
	}
	wantError(t, h.PostForm(t, "/token", consoleID, idptest.Secret, url.Values{"grant_type": form["grant_type"]}), 400, "invalid_request")
	// It is no authorization code either.
	wantError(t, h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, url.Values{
		"grant_type": {"authorization_code"}, "code": {a.Text("device_code")}, "redirect_uri": {idptest.RedirectURI}, "code_verifier": {strings.Repeat("v", 43)},
	}), 400, "invalid_grant")
	if tokens := h.PostForm(t, "/token", consoleID, idptest.Secret, form); tokens.Status != 200 {
		t.Errorf("%d %s", tokens.Status, tokens.Raw)
	}
}

// TestDeviceCodeIsGoodOnce: a second poll is refused; long afterwards it is somebody else's, and ends what the first one got.
func TestDeviceCodeIsGoodOnce(t *testing.T) {
	h := startTelevision(t, idptest.Options{})
	a := h.Device(t, idptest.DeviceID, "")
	h.Browser(t).Approve(a.Text("user_code"), "taro")
	tokens := h.Poll(t, a.Text("device_code"))
	alive := func() int { return h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")).Status }
	wantError(t, h.Poll(t, a.Text("device_code")), 400, "invalid_grant")
	if alive() != 200 {
		t.Error("a doubled poll ended the grant")
	}
	h.advance(time.Minute)
	wantError(t, h.Poll(t, a.Text("device_code")), 400, "invalid_grant")
	if alive() != 401 {
		t.Error("the grant outlived a replay")
	}
	wantError(t, h.Poll(t, a.Text("device_code")), 400, "invalid_grant")
}

// TestDeviceDPoP: a device that proves a key is bound to it, from its first request on; a proof that has to be made again costs nothing.
func TestDeviceDPoP(t *testing.T) {
	h := startTelevision(t, idptest.Options{})
	mine, theirs := newProver(t, h.now), newProver(t, h.now)
	asked := send(t, h.FormRequest(t, "/device_authorization", idptest.DeviceID, "", idptest.DeviceForm()),
		mine.proof(t, "POST", h.Issuer+"/device_authorization", nil))
	if asked.Status != 200 {
		t.Fatalf("%d %s", asked.Status, asked.Raw)
	}
	h.Browser(t).Approve(asked.Text("user_code"), "taro")
	poll := func(proofs ...string) idptest.Answer {
		return send(t, h.FormRequest(t, "/token", idptest.DeviceID, "", idptest.PollForm(asked.Text("device_code"))), proofs...)
	}
	wantError(t, poll(), 400, "invalid_dpop_proof")
	wantError(t, poll(theirs.proof(t, "POST", h.Issuer+"/token", nil)), 400, "invalid_dpop_proof")
	wantError(t, poll(mine.proof(t, "POST", h.Issuer+"/device_authorization", nil)), 400, "invalid_dpop_proof")
	tokens := poll(mine.proof(t, "POST", h.Issuer+"/token", nil))
	if tokens.Status != 200 || tokens.Text("token_type") != "DPoP" {
		t.Fatalf("%d %s", tokens.Status, tokens.Raw)
	}
	if u := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")); u.Status != 401 {
		t.Errorf("a bound token without its proof: %d", u.Status)
	}
}

// TestDeviceApprovalDiesWithItsSession: who signs out before the device has its tokens has taken the approval back.
func TestDeviceApprovalDiesWithItsSession(t *testing.T) {
	h := startTelevision(t, idptest.Options{})
	a := h.Device(t, idptest.DeviceID, "")
	b := h.Browser(t)
	b.Approve(a.Text("user_code"), "taro")
	b.Post("/account/sign-out-everywhere", nil)
	wantError(t, h.Poll(t, a.Text("device_code")), 400, "invalid_grant")
}

// TestDeviceApprovalIsWrittenDownFirst: an approval that the audit log does not hear of gives the device nothing, and the next press of the
// button does.
func TestDeviceApprovalIsWrittenDownFirst(t *testing.T) {
	h := startTelevision(t, idptest.Options{})
	a := h.Device(t, idptest.DeviceID, "")
	b := h.Browser(t)
	if _, err := h.DB.Exec(t.Context(), `CREATE TRIGGER full BEFORE INSERT ON audit_event WHEN NEW.kind = 'device.approved'
		BEGIN SELECT RAISE(ABORT, 'full'); END`); err != nil {
		t.Fatal(err)
	}
	p := b.Get(b.CardLogin(b.OwnDevice(b.EnterCode(a.Text("user_code"), ""), "yes"), "taro"))
	p = b.Post("/folder/open", url.Values{"tx": {p.Tx()}})
	form := url.Values{"tx": {p.Tx()}, "decision": {"allow"}}
	if p = b.Post("/consent", form); p.Status != http.StatusInternalServerError {
		t.Errorf("%d %s", p.Status, p.URL)
	}
	wantError(t, h.Poll(t, a.Text("device_code")), 400, "authorization_pending")
	if _, err := h.DB.Exec(t.Context(), `DROP TRIGGER full`); err != nil {
		t.Fatal(err)
	}
	if p = b.Post("/consent", form); p.URL.Path != "/device/done" || !strings.Contains(p.Body, `id="device-done"`) {
		t.Errorf("%d %s %s", p.Status, p.URL, p.Error())
	}
	if tokens := h.Poll(t, a.Text("device_code")); tokens.Status != http.StatusOK {
		t.Errorf("%d %s", tokens.Status, tokens.Raw)
	}
}

// TestDeviceUnderContention: a hundred approvals at once are one, a hundred polls at once are one token response, and of a hundred yes and
// no together one decides, on every store.
func TestDeviceUnderContention(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		h := startTelevision(t, idptest.Options{Transient: store})
		a := h.Device(t, idptest.DeviceID, "")
		b := h.Browser(t)
		p := b.Get(b.CardLogin(b.OwnDevice(b.EnterCode(a.Text("user_code"), ""), "yes"), "taro"))
		p = b.Post("/folder/open", url.Values{"tx": {p.Tx()}})
		if got := volley(t, func(int) *http.Request {
			return b.Request(http.MethodPost, h.Issuer+"/consent", url.Values{"tx": {p.Tx()}, "decision": {"allow"}})
		}); got[303] != crowd {
			t.Errorf("approvals: %v", got)
		}
		if got := volley(t, func(int) *http.Request {
			return h.FormRequest(t, "/token", idptest.DeviceID, "", idptest.PollForm(a.Text("device_code")))
		}); got[200] != 1 || got[400] != crowd-1 {
			t.Errorf("polls: %v", got)
		}

		other := h.Device(t, idptest.DeviceID, "")
		if got := volley(t, func(int) *http.Request {
			return h.Browser(t).Request(http.MethodPost, h.Issuer+"/device", url.Values{"user_code": {other.Text("user_code")}})
		}); got[303] != 1 || got[410] != crowd-1 {
			t.Errorf("browsers: %v", got)
		}

		third := h.Device(t, idptest.DeviceID, "")
		p = b.Get(b.CardLogin(b.OwnDevice(b.EnterCode(third.Text("user_code"), ""), "yes"), "taro"))
		volley(t, func(i int) *http.Request {
			return b.Request(http.MethodPost, h.Issuer+"/consent", url.Values{"tx": {p.Tx()}, "decision": {[]string{"allow", "deny"}[i%2]}})
		})
		polled := h.Poll(t, third.Text("device_code"))
		said := b.Get("/device/done?tx=" + p.Tx())
		if yes := strings.Contains(said.Body, `id="device-done"`); yes != (polled.Status == 200) || !yes && polled.Text("error") != "access_denied" {
			t.Errorf("the citizen reads %q %s, the device %d %s", said.Error(), said.URL, polled.Status, polled.Raw)
		}
	})
}

// TestDeviceNamesResources: resources, authorization details and claims are judged as in an authorization request, and end up in the
// tokens (RFC 8707 §2.1, RFC 9396 §5).
func TestDeviceNamesResources(t *testing.T) {
	h := startTelevision(t, idptest.Options{Clients: []map[string]any{idptest.DeviceClient(map[string]any{"client_id": "guide", "resources": []string{taxAPI, healthAPI}})}})
	ask := func(name, value string) idptest.Answer {
		f := idptest.DeviceForm()
		f.Set(name, value)
		return h.PostForm(t, "/device_authorization", "guide", "", f)
	}
	wantError(t, ask("resource", "https://elsewhere.example/"), 400, "invalid_target")
	wantError(t, ask("authorization_details", `[{"type":"nothing"}]`), 400, "invalid_authorization_details")
	wantError(t, ask("claims", `[`), 400, "invalid_request")
	a := ask("resource", taxAPI)
	if p := h.Browser(t).Approve(a.Text("user_code"), "taro"); !strings.Contains(p.Body, `id="device-done"`) {
		t.Fatal(p.Error())
	}
	form := idptest.PollForm(a.Text("device_code"))
	form.Set("resource", healthAPI)
	wantError(t, h.PostForm(t, "/token", "guide", "", form), 400, "invalid_target") // more than was agreed to
	tokens := h.PostForm(t, "/token", "guide", "", idptest.PollForm(a.Text("device_code")))
	parts := strings.Split(tokens.Text("access_token"), ".")
	if tokens.Status != 200 || len(parts) != 3 {
		t.Fatalf("%d %s", tokens.Status, tokens.Raw)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || !strings.Contains(string(payload), taxAPI) || strings.Contains(string(payload), healthAPI) {
		t.Errorf("%s, %v", payload, err)
	}
}
