package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/keys"
)

const someID = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEF-" // as long as a real one

// languageLinks lead to the same page, so they carry its address.
var languageLinks = regexp.MustCompile(`(?s)<nav class="languages".*?</nav>`)

func TestChallengeAddress(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	hub := d.hub.URL
	host := strings.TrimPrefix(hub, "http://")
	for _, c := range []struct{ address, reason string }{
		{"http://stranger.example" + challengePath + someID, "issuer_untrusted"},
		{"https://" + host + challengePath + someID, "issuer_untrusted"},                                    // another scheme is another origin
		{"http://localhost" + host[strings.Index(host, ":"):] + challengePath + someID, "issuer_untrusted"}, // so is another name
		{hub + "0" + challengePath + someID, "issuer_untrusted"},                                            // another port
		{hub + "@stranger.example" + challengePath + someID, "issuer_untrusted"},                            // our hub as a user name
		{"http://user@" + host + challengePath + someID, "issuer_untrusted"},
		{strings.ToUpper(hub) + challengePath + someID, "issuer_untrusted"},
		{" " + hub + challengePath + someID, "challenge_address"},
		{hub + challengePath, "challenge_address"},
		{hub + challengePath + "short", "challenge_address"},
		{hub + challengePath + someID + "/", "challenge_address"},
		{hub + challengePath + someID + "?x=1", "challenge_address"},
		{hub + challengePath + someID + "#x", "challenge_address"},
		{hub + challengePath + "..%2F..%2Fauthorize" + someID, "challenge_address"},
		{hub + "/card/challenges/../../" + someID, "challenge_address"},
		{hub + "//card/challenges/" + someID, "challenge_address"},
		{hub + "/other" + challengePath + someID, "challenge_address"},
		{hub + challengePath + strings.Repeat("a", maxChallengeID+1), "challenge_address"},
		{hub + challengePath + strings.Repeat("a", maxChallengeURL), "challenge_address"},
		{"/card/challenges/" + someID, "challenge_address"},
		{"javascript:alert(1)", "challenge_address"},
	} {
		s := d.open(c.address)
		if s.reason() != c.reason || s.status < 400 {
			t.Errorf("%s: status %d, data-error %q, want %q", c.address, s.status, s.reason(), c.reason)
		}
		if strings.Contains(s.body, "<form") || strings.Contains(s.body, "/login") {
			t.Errorf("%s: the page offers a way on", c.address)
		}
		if strings.Contains(languageLinks.ReplaceAllString(s.body, ""), "stranger.example") {
			t.Errorf("%s: the page repeats the address", c.address)
		}
	}
	if n := d.hub.count("GET " + challengePath); n != 0 {
		t.Errorf("the hub was asked %d times", n)
	}
	if len(d.journalled(kindIssuerUntrusted)) == 0 || len(d.journalled(kindChallengeAddress)) == 0 {
		t.Errorf("journal: %+v", d.events)
	}
}

func TestLoginPageQuery(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	address := url.QueryEscape(d.hub.issue())
	for _, query := range []string{
		"", "?challenge=", "?challenge=" + address + "&challenge=" + address, "?challenge=%zz", "?card=a&card=b&challenge=" + address,
	} {
		d.do(http.MethodGet, "/login"+query, nil, nil).want(http.StatusBadRequest, "invalid_request")
	}
}

// claims returns those of a challenge that the hub really issued, for a test to spoil.
func (d *desk) claims(address string) map[string]any {
	d.t.Helper()
	jwt, err := d.hub.challenges.JWT(d.t.Context(), address[strings.LastIndex(address, "/")+1:])
	if err != nil {
		d.t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
	if err != nil {
		d.t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		d.t.Fatal(err)
	}
	return claims
}

func (d *desk) sign(typ string, claims any) string {
	d.t.Helper()
	jwt, err := d.hub.keys.Sign(keys.ES256, typ, claims)
	if err != nil {
		d.t.Fatal(err)
	}
	return jwt
}

// serve makes the hub answer every challenge with these bytes.
func (d *desk) serve(jwt string) {
	d.hub.on("GET "+challengePath, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, jwt) })
}

