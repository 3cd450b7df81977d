package idp_test

import (
	"crypto/x509"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Now().Truncate(time.Second)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// attack is one way to answer a challenge that must not log anybody in.
type attack struct {
	name   string
	reason string
	status int
	leaf   func(t *testing.T, h *idptest.Hub) *cardtest.Leaf // nil: a good one
	answer func(t *testing.T, h *idptest.Hub, at string, r *idptest.Response) idptest.Answer
	before func(h *idptest.Hub, c *clock)
}

func profile(h *idptest.Hub) cardtest.Profile {
	return cardtest.Profile{
		Person: cardtest.Person{Name: "試験　一郎", Sex: "1", Birth: time.Date(1985, 5, 5, 0, 0, 0, 0, time.UTC),
			Place: cardtest.Place{Prefecture: "Tokyo-to", City: "Chiyoda-ku", Code: "13101"}},
		NotBefore: h.Now().Add(-100 * 24 * time.Hour), NotAfter: h.Now().Add(1000 * 24 * time.Hour),
	}
}

func issue(t *testing.T, ca *cardtest.CA, p cardtest.Profile) *cardtest.Leaf {
	t.Helper()
	l, err := ca.IssueAuth(p)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func submit(t *testing.T, h *idptest.Hub, at string, r *idptest.Response) idptest.Answer {
	return h.Submit(t, at, r.Compact(t))
}

var attacks = []attack{
	{name: "ExpiredCertificate", reason: "cert_expired", status: 403, leaf: func(t *testing.T, h *idptest.Hub) *cardtest.Leaf {
		p := profile(h)
		p.NotBefore, p.NotAfter = h.Now().Add(-2000*24*time.Hour), h.Now().Add(-24*time.Hour)
		return issue(t, h.PKI.Auth(), p)
	}},
	{name: "RevokedCertificate", reason: "cert_revoked", status: 403, leaf: func(t *testing.T, h *idptest.Hub) *cardtest.Leaf {
		l := issue(t, h.PKI.Auth(), profile(h))
		if err := h.PKI.Auth().Revoke(l.Serial(), 1); err != nil {
			t.Fatal(err)
		}
		return l
	}},
	{name: "UnknownIssuer", reason: "cert_untrusted", status: 403, leaf: func(t *testing.T, h *idptest.Hub) *cardtest.Leaf {
		stranger, err := cardtest.LoadOrCreatePKI(t.TempDir(), h.Now, "http://127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		return issue(t, stranger.Auth(), profile(h))
	}},
	{name: "CACertificateAsLeaf", reason: "cert_is_ca", status: 403, leaf: func(t *testing.T, h *idptest.Hub) *cardtest.Leaf {
		p := profile(h)
		p.Alter = func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }
		return issue(t, h.PKI.Auth(), p)
	}},
	{name: "SigningCertificateAtLogin", reason: "cert_signing", status: 403, leaf: func(t *testing.T, h *idptest.Hub) *cardtest.Leaf {
		l, err := h.PKI.Sign().IssueSign(profile(h))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}},
	{name: "AlteredClaim", reason: "signature_invalid", status: 403, answer: func(t *testing.T, h *idptest.Hub, at string, r *idptest.Response) idptest.Answer {
		signed := strings.Split(string(r.Compact(t)), ".")
		r.Claims["redirect_host"] = "evil.example"
		altered := strings.Split(string(r.Compact(t)), ".")
		return h.Submit(t, at, []byte(signed[0]+"."+altered[1]+"."+signed[2]))
	}},
	{name: "SignedForAnotherService", reason: "claim_mismatch", status: 403, answer: func(t *testing.T, h *idptest.Hub, at string, r *idptest.Response) idptest.Answer {
		r.Claims["redirect_host"] = "evil.example"
		return submit(t, h, at, r)
	}},
	{name: "ResponseToAnotherChallenge", reason: "challenge_mismatch", status: 403, answer: func(t *testing.T, h *idptest.Hub, at string, r *idptest.Response) idptest.Answer {
		b := h.Browser(t)
		other := b.Challenge(b.Get(idptest.NewRequest().Path()))
		return h.Submit(t, at, idptest.Respond(t, h.Fetch(t, other), r.Leaf).Compact(t))
	}},
	{name: "OCSPSilentWithStaleCRL", reason: "status_unknown", status: 503, before: func(h *idptest.Hub, _ *clock) {
		h.Responder.BehaveOCSP(cardtest.OCSPSilent)
		h.Responder.BehaveCRL(cardtest.CRLStale)
	}},
}

// TestRefusedCards: each attack has a reason of its own, an audit event, and a page at the hub that carries the reason and a next
// step; nobody is logged in by it.
func TestRefusedCards(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	good := issue(t, h.PKI.Auth(), profile(h))
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			leaf := good
			if a.leaf != nil {
				leaf = a.leaf(t, h)
			}
			b := h.Browser(t)
			login := b.Get(idptest.NewRequest().Path())
			at := b.Challenge(login)
			r := idptest.Respond(t, h.Fetch(t, at), leaf)
			if a.before != nil {
				a.before(h, c)
				defer func() {
					h.Responder.BehaveOCSP(cardtest.OCSPGood)
					h.Responder.BehaveCRL(cardtest.CRLGood)
				}()
			}
			send := a.answer
			if send == nil {
				send = submit
			}
			got := send(t, h, at, r)
			if got.Status != a.status || got.Text("error") != a.reason {
				t.Fatalf("answered %d %s, want %d %s", got.Status, got.Raw, a.status, a.reason)
			}
			audited(t, h, "login.card_refused", a.reason)
			page := b.Get(got.Text("return_uri"))
			if page.Error() != a.reason || page.Status != a.status {
				t.Errorf("page %d data-error=%q", page.Status, page.Error())
			}
			if !strings.Contains(page.Body, `id="login-cancel"`) {
				t.Error("page offers no way on")
			}
			notSignedIn(t, b)
		})
	}
}

