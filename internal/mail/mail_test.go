package mail_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/mail"
	"github.com/tsunagu-id/tsunagu/internal/mail/mailtest"
)

func address(t testing.TB, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// serve runs a simulator and returns its address.
func serve(t *testing.T, s *mailtest.Simulator) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(t.Context(), l) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func sender(t *testing.T, c mail.Config) *mail.SMTP {
	t.Helper()
	if c.From.String() == "" {
		c.From, c.FromName = address(t, "no-reply@hub.example"), "つなぐ"
	}
	s, err := mail.NewSMTP(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func letter(t *testing.T) mail.Message {
	return mail.Message{ID: "abc-1", To: address(t, "taro@home.example"), Subject: "新しいログインがありました", Text: "一行目\n.\n三行目\n", Date: time.Unix(1795000000, 0)}
}

func TestMessageArrivesAsItWasWritten(t *testing.T) {
	sim := mailtest.New(time.Now, nil)
	s := sender(t, mail.Config{Address: serve(t, sim), Security: mail.Loopback})
	m := letter(t)
	m.To = address(t, "taro..home.@docomo.example") // as carriers once gave them out
	for range 2 {
		if err := s.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	got := sim.Messages()
	if len(got) != 2 {
		t.Fatalf("%d messages", len(got))
	}
	g := got[0]
	if g.To != `"taro..home."@docomo.example` || g.From != "no-reply@hub.example" || g.Subject() != m.Subject || strings.TrimRight(g.Text, "\n") != strings.TrimRight(m.Text, "\n") {
		t.Errorf("%+v", g)
	}
	if to, err := netmail.ParseAddress(g.Header.Get("To")); err != nil || to.Address != m.To.String() {
		t.Errorf("To: %v, %v", to, err)
	}
	if id := g.Header.Get("Message-Id"); id != "<abc-1@hub.example>" || id != got[1].Header.Get("Message-Id") {
		t.Errorf("Message-ID %s, then %s", id, got[1].Header.Get("Message-Id"))
	}
	if d, err := g.Header.Date(); err != nil || !d.Equal(m.Date) || g.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("%v %v %v", d, err, g.Header)
	}
}

func TestMessageCannotCarryHeadersOfItsOwn(t *testing.T) {
	sim := mailtest.New(time.Now, nil)
	s := sender(t, mail.Config{Address: serve(t, sim), Security: mail.Loopback})
	for name, change := range map[string]func(*mail.Message){
		"line end in the subject": func(m *mail.Message) { m.Subject = "a\r\nBcc: eve@evil.example" },
		"bare line feed":          func(m *mail.Message) { m.Subject = "a\nBcc: eve@evil.example" },
		"line separator":          func(m *mail.Message) { m.Subject = "a\u2028b" },
		"line end in the id":      func(m *mail.Message) { m.ID = "a>\r\nBcc: eve@evil.example" },
		"no subject":              func(m *mail.Message) { m.Subject = "" },
		"nobody":                  func(m *mail.Message) { m.To = mail.Address{} },
	} {
		m := letter(t)
		change(&m)
		err := s.Send(t.Context(), m)
		if e, ok := errors.AsType[*mail.Error](err); !ok || e.Stage != mail.StageMessage || !e.Permanent {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := sim.Sessions(); n != 0 {
		t.Errorf("%d connections", n)
	}
	m := letter(t)
	m.Text = "a\r\n.\r\nMAIL FROM:<eve@evil.example>\r\nRCPT TO:<x@evil.example>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n"
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := sim.Messages(); len(got) != 1 {
		t.Errorf("%d messages out of one", len(got))
	}
}

func TestServerThatRefusesOrHangs(t *testing.T) {
	for name, c := range map[string]struct {
		how       mailtest.Behaviour
		stage     mail.Stage
		code      int
		permanent bool
	}{
		"no such mailbox":   {mailtest.Behaviour{Rcpt: 550}, mail.StageRecipient, 550, true},
		"mailbox is full":   {mailtest.Behaviour{Rcpt: 452}, mail.StageRecipient, 452, false},
		"content refused":   {mailtest.Behaviour{Data: 554}, mail.StageContent, 554, false},
		"try again":         {mailtest.Behaviour{Data: 451}, mail.StageContent, 451, false},
		"silent":            {mailtest.Behaviour{Hang: true}, mail.StageConnect, 0, false},
		"gone after taking": {mailtest.Behaviour{Drop: true}, mail.StageContent, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := mailtest.New(time.Now, nil)
			sim.Behave(c.how)
			s := sender(t, mail.Config{Address: serve(t, sim), Security: mail.Loopback, Timeout: 500 * time.Millisecond})
			err := s.Send(t.Context(), letter(t))
			e, ok := errors.AsType[*mail.Error](err)
			if !ok || e.Stage != c.stage || e.Code != c.code || e.Permanent != c.permanent {
				t.Fatalf("%#v", err)
			}
			if strings.Contains(err.Error(), "home.example") {
				t.Errorf("the error names the address: %v", err)
			}
		})
	}
	s := sender(t, mail.Config{Address: "127.0.0.1:1", Security: mail.Loopback})
	if e, ok := errors.AsType[*mail.Error](s.Send(t.Context(), letter(t))); !ok || e.Stage != mail.StageConnect {
		t.Errorf("nobody there: %v", e)
	}
}

// TLS is required where it was asked for: a server that does not offer it, or that nobody vouches for, gets nothing.
func TestNothingIsSentWithoutTheTLSThatWasAskedFor(t *testing.T) {
	certificate, roots := certificate(t)
	plain, secure := mailtest.New(time.Now, nil), mailtest.New(time.Now, &certificate)
	plainAt, secureAt := serve(t, plain), serve(t, secure)
	for name, c := range map[string]mail.Config{
		"no STARTTLS offered": {Address: plainAt, Security: mail.StartTLS, RootCAs: roots},
		"no TLS spoken":       {Address: plainAt, Security: mail.Implicit, RootCAs: roots},
		"unknown authority":   {Address: secureAt, Security: mail.StartTLS, RootCAs: x509.NewCertPool()},
	} {
		c.Timeout = time.Second
		if e, ok := errors.AsType[*mail.Error](sender(t, c).Send(t.Context(), letter(t))); !ok || e.Stage != mail.StageConnect {
			t.Errorf("%s: %v", name, e)
		}
	}
	if err := sender(t, mail.Config{Address: secureAt, Security: mail.StartTLS, RootCAs: roots}).Send(t.Context(), letter(t)); err != nil {
		t.Errorf("good TLS: %v", err)
	}
	if len(plain.Messages()) != 0 || len(secure.Messages()) != 1 {
		t.Errorf("%d and %d messages", len(plain.Messages()), len(secure.Messages()))
	}
}

func TestConfigurationIsJudged(t *testing.T) {
	from := address(t, "a@b.example")
	for name, c := range map[string]mail.Config{
		"no port":            {Address: "mail.example", Security: mail.StartTLS, From: from},
		"port 0":             {Address: "mail.example:0", Security: mail.StartTLS, From: from},
		"no sender":          {Address: "mail.example:587", Security: mail.StartTLS},
		"no TLS, far away":   {Address: "mail.example:25", Security: mail.Loopback, From: from},
		"no word":            {Address: "mail.example:587", From: from},
		"password in clear":  {Address: "127.0.0.1:25", Security: mail.Loopback, From: from, User: "u", Password: []byte("p")},
		"user, no password":  {Address: "mail.example:587", Security: mail.StartTLS, From: from, User: "u"},
		"opportunistic word": {Address: "mail.example:587", Security: "opportunistic", From: from},
	} {
		if _, err := mail.NewSMTP(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, good := range []string{"a@b.example", "taro.y+tag@mail.example.co.jp", "a..b@docomo.example", "o'brien@x-y.example"} {
		if a, err := mail.ParseAddress(good); err != nil || a.String() != good {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "a", "a@b", "@b.example", "a@", "a b@c.example", "a@b.example\r\nBcc: x@y.example", "a@b.example\n", "<a@b.example>", `"a b"@c.example`,
		"a@[127.0.0.1]", "a@b..example", "a@-b.example", "あ@b.example", "a@b.example,c@d.example", "a@" + strings.Repeat("b.", 130) + "jp", strings.Repeat("a", 65) + "@b.example"} {
		if _, err := mail.ParseAddress(bad); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}

// Whatever is taken for an address is one to the standard library too, and stays on its line.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"a@b.example", "a..b@c.example", "a@b.example\r\nX: y", "", "a@b@c.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := mail.ParseAddress(s)
		if err != nil {
			return
		}
		back, err := netmail.ParseAddress((&netmail.Address{Address: a.String()}).String())
		if err != nil || back.Address != s || strings.ContainsAny(s, "\r\n <>\",;:") || len(s) > 254 {
			t.Errorf("%q: %v %v", s, back, err)
		}
	})
}

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, pool
}