// Signed by the hub, but not what a challenge at this address has to be.
func TestChallengeClaims(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	address := d.hub.issue()
	good := d.claims(address)
	now := d.clock.now()
	for _, c := range []struct {
		name   string
		spoil  func(map[string]any)
		reason string
	}{
		{"as it is", func(map[string]any) {}, ""},
		{"another claim", func(m map[string]any) { m["x"] = 1 }, ""},
		{"another issuer", func(m map[string]any) { m["iss"] = "https://other.example" }, "challenge_forged"},
		{"another challenge", func(m map[string]any) { m["jti"] = someID }, "challenge_forged"},
		{"no nonce", func(m map[string]any) { delete(m, "nonce") }, "challenge_forged"},
		{"short nonce", func(m map[string]any) { m["nonce"] = "abc" }, "challenge_forged"},
		{"no service", func(m map[string]any) { delete(m, "client_id") }, "challenge_forged"},
		{"no name", func(m map[string]any) { m["client_name"] = "" }, "challenge_forged"},
		{"name turns around", func(m map[string]any) { m["client_name"] = "xaT-e\u202e" }, "challenge_forged"},
		{"name with a line break", func(m map[string]any) { m["client_name"] = "e-Tax\n(checked)" }, "challenge_forged"},
		{"long name", func(m map[string]any) { m["client_name"] = strings.Repeat("長", maxText+1) }, "challenge_forged"},
		{"no destination", func(m map[string]any) { delete(m, "redirect_host") }, "challenge_forged"},
		{"destination with a space", func(m map[string]any) { m["redirect_host"] = "etax.example (safe)" }, "challenge_forged"},
		{"no level", func(m map[string]any) { delete(m, "acr") }, "challenge_forged"},
		{"claims of other types", func(m map[string]any) { m["exp"] = "soon" }, "challenge_forged"},
		{"no end", func(m map[string]any) { delete(m, "exp") }, "challenge_forged"},
		{"ends before it begins", func(m map[string]any) { m["exp"] = now.Unix() - 1 }, "challenge_forged"},
		{"lives for a day", func(m map[string]any) { m["exp"] = now.Add(24 * time.Hour).Unix() }, "challenge_forged"},
		{"over", func(m map[string]any) {
			m["iat"], m["exp"] = now.Add(-5*time.Minute).Unix(), now.Add(-clockLeeway).Unix()
		}, "challenge_expired"},
		{"from the future", func(m map[string]any) {
			m["iat"], m["exp"] = now.Add(2*time.Minute).Unix(), now.Add(4*time.Minute).Unix()
		}, "clock_wrong"},
	} {
		claims := maps.Clone(good)
		c.spoil(claims)
		d.serve(d.sign(challengeType, claims))
		if s := d.open(address); s.reason() != c.reason || (c.reason == "") != (s.token() != "") {
			t.Errorf("%s: data-error %q, want %q; token %q", c.name, s.reason(), c.reason, s.token())
		}
	}
	if len(d.journalled(kindChallengeForged)) == 0 {
		t.Errorf("journal: %+v", d.events)
	}
}