func notSignedIn(t *testing.T, b *idptest.Browser) {
	t.Helper()
	if p := b.Get("/account"); p.URL.Path != "/login" {
		t.Errorf("somebody is signed in: /account shows %s", p.URL)
	}
}

// audited fails unless the newest events name the kind with the reason.
func audited(t *testing.T, h *idptest.Hub, kind audit.Kind, reason string) {
	t.Helper()
	var after int64
	for {
		rows, err := h.Audit.List(t.Context(), audit.Query{After: after, Limit: 200, Kind: kind})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			after = r.Seq
			if r.Reason == reason {
				return
			}
		}
		if len(rows) == 0 {
			t.Errorf("no audit event %s with reason %q", kind, reason)
			return
		}
	}
}

// TestReplayedResponse: a response is good for its challenge once.
func TestReplayedResponse(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	at := b.Challenge(b.Get(idptest.NewRequest().Path()))
	body := idptest.Respond(t, h.Fetch(t, at), issue(t, h.PKI.Auth(), profile(h))).Compact(t)
	if a := h.Submit(t, at, body); a.Status != http.StatusOK {
		t.Fatalf("first: %d %s", a.Status, a.Raw)
	}
	a := h.Submit(t, at, body)
	if a.Status != http.StatusGone || a.Text("error") != "challenge_spent" {
		t.Errorf("replayed: %d %s", a.Status, a.Raw)
	}
	if p := b.Get(a.Text("return_uri")); p.Error() != "challenge_spent" {
		t.Errorf("page: %d %q", p.Status, p.Error())
	}
	notSignedIn(t, b)
	audited(t, h, "login.card_refused", "challenge_spent")
}

// TestExpiredChallenge: two minutes, then a new one is needed; the login itself goes on.
func TestExpiredChallenge(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	b := h.Browser(t)
	login := b.Get(idptest.NewRequest().Path())
	at := b.Challenge(login)
	r := idptest.Respond(t, h.Fetch(t, at), issue(t, h.PKI.Auth(), profile(h)))
	c.advance(2*time.Minute + time.Second)
	if a := submit(t, h, at, r); a.Status != http.StatusGone || a.Text("error") != "challenge_expired" {
		t.Errorf("expired: %d %s", a.Status, a.Raw)
	}
	audited(t, h, "login.card_refused", "challenge_expired")
	if p := b.SignIn(login, "taro"); p.URL.Query().Get("code") == "" {
		t.Errorf("the login did not go on: %s %s", p.URL, p.Error())
	}
}

