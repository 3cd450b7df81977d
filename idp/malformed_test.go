package idp_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// malformed is how many requests each endpoint gets; `make test` asks for ten thousand, without the race detector.
var malformed = flag.Int("malformed", 50, "malformed requests for each endpoint")

// secretMark begins everything in a malformed request that would be secret in a real one.
const secretMark = "zqsecretqz"

// watchedLog fails the test when a line holds what must not be logged. It keeps nothing.
type watchedLog struct {
	t       *testing.T
	secrets []string
	lines   int
	now     string // the request under way
}

func (l *watchedLog) Write(line []byte) (int, error) {
	l.lines++
	for _, s := range l.secrets {
		if bytes.Contains(line, []byte(s)) {
			l.t.Errorf("%s: the log holds a secret: %.400q", l.now, line)
		}
	}
	return len(line), nil
}

// dice fall the same way at every run.
type dice struct {
	seed  [32]byte
	block [32]byte
	throw uint64
}

func newDice(name string) *dice { return &dice{seed: sha256.Sum256([]byte(name))} }

// IntN returns a number from 0 to n-1, as evenly as tests need.
func (d *dice) IntN(n int) int {
	i := d.throw % 8 * 4
	if i == 0 {
		d.block = sha256.Sum256(binary.BigEndian.AppendUint64(d.seed[:], d.throw))
	}
	d.throw++
	return int(binary.BigEndian.Uint32(d.block[i:])>>1) % n
}

// malformer makes bad requests, the same ones at every run.
type malformer struct {
	*dice
	names   []string     // parameters that some endpoint knows
	values  []string     // values that were good once
	forms   []url.Values // whole requests that were
	cookies []string
	bearer  string
}

func (m *malformer) one(of ...string) string { return of[m.IntN(len(of))] }

// some is true once in n times.
func (m *malformer) some(n int) bool { return m.IntN(n) == 0 }

func (m *malformer) bytes(n int) string {
	b := make([]byte, m.IntN(n)+1)
	for i := range b {
		b[i] = byte(m.IntN(256))
	}
	return string(b)
}

// value is a parameter's value: hostile, or good once and bent.
func (m *malformer) value() string {
	switch m.IntN(16) {
	case 0:
		return ""
	case 1:
		return secretMark + strings.Repeat("A", m.size(20<<10))
	case 2:
		return secretMark + "\x00" + m.bytes(8)
	case 3:
		return m.bytes(40) + secretMark
	case 4:
		return secretMark + strings.Repeat("[", m.size(4000))
	case 5:
		return `{"` + secretMark + `":` + strings.Repeat(`{"a":`, m.size(2000)) + "1"
	case 6:
		return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(m.bytes(40))) + "." + secretMark
	case 7:
		return m.one("-1", "99999999999999999999", "1e9", "0x10", "NaN", "null", "true", "../../etc/passwd", "https://[::1", "http://user:"+secretMark+"@x/")
	case 8:
		return secretMark + "＜ｓ＞\u202e\ufeff\U0010ffff" + "\xed\xa0\x80"
	default:
		return m.bend(m.values[m.IntN(len(m.values))])
	}
}

// size is a size: mostly small.
func (m *malformer) size(limit int) int {
	if m.some(10) {
		return m.IntN(limit) + 1
	}
	return m.IntN(20) + 1
}

// bend changes a good value, or does not.
func (m *malformer) bend(s string) string {
	if s == "" {
		return s
	}
	i := m.IntN(len(s))
	switch m.IntN(8) {
	case 0:
		return s[:i]
	case 1:
		return s[:i] + m.bytes(2) + s[i:]
	case 2:
		return s[:i] + m.bytes(1) + s[i+1:]
	case 3:
		return s + s
	case 4:
		return s + secretMark
	case 5:
		return strings.ToUpper(s)
	}
	return s
}

// form is a whole set of parameters.
func (m *malformer) form() string {
	f := url.Values{}
	for name, v := range m.forms[m.IntN(len(m.forms))] {
		f[name] = append([]string(nil), v...)
	}
	for range m.IntN(4) {
		name := m.names[m.IntN(len(m.names))]
		switch m.IntN(4) {
		case 0:
			f.Del(name)
		case 1:
			f.Add(name, m.value())
		default:
			f.Set(name, m.value())
		}
	}
	raw := f.Encode()
	switch m.IntN(12) {
	case 0:
		return raw + "&" + m.names[m.IntN(len(m.names))] + "=%zz" + secretMark
	case 1:
		return raw + "&" + strings.Repeat("a=1&", m.size(200))
	case 2:
		return raw + ";" + m.bytes(20)
	case 3:
		return m.bend(raw)
	}
	return raw
}