// The right claims, not signed by the hub as a challenge.
func TestForgedChallenge(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	address := d.hub.issue()
	claims := d.claims(address)
	good := d.sign(challengeType, claims)
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	header := func(h string) string { return b64([]byte(h)) }
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(head string) string {
		sum := sha256.Sum256([]byte(head + "." + parts[1]))
		r, s, err := ecdsa.Sign(rand.Reader, stranger, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return head + "." + parts[1] + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
	}
	altered := maps.Clone(claims)
	altered["client_name"] = "本物のe-Tax"
	body, err := json.Marshal(altered)
	if err != nil {
		t.Fatal(err)
	}
	for name, jwt := range map[string]string{
		"by a stranger under the hub's key id": signed(parts[0]),
		"by a stranger without a key id":       signed(header(`{"alg":"ES256","typ":"card-challenge+jwt"}`)),
		"alg none":                             header(`{"alg":"none","typ":"card-challenge+jwt"}`) + "." + parts[1] + ".",
		"alg HS256":                            header(`{"alg":"HS256","typ":"card-challenge+jwt"}`) + "." + parts[1] + "." + parts[2],
		"altered claims":                       parts[0] + "." + b64(body) + "." + parts[2],
		"an ID token's type":                   d.sign("JWT", claims),
		"a response's type":                    d.sign(responseType, claims),
		"no type":                              d.sign("", claims),
		"not a JWT":                            "<html>hello</html>",
		"nothing":                              "",
		"too long":                             good + strings.Repeat("A", maxChallenge),
	} {
		d.serve(jwt)
		if s := d.open(address); s.reason() != "challenge_forged" || strings.Contains(s.body, "<form") {
			t.Errorf("%s: data-error %q", name, s.reason())
		}
	}
	d.serve(good)
	d.open(address).want(http.StatusOK, "")
}

// Of two hubs, each speaks for itself only.
func TestHubCannotSpeakForAnother(t *testing.T) {
	t.Parallel()
	var other *testHub
	d := newDesk(t, func(d *desk, c *Config) {
		other = newTestHub(t, d.clock)
		c.Trusted = append(c.Trusted, Issuer{URL: other.URL})
	})
	theirs := other.issue()
	jwt, err := other.challenges.JWT(t.Context(), theirs[strings.LastIndex(theirs, "/")+1:])
	if err != nil {
		t.Fatal(err)
	}
	d.serve(jwt)
	d.open(d.hub.URL+theirs[len(other.URL):]).want(http.StatusForbidden, "challenge_forged")
	d.open(theirs).want(http.StatusOK, "")
}

func TestKeysAreFetchedOnceMoreForANewKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	const discovery = "GET /.well-known/openid-configuration"
	d.open(d.hub.issue()).want(http.StatusOK, "")
	d.open(d.hub.issue()).want(http.StatusOK, "")
	if n := d.hub.count(discovery); n != 1 {
		t.Errorf("keys fetched %d times for two logins", n)
	}
	other := newTestHub(t, d.clock)
	rotated := d.hub.issue()
	jwt, err := other.keys.Sign(keys.ES256, challengeType, d.claims(rotated))
	if err != nil {
		t.Fatal(err)
	}
	d.serve(jwt)
	d.open(rotated).want(http.StatusForbidden, "challenge_forged") // nobody knows this key: asked again once, not for ever
	if n := d.hub.count(discovery); n != 2 {
		t.Errorf("keys fetched %d times, want 2", n)
	}
	d.hub.on("GET /jwks", other.jwks) // now the hub publishes it
	d.open(rotated).want(http.StatusOK, "")
	if n := d.hub.count(discovery); n != 3 {
		t.Errorf("keys fetched %d times, want 3", n)
	}
	d.clock.advance(keysLife) // a key that the hub has taken back is not believed for ever
	d.hub.on("GET /jwks", nil)
	rotated = d.hub.issue()
	jwt, err = other.keys.Sign(keys.ES256, challengeType, d.claims(rotated))
	if err != nil {
		t.Fatal(err)
	}
	d.serve(jwt)
	d.open(rotated).want(http.StatusForbidden, "challenge_forged")
	if n := d.hub.count(discovery); n != 5 { // for their age, and for the unknown key
		t.Errorf("keys fetched %d times after their life, want 5", n)
	}
}

func TestHubDoesNotAnswerAsItShould(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("followed to %s", r.URL)
	}))
	t.Cleanup(elsewhere.Close)
	redirect := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }
	foreignIssuer := func(w http.ResponseWriter, r *http.Request) {
		says(http.StatusOK, map[string]string{"issuer": "https://other.example", "jwks_uri": "http://" + r.Host + "/jwks"})(w, r)
	}
	huge := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) }
	for _, c := range []struct {
		name, route string
		answer      http.HandlerFunc
		reason      string
	}{
		{"challenge redirects", "GET " + challengePath, redirect, "hub_refused"},
		{"challenge is huge", "GET " + challengePath, huge, "hub_unreachable"},
		{"challenge is gone", "GET " + challengePath, says(http.StatusNotFound, "x"), "challenge_unknown"},
		{"challenge was answered", "GET " + challengePath, says(http.StatusGone, map[string]string{"error": "challenge_spent"}), "challenge_spent"},
		{"too many", "GET " + challengePath, says(http.StatusTooManyRequests, nil), "too_many"},
		{"hub is down", "GET " + challengePath, says(http.StatusBadGateway, nil), "hub_unreachable"},
		{"discovery redirects", "GET /.well-known/openid-configuration", redirect, "hub_unreachable"},
		{"discovery is missing", "GET /.well-known/openid-configuration", http.NotFound, "hub_unreachable"},
		{"discovery of another", "GET /.well-known/openid-configuration",
			says(http.StatusOK, map[string]string{"issuer": "https://other.example", "jwks_uri": "https://other.example/jwks"}), "hub_unreachable"},
		{"discovery of another, keys here", "GET /.well-known/openid-configuration", foreignIssuer, "hub_unreachable"},
		{"keys elsewhere", "GET /.well-known/openid-configuration", nil, "hub_unreachable"},
		{"keys redirect", "GET /jwks", redirect, "hub_unreachable"},
		{"keys are huge", "GET /jwks", huge, "hub_unreachable"},
		{"keys are private", "GET /jwks", says(http.StatusOK, map[string]any{"keys": []any{map[string]string{"kty": "oct", "k": "AAAA"}}}), "hub_unreachable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, nil)
			if c.answer == nil {
				c.answer = says(http.StatusOK, map[string]string{"issuer": d.hub.URL, "jwks_uri": elsewhere.URL + "/jwks"})
			}
			d.hub.on(c.route, c.answer)
			s := d.open(d.hub.issue())
			if s.reason() != c.reason || strings.Contains(s.body, `name="pin"`) {
				t.Errorf("data-error %q, want %q", s.reason(), c.reason)
			}
		})
	}
}