// TestChallengeOfAnotherBrowser is session fixation and its reverse: an attacker starts a login and lures the victim's card into
// answering. The victim's browser is told so, the attacker's browser gets nothing, and neither is signed in.
func TestChallengeOfAnotherBrowser(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	attacker, victim := h.Browser(t), h.Browser(t)
	login := attacker.Get(idptest.NewRequest().Path())
	victim.Get(idptest.NewRequest().Path()) // the victim has a login and a cookie of their own
	back := attacker.CardLogin(login, "taro")

	page := victim.Get(back)
	if page.Status != http.StatusForbidden || page.Error() != "other_browser" {
		t.Errorf("victim sees %d %q", page.Status, page.Error())
	}
	audited(t, h, "login.other_browser", "other_browser")
	notSignedIn(t, victim)
	if page = attacker.Get(back); page.Error() != "return_used" {
		t.Errorf("attacker with the spent return code: %d %q", page.Status, page.Error())
	}
	notSignedIn(t, attacker)
	if p := h.Browser(t).Get(attacker.CardLogin(attacker.Get(idptest.NewRequest().Path()), "taro")); p.Error() != "other_browser" {
		t.Errorf("a victim whose browser never saw the hub: %d %q", p.Status, p.Error())
	}
	for _, path := range []string{"/login?tx=", "/consent?tx=", "/folder/open?tx=", "/login/refused?reason=cert_expired&tx="} {
		if p := victim.Get(path + login.Tx()); p.Error() != "other_browser" {
			t.Errorf("%s of another browser: %d %q", path, p.Status, p.Error())
		}
	}
	for _, path := range []string{"/login/card", "/login/cancel", "/consent", "/folder/open"} {
		if p := victim.Post(path, url.Values{"tx": {login.Tx()}, "decision": {"allow"}}); p.Error() != "other_browser" {
			t.Errorf("POST %s of another browser: %d %q", path, p.Status, p.Error())
		}
	}
}

// TestReturnCodeUsedTwice: the second use is named for what it is, and ends nothing that the first began.
func TestReturnCodeUsedTwice(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	back := b.CardLogin(b.Get(idptest.NewRequest().Path()), "taro")
	first := b.Get(back)
	if !strings.Contains(first.Body, `id="open-folder"`) {
		t.Fatalf("first use: %d %s", first.Status, first.Error())
	}
	second := b.Get(back)
	if second.Status != http.StatusGone || second.Error() != "return_used" {
		t.Errorf("second use: %d %q", second.Status, second.Error())
	}
	audited(t, h, "login.return_reused", "return_used")
	if unknown := b.Get("/login/return?code=" + strings.Repeat("A", 43)); unknown.Error() != "return_unknown" {
		t.Errorf("unknown code: %q", unknown.Error())
	}
}

// TestSessionChangesAtEveryLogin: the cookie of before a login opens nothing afterwards.
func TestSessionChangesAtEveryLogin(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	online := idptest.NewRequest("scope", "openid")
	token := h.Redeem(t, h.Code(t, b, online, "taro"), online).Text("access_token")
	before := b.Request(http.MethodGet, h.Issuer+"/account", nil)
	r := idptest.NewRequest("prompt", "login")
	h.Code(t, b, r, "taro")
	after := b.Request(http.MethodGet, h.Issuer+"/account", nil)
	// The same person: services entered before keep their tokens, and the session its name for them.
	if a := h.Bearer(t, http.MethodGet, "/userinfo", token); a.Status != http.StatusOK {
		t.Errorf("token of before: %d", a.Status)
	}
	if before.Header.Get("Cookie") == after.Header.Get("Cookie") {
		t.Fatal("same cookies before and after")
	}
	for req, want := range map[*http.Request]int{before: http.StatusSeeOther, after: http.StatusOK} {
		resp, err := idptest.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("status %d, want %d", resp.StatusCode, want)
		}
	}
}

// TestSignOutEverywhere ends every session and every token of the person, and the next sign-in needs no new folder or consent.
func TestSignOutEverywhere(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	here, there := h.Browser(t), h.Browser(t)
	r := idptest.NewRequest()
	tokens := h.Redeem(t, h.Code(t, here, r, "taro"), r)
	h.Code(t, there, idptest.NewRequest(), "taro")
	here.Post("/account/sign-out-everywhere", url.Values{})
	notSignedIn(t, here)
	notSignedIn(t, there)
	if a := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")); a.Status != http.StatusUnauthorized {
		t.Errorf("access token lives: %d", a.Status)
	}
	if a := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token"))); a.Text("error") != "invalid_grant" {
		t.Errorf("refresh token lives: %d %s", a.Status, a.Raw)
	}
	login := here.Get(idptest.NewRequest().Path())
	if p := here.Get(here.CardLogin(login, "taro")); p.URL.Query().Get("code") == "" {
		t.Errorf("asked again after signing in: %s", p.URL)
	}
	if err := h.Audit.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}