func (m *malformer) body() (body, contentType string) {
	form := "application/x-www-form-urlencoded"
	switch m.IntN(14) {
	case 0:
		return m.bytes(300), form
	case 1:
		return strings.Repeat("[", m.size(30000)), "application/json"
	case 2:
		return `{"state":"` + secretMark + m.bytes(20) + `"}`, "application/json"
	case 3:
		return `{"state":"linked","state":"linked","client_id":"app","redirect_uris":["` + m.bend("https://app.example/") + `"]}`, "application/json"
	case 4:
		return "--x\r\nContent-Disposition: form-data; name=\"tx\"\r\n\r\n" + secretMark + m.bytes(30), "multipart/form-data; boundary=" + m.one("x", "", "\xff", "y")
	case 5:
		return m.value(), m.one("application/jose", "text/plain", "", m.bytes(20), "application/x-www-form-urlencoded; charset=\xff")
	case 6:
		if m.some(20) {
			return "code=" + secretMark + strings.Repeat("A", 70<<10), form
		}
	}
	return m.form(), form
}

// request is one bad request to a route.
func (m *malformer) request(t *testing.T, r idp.RouteForTest) *http.Request {
	method := r.Method
	if m.some(8) {
		method = m.one(http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodHead, http.MethodOptions, http.MethodTrace, "FOO")
	}
	body, contentType := "", ""
	if method != http.MethodGet || m.some(10) {
		body, contentType = m.body()
	}
	req := httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader(body))
	req.URL.Path = r.Path
	if i := strings.Index(r.Path, ":"); i >= 0 {
		req.URL.Path = r.Path[:i] + m.one("x", "app", strings.Repeat("A", 22), m.bytes(20), "..", "\x00", strings.Repeat("a", 3000))
	}
	if method == http.MethodGet || m.some(10) {
		req.URL.RawQuery = m.form()
	}
	req.RequestURI = req.URL.RequestURI()
	if contentType != "" || m.some(2) {
		req.Header.Set("Content-Type", contentType)
	}
	m.headers(req)
	return req
}