func TestHubUnreachable(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	challenge := d.hub.issue()
	s := d.open(challenge)
	d.hub.CloseClientConnections()
	if err := d.hub.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	d.press(s, testPIN).want(http.StatusServiceUnavailable, "hub_unreachable").wantText(url.QueryEscape(challenge), "もう一度試す")
	d.open(challenge).want(http.StatusServiceUnavailable, "hub_unreachable")
}

// The hub's answer is the only address a browser is ever sent to, and only if it is the hub's own.
func TestReturnAddressElsewhereIsNotFollowed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	hub := d.hub.URL
	for _, to := range []string{
		"https://stranger.example/login/return?code=1", "//stranger.example/", "/login/return?code=1", "", "javascript:alert(1)",
		hub, hub + ".stranger.example/", hub + "@stranger.example/", hub + "0/login", strings.Replace(hub, "http:", "https:", 1) + "/x",
		hub + "\\@stranger.example/", hub + "/\\stranger.example", hub + "/a b", hub + "/a\r\nSet-Cookie: x=1", hub + "/%zz",
		hub + "/" + strings.Repeat("a", maxReturnURI),
	} {
		d.hub.on("POST "+challengePath, says(http.StatusOK, map[string]string{"return_uri": to}))
		s := d.press(d.open(d.hub.issue()), testPIN).want(http.StatusForbidden, "return_refused")
		if s.header.Get("Location") != "" || strings.Contains(s.body, "stranger.example") {
			t.Errorf("%q: the citizen is led there", to)
		}
		d.hub.on("POST "+challengePath, says(http.StatusForbidden, map[string]string{"error": "cert_revoked", "return_uri": to}))
		d.press(d.open(d.hub.issue()), testPIN).want(http.StatusForbidden, "cert_revoked")
	}
	if len(d.journalled(kindReturnRefused)) == 0 {
		t.Errorf("journal: %+v", d.events)
	}
}

func TestHubRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	to := d.hub.URL + "/login/return?code=refused"
	for _, word := range refusalWords() {
		d.hub.on("POST "+challengePath, says(http.StatusForbidden, map[string]string{"error": word, "return_uri": to}))
		d.press(d.open(d.hub.issue()), testPIN).wantRedirect(to)
		d.hub.on("POST "+challengePath, says(http.StatusForbidden, map[string]string{"error": word}))
		s := d.press(d.open(d.hub.issue()), testPIN)
		if s.reason() != word || s.status < 400 {
			t.Errorf("%s: status %d, data-error %q", word, s.status, s.reason())
		}
	}
	d.hub.on("POST "+challengePath, says(http.StatusServiceUnavailable, map[string]string{"error": "status_unknown", "return_uri": to}))
	d.press(d.open(d.hub.issue()), testPIN).wantRedirect(to)
	for _, word := range []string{"", "made_up", `"><script>`} {
		d.hub.on("POST "+challengePath, says(http.StatusForbidden, map[string]string{"error": word, "return_uri": to}))
		d.press(d.open(d.hub.issue()), testPIN).want(http.StatusForbidden, "hub_refused")
	}
	d.hub.on("POST "+challengePath, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "thanks") })
	d.press(d.open(d.hub.issue()), testPIN).want(http.StatusForbidden, "hub_refused")
	if got, want := len(d.journalled(kindRefused)), 2*len(refusalWords())+5; got != want {
		t.Errorf("%d events agent.refused, want %d", got, want)
	}
}

