//go:build pcsc && linux

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/pcsc/pcsctest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// plugged puts a card of a PKI into a reader and waits until PC/SC has it.
func plugged(t *testing.T, d *pcsctest.Daemon, slot int, pki *cardtest.PKI, name string) (*cardtest.Card, *cardtest.Plugged) {
	t.Helper()
	card, err := pki.Drawer().Card(name)
	if err != nil {
		t.Fatal(err)
	}
	card.Put()
	card.Behave(cardtest.Quirks{})
	p, err := cardtest.Plug(t.Context(), card, d.Addresses[slot])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Pull)
	waitForCard(t, d.Readers[slot])
	return card, p
}

func waitForCard(t *testing.T, reader string) {
	t.Helper()
	r, err := openReaders(reader)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		cards, err := r.Cards(t.Context())
		if err == nil && len(cards) == 1 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no card in %s: %v", reader, err)
		}
	}
}

func TestLoginAtAHubThroughAReader(t *testing.T) {
	d := pcsctest.Start(t)
	h := idptest.Start(t, idptest.Options{})
	plugged(t, d, 0, h.PKI, "taro")
	b, r := h.Browser(t), idptest.NewRequest()
	login := func(pin string) session {
		t.Helper()
		return cardagent(t, pin, "login", "-issuer", h.Issuer, "-challenge", b.Challenge(b.Get(r.Path())), "-pin-file", "-")
	}
	login("0000").want(t, exitCard, "", "pin_wrong: tries left: 2")
	s := login("1234")
	s.want(t, exitDone, h.Issuer+"/login/return?code=", "")
	p := b.Finish(b.Get(strings.TrimSpace(s.out)))
	tokens := h.Redeem(t, p.URL.Query().Get("code"), r)
	if tokens.Text("id_token") == "" {
		t.Errorf("no ID token: %d %s at %s", tokens.Status, tokens.Raw, p.URL)
	}
}

func TestLoginSaysWhatIsWrongWithTheReader(t *testing.T) {
	d := pcsctest.Absent(t)
	h, dir := newHub(t)
	pki, err := cardtest.LoadOrCreatePKI(dir, time.Now, "")
	if err != nil {
		t.Fatal(err)
	}
	login := func(more ...string) session {
		t.Helper()
		return cardagent(t, "1234", append([]string{"login", "-issuer", h.URL, "-challenge", h.issue(), "-pin-file", "-"}, more...)...)
	}
	login().want(t, exitCard, "", "reader_service")
	cardagent(t, "", "-check").want(t, exitDone, "", "") // a service that does not run is no mistake in the configuration
	d.Start()
	login().want(t, exitCard, "", "card_missing")
	login("-card", d.Readers[1]).want(t, exitCard, "", "card_missing")
	login("-card", "another reader").want(t, exitCard, "", "reader_missing")

	back := h.URL + "/login/return?code="
	card, p := plugged(t, d, 0, pki, "taro")
	login().want(t, exitDone, back+"good", "")
	login("-card", d.Readers[0]).want(t, exitDone, back+"good", "")
	card.Behave(cardtest.Quirks{FailAfter: 9}) // in the middle of the login
	login().want(t, exitCard, "", "card_removed")
	<-p.Ended()
	_, p = plugged(t, d, 0, pki, "revoked") // another card in the same reader
	login().want(t, exitHub, back+"cert_revoked", "cert_revoked")
	plugged(t, d, 1, pki, "blocked")
	login().want(t, exitUsage, "", d.Readers[1])
	login("-card", d.Readers[1]).want(t, exitCard, "", "pin_locked")
	p.Pull()
	d.Stop()
	login().want(t, exitCard, "", "reader_service")
}