func (m *malformer) headers(req *http.Request) {
	secret := base64.StdEncoding.EncodeToString
	if m.some(2) {
		req.Header.Set("Authorization", m.one("Bearer "+m.bearer, "Bearer "+m.bearer, "Bearer "+m.bend(m.bearer),
			"Basic "+secret([]byte(idptest.ClientID+":"+idptest.Secret)), "Basic "+secret([]byte(idptest.ClientID+":"+idptest.Secret)),
			"Basic "+secret([]byte(m.value())), "Basic "+secretMark, "Bearer "+m.value(), "DPoP "+m.value(), "Bearer", "\xff"+secretMark, secretMark+m.bytes(20)))
	}
	if m.some(4) {
		req.Header.Add("DPoP", m.value())
		if m.some(4) {
			req.Header.Add("DPoP", m.value())
		}
	}
	if m.some(2) {
		req.Header.Set("Cookie", m.one(m.cookies[m.IntN(len(m.cookies))], m.bend(m.cookies[m.IntN(len(m.cookies))]), "tsunagu-hub-session="+secretMark, m.bytes(60)))
	}
	if m.some(3) {
		req.Header.Set("Sec-Fetch-Site", m.one("same-origin", "same-origin", "cross-site", "none", m.bytes(5)))
	} else {
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if m.some(4) {
		req.Header.Set(m.one("Accept-Language", "Origin", "Referer", "Accept", "User-Agent", "If-None-Match", "X-Forwarded-For", "Host", "Range", "Content-Length", "Transfer-Encoding"), m.value())
	}
	for name, values := range req.Header { // what the server's own reading of headers lets through
		for i, v := range values {
			values[i] = strings.Map(func(r rune) rune {
				if r < ' ' && r != '\t' || r == 0x7f {
					return -1
				}
				return r
			}, v)
		}
		req.Header[name] = values
	}
}

// newMalformer runs one of everything that is good, and keeps it to be bent.
func newMalformer(t *testing.T, h *idptest.Hub) *malformer {
	t.Helper()
	b := h.Browser(t)
	r, next := idptest.NewRequest("scope", "openid offline_access link links"), idptest.NewRequest()
	tokens := h.Redeem(t, h.Code(t, b, r, "taro"), r)
	code := h.Code(t, b, next, "taro")
	pushed := h.PostForm(t, "/par", idptest.ClientID, idptest.Secret, next.Params)
	device := h.Device(t, idptest.DeviceID, "")
	confirm := b.EnterCode(device.Text("user_code"), "")
	other := h.Browser(t)
	login := other.Get(idptest.NewRequest().Path())
	challenge := other.Challenge(login)
	m := &malformer{bearer: tokens.Text("access_token"), cookies: []string{b.Request(http.MethodGet, h.Issuer, nil).Header.Get("Cookie"), other.Request(http.MethodGet, h.Issuer, nil).Header.Get("Cookie")}}
	push := url.Values{"client_id": {idptest.ClientID}, "request_uri": {pushed.Text("request_uri")}}
	m.forms = []url.Values{
		r.Params, next.Params, push, idptest.CodeForm(code, next), idptest.RefreshForm(tokens.Text("refresh_token")), idptest.PollForm(device.Text("device_code")),
		{"grant_type": {"client_credentials"}, "scope": {"service"}}, {"token": {tokens.Text("access_token")}, "token_type_hint": {"access_token"}},
		{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {tokens.Text("access_token")},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}},
		{"id_token_hint": {tokens.Text("id_token")}, "client_id": {idptest.ClientID}, "post_logout_redirect_uri": {idptest.LogoutURI}, "state": {"s"}},
		{"tx": {login.Tx()}}, {"tx": {confirm.Tx()}, "decision": {"yes"}}, {"tx": {login.Tx()}, "decision": {"allow"}}, {"tx": {login.Tx()}, "reason": {"cert_expired"}},
		{"user_code": {device.Text("user_code")}}, {"code": {strings.Repeat("A", 43)}}, {"scope": {"openid"}, "client_id": {idptest.DeviceID}},
		{"client_id": {idptest.OtherID}, "client_secret": {secretMark}, "grant_type": {"refresh_token"}, "refresh_token": {secretMark}},
		{"client_assertion": {tokens.Text("id_token")}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_id": {idptest.ClientID}},
	}
	m.names = []string{"resource", "authorization_details", "claims", "request", "request_uri", "registration", "response_mode", "prompt", "max_age", "acr_values",
		"ui_locales", "lang", "login_hint", "dpop_jkt", "actor_token", "audience", "token", "scope_all", "sid", "iss", "logout_token", "everywhere"}
	seen := map[string]bool{}
	for _, f := range m.forms {
		for name, v := range f {
			if !seen[name] {
				m.names, seen[name] = append(m.names, name), true
			}
			m.values = append(m.values, v...)
		}
	}
	m.values = append(m.values, h.Fetch(t, challenge), challenge[strings.LastIndex(challenge, "/")+1:])
	return m
}

// TestTenThousandMalformedRequestsPerEndpoint: whatever is sent to whichever endpoint, the answer is not a failure of ours, and the log
// holds nothing of what would be a secret. The requests are made from requests that were good, and are the same at every run.
func TestTenThousandMalformedRequestsPerEndpoint(t *testing.T) {
	log := &watchedLog{t: t}
	c := newClock()
	h := idptest.Start(t, idptest.Options{Log: log, Now: c.now, Domain: true, Clients: []map[string]any{idptest.DeviceClient(nil)}})
	front := h.Handler()
	routes := idp.AllRoutesForTest()
	if len(routes) < 50 {
		t.Fatalf("%d routes", len(routes))
	}
	statuses := map[int]int{}
	for _, r := range routes {
		log.secrets = nil
		m := newMalformer(t, h) // fresh: what came before may have signed everybody out
		log.secrets = append([]string{secretMark, idptest.Secret}, m.secrets()...)
		m.dice = newDice(r.Method + r.Path)
		start := time.Now()
		for i := range *malformed {
			req := m.request(t, r)
			log.now = fmt.Sprintf("%s %s, request %d", r.Method, r.Path, i)
			w := httptest.NewRecorder()
			front.ServeHTTP(w, req)
			if statuses[w.Code]++; w.Code < 200 || w.Code >= 500 {
				t.Errorf("%s: %d: %.300q %v: %.300q", log.now, w.Code, req.URL, req.Header, w.Body)
			}
			if t.Failed() {
				return
			}
			c.advance(time.Millisecond)
		}
		t.Logf("%7s %s: %v a request", r.Method, r.Path, time.Since(start)/time.Duration(*malformed))
	}
	t.Logf("statuses %v, %d lines of log", statuses, log.lines)
}

// secrets are the long values that were good.
func (m *malformer) secrets() []string {
	var out []string
	for _, v := range m.values {
		if len(v) >= 43 && !strings.HasPrefix(v, "https://") && !strings.HasPrefix(v, "urn:") && strings.Trim(v, "A") != "" {
			out = append(out, v)
		}
	}
	return out
}