// A form cannot say what is signed.
func TestFormCannotChooseTheChallenge(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	mine, theirs := d.hub.issue(), d.hub.issue()
	s := d.open(mine)
	d.do(http.MethodPost, "/login?challenge="+url.QueryEscape(theirs), url.Values{
		"page": {s.token()}, "card": {"own"}, "pin": {testPIN}, "challenge": {theirs}, "client_id": {"other"}, "redirect_host": {"stranger.example"},
	}, nil).wantRedirect(d.hub.returnURI())
	got := d.hub.accepted() // judged there against the challenge at the address it was posted to
	if len(got) != 1 || d.hub.count("GET "+challengePath) != 1 {
		t.Fatalf("%d responses, %d challenges fetched", len(got), d.hub.count("GET "+challengePath))
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(got[0], ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	if claims["nonce"] != d.claims(mine)["nonce"] || claims["client_id"] != "etax" || claims["redirect_host"] != "etax.example" {
		t.Errorf("signed: %v", claims)
	}
}

// noise is what may hold any four digits by chance: tokens and ids, times, ports, reference numbers.
var noise = regexp.MustCompile(`[A-Za-z0-9_-]{43}|time=\S+|:[0-9]{5}\b|%3A[0-9]{5}\b|[0-9A-F]{4}-[0-9A-F]{4}`)

// Everything a PIN passes through, searched for its digits.
func TestPINLeavesNoTrace(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(d *desk, c *Config) {
		journal := c.Journal
		c.Journal = func(ctx context.Context, e audit.Event) error {
			if err := journal(ctx, e); err != nil {
				return err
			}
			if e.Kind == kindCancelled {
				return context.DeadlineExceeded // so that something is logged
			}
			return nil
		}
	})
	const wrong = "6172"
	challenge := d.hub.issue()
	s := d.press(d.open(challenge), wrong).want(http.StatusUnprocessableEntity, "pin_wrong")
	s = d.press(s, testPIN+"4").want(http.StatusUnprocessableEntity, "pin_malformed")
	d.press(s, testPIN).wantRedirect(d.hub.returnURI())
	s = d.open(d.hub.issue())
	d.box.cards["own"].Pull()
	d.press(s, testPIN).want(http.StatusUnprocessableEntity, "card_removed")
	d.box.cards["own"].Put()
	d.do(http.MethodPost, "/login", url.Values{"page": {"a", "b"}, "card": {"own"}, "pin": {testPIN}}, nil).want(http.StatusBadRequest, "invalid_request")
	d.do(http.MethodPost, "/login", url.Values{"page": {"made-up"}, "card": {"own"}, "pin": {testPIN}}, nil).want(http.StatusConflict, "page_spent")
	d.do(http.MethodPost, "/login/cancel", url.Values{"page": {d.open(challenge).token()}, "pin": {testPIN}}, nil)
	d.hub.on("POST "+challengePath, says(http.StatusForbidden, nil))
	d.press(d.open(d.hub.issue()), testPIN).want(http.StatusForbidden, "hub_refused")

	events, err := json.Marshal(d.events)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(d.log.String(), "journal") {
		t.Errorf("nothing was logged, so nothing was tested: %q", d.log.String())
	}
	for where, text := range map[string]string{"journal": string(events), "log": d.log.String(), "pages": strings.Join(d.pages, "\n")} {
		text = noise.ReplaceAllString(text, "")
		for _, pin := range []string{wrong, testPIN, "４９３８"} {
			if i := strings.Index(text, pin); i >= 0 {
				t.Errorf("%s: %q", where, text[max(0, i-40):min(len(text), i+40)])
			}
		}
	}
}

// A page can send any browser to the card app with the challenge of somebody else's phone. On a computer nothing comes of it.
func TestComputerSignsForNoOtherDevice(t *testing.T) {
	t.Parallel()
	for _, phone := range []bool{false, true} {
		d := newDesk(t, func(_ *desk, c *Config) { c.Phone = phone })
		address := d.hub.issue()
		claims := maps.Clone(d.claims(address))
		claims["acr"] = acrRemote
		d.serve(d.sign(challengeType, claims))
		s := d.open(address)
		if !phone && (s.reason() != "remote_refused" || s.status != http.StatusForbidden || strings.Contains(s.body, "<form")) {
			t.Errorf("on a computer: %d %q", s.status, s.reason())
		}
		if n := len(d.journalled(kindRemoteRefused)); !phone && n != 1 {
			t.Errorf("journal: %+v", d.events)
		}
		if phone && (s.token() == "" || !strings.Contains(s.body, "ログインするのは、この機器ではありません")) {
			t.Errorf("on a phone: %d %q", s.status, s.reason())
		}
	}
}