func TestVirtualCardInAReader(t *testing.T) {
	d := pcsctest.Start(t)
	h, dir := newHub(t)
	b := start(t, "virtual", "-card", "taro", "-pki", dir, "-vpcd", d.Addresses[0])
	if b.line != "inserted taro "+d.Addresses[0]+"\n" {
		t.Fatalf("%q, %s", b.line, b.err)
	}
	waitForCard(t, d.Readers[0])
	login := func() session {
		t.Helper()
		return cardagent(t, "1234", "login", "-issuer", h.URL, "-challenge", h.issue(), "-pin-file", "-")
	}
	login().want(t, exitDone, h.URL+"/login/return?code=good", "")
	second := start(t, "virtual", "-card", "hanako", "-pki", dir, "-vpcd", d.Addresses[0])
	if code := second.stop(); second.line != "" || code != exitFailed || !strings.Contains(second.err.String(), "is another one in it?") {
		t.Errorf("a second card in one reader: %d %q %q", code, second.line, second.err)
	}
	if code := b.stop(); code != exitDone {
		t.Errorf("code %d, %s", code, b.err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if s := login(); s.code == exitCard && strings.Contains(s.err, "card_missing") {
			break
		} else if time.Now().After(end) {
			t.Fatalf("still there: %+v", s)
		}
	}
}

var pageToken = regexp.MustCompile(`name="page" value="([^"]+)"`)

var pageCard = regexp.MustCompile(`name="card" value="([^"]*)"`)

// The pages work with a card in a reader, say nothing of a demo, and have a word for each thing that can be missing.
func TestPagesWithAReader(t *testing.T) {
	d := pcsctest.Absent(t)
	h, dir := newHub(t)
	pki, err := cardtest.LoadOrCreatePKI(dir, time.Now, "")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://" + l.Addr().String()
	_ = l.Close()
	app := start(t, "-config", write(t, "c.json", fmt.Sprintf(`{"origin":%q,"trusted":[{"url":%q}]}`, origin, h.URL)))
	if app.line != "ready "+origin+"\n" {
		t.Fatalf("%q, %s", app.line, app.err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	do := func(method, target string, form url.Values) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, origin+target, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(body)
	}
	open := func() string {
		t.Helper()
		_, body := do(http.MethodGet, "/login?challenge="+url.QueryEscape(h.issue()), nil)
		return body
	}
	want := func(body, word string) {
		t.Helper()
		if !strings.Contains(body, `data-error="`+word+`"`) {
			t.Errorf("not %s: %s", word, body)
		}
	}
	press := func(body string) (*http.Response, string) {
		t.Helper()
		m := pageToken.FindStringSubmatch(body)
		if m == nil {
			t.Fatalf("no PIN page: %s", body)
		}
		chosen := pageCard.FindStringSubmatch(body)
		if chosen == nil || !strings.HasPrefix(chosen[1], d.Readers[0]+"#") {
			t.Fatalf("the page names no card of the reader: %s", body)
		}
		return do(http.MethodPost, "/login", url.Values{"page": {m[1]}, "card": {chosen[1]}, "pin": {"1234"}})
	}

	want(open(), "reader_service")
	if _, body := do(http.MethodGet, "/", nil); !strings.Contains(body, "PC/SC") {
		t.Errorf("the start page does not say what is missing: %s", body)
	}
	d.Start()
	want(open(), "card_missing")
	card, p := plugged(t, d, 0, pki, "taro")
	page := open()
	if !strings.Contains(page, "あと3回") || strings.Contains(page, "見本です") || strings.Contains(page, "<select") {
		t.Errorf("the PIN page: %s", page)
	}
	if res, body := press(page); res.Header.Get("Location") != h.URL+"/login/return?code=good" {
		t.Errorf("%d %s %s", res.StatusCode, res.Header.Get("Location"), body)
	}
	page = open()
	card.Behave(cardtest.Quirks{FailAfter: 9})
	_, body := press(page)
	want(body, "card_removed")
	<-p.Ended()
	want(open(), "card_missing")
	plugged(t, d, 0, pki, "blocked")
	want(open(), "pin_locked")
}

// What a card is, what stands in the way of a login, and a new PIN, all through a real PC/SC service; the card is swapped meanwhile.
func TestProductThroughAReader(t *testing.T) {
	d := pcsctest.Absent(t)
	h, dir := newHub(t)
	origin := freeOrigin(t)
	settings := settings(t, config{Origin: origin, Trusted: []issuer{{URL: h.URL}}})
	command := func(stdin, name string, more ...string) session {
		t.Helper()
		return cardagent(t, stdin, append([]string{name, "-config", settings, "-lang", "en"}, more...)...)
	}
	start(t, "-config", settings)
	command("", "doctor").want(t, exitCard, "[T-202]", "T-202")
	command("", "info", "--json").want(t, exitCard, `"reader_service"`, "reader_service")
	d.Start()
	command("", "doctor").want(t, exitCard, "[T-204]", "T-204")
	b := start(t, "virtual", "-card", "taro", "-pki", dir, "-vpcd", d.Addresses[0])
	if b.line == "" {
		t.Fatal(b.err)
	}
	waitForCard(t, d.Readers[0])
	command("", "doctor").want(t, exitDone, "A My Number Card (Card in "+d.Readers[0]+")", "")
	s := command("", "doctor", "--json")
	pki, err := cardtest.LoadOrCreatePKI(dir, time.Now, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{"Taro", "太郎", "TEST", "Chiyoda"} {
		if i := command("", "info", "--json"); strings.Contains(s.out+i.out, leak) {
			t.Errorf("%q is told", leak)
		}
	}
	command("1234\n8642\n", "change-pin", "-pin-file", "-").want(t, exitDone, "Changed.", "")
	login := func(pin string) session {
		t.Helper()
		return command(pin, "login", "-challenge", h.issue(), "-pin-file", "-")
	}
	login("1234").want(t, exitCard, "", "pin_wrong: tries left: 2")
	login("8642").want(t, exitDone, "code=good", "")
	b.stop()
	card, p := plugged(t, d, 0, pki, "hanako")
	login("1234").want(t, exitDone, "code=good", "")
	card.Behave(cardtest.Quirks{FailAfter: 5})
	command("1234\n8642\n", "change-pin", "-pin-file", "-").want(t, exitCard, "", "change_unknown")
	<-p.Ended()
	plugged(t, d, 0, pki, "blocked")
	command("", "doctor").want(t, exitCard, "[T-302]", "T-302")
}
