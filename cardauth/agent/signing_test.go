package agent

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/ades"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

const testPassword = "ABC123XYZ"

var taxReturn = ades.NewDocument("令和7年分 所得税の確定申告書", sha256.Sum256([]byte("tax return")))

// signingDesk is a desk whose card signs, at a hub that asks for signatures.
type signingDesk struct {
	*desk
	requests *cardauth.SignatureRequests
	card     *cardtest.Card
	trace    *trace

	mu     sync.Mutex
	posted []string
}

func newSigningDesk(t *testing.T) *signingDesk {
	t.Helper()
	s := &signingDesk{trace: &trace{}}
	s.desk = newDesk(t, func(d *desk, _ *Config) {
		l, err := signatureLeaf()
		if err != nil {
			t.Fatal(err)
		}
		if s.card, err = cardtest.NewCard(cardtest.Config{Sign: l, Password: testPassword}); err != nil {
			t.Fatal(err)
		}
		s.card.Behave(cardtest.Quirks{Trace: s.trace.add})
		d.box.cards["own"] = s.card
	})
	s.requests = s.hub.signatures
	s.hub.on("POST "+signaturePath, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.posted = append(s.posted, string(body))
		s.mu.Unlock()
		s.hub.json(w, http.StatusOK, map[string]string{"return_uri": s.hub.returnURI()})
	})
	return s
}

func (s *signingDesk) ask(d *ades.Document) string {
	s.t.Helper()
	a := cardauth.SignatureAsk{ClientID: "etax", ClientName: "見本e-Tax", RedirectHost: "etax.example", Purpose: ades.PurposeRelink, Document: d}
	if d != nil {
		a.Purpose = ades.PurposeDocument
	}
	id, err := s.requests.Issue(s.t.Context(), a)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.hub.URL + signaturePath + id + requestSuffix
}

func (s *signingDesk) open(address string) shown {
	s.t.Helper()
	return s.do(http.MethodGet, "/sign?"+url.Values{"request": {address}}.Encode(), nil, nil)
}

func (s *signingDesk) submit(page shown, password string) shown {
	s.t.Helper()
	return s.do(http.MethodPost, "/sign", url.Values{"page": {page.token()}, "card": {"own"}, "password": {password}}, nil)
}

func TestDocumentIsShownBeforeItIsSigned(t *testing.T) {
	t.Parallel()
	s := newSigningDesk(t)
	d := taxReturn
	d.MediaType, d.Size = "application/pdf", 12345
	page := s.open(s.ask(&d))
	for _, want := range []string{d.Name, "application/pdf", "12345", "見本e-Tax", "etax.example", d.Groups()[:14], "あと5回"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if strings.Contains(page.body, "見本　三郎") {
		t.Error("the certificate's name is on a page that needed no password")
	}
	s.submit(page, strings.ToLower(testPassword)).wantRedirect(s.hub.returnURI())
	var got signatureResponse
	if err := json.Unmarshal([]byte(s.posted[0]), &got); err != nil || got.CMS == "" {
		t.Fatalf("%v: %+v", err, got)
	}
	if _, err := cardauth.ParseSignature([]byte(s.posted[0])); err != nil {
		t.Error(err)
	}
	if s.trace.count(insVerify) != 1 || s.trace.count(insCompute) != 2 {
		t.Errorf("%d VERIFY, %d signatures", s.trace.count(insVerify), s.trace.count(insCompute))
	}
}

func TestSigningPasswordCountsDownToTheLock(t *testing.T) {
	t.Parallel()
	s := newSigningDesk(t)
	address := s.ask(&taxReturn)
	page := s.open(address)
	for _, left := range []string{"4", "3", "2"} {
		page = s.submit(page, "WRONG123")
		if page.reason() != "password_wrong" || !strings.Contains(page.body, "あと"+left+"回") {
			t.Fatalf("data-error %q, want %s left", page.reason(), left)
		}
	}
	if page = s.submit(page, "short"); page.reason() != "password_malformed" || s.trace.count(insVerify) != 3 {
		t.Fatalf("data-error %q after %d VERIFY", page.reason(), s.trace.count(insVerify))
	}
	page = s.submit(page, "WRONG123") // the fourth: the last try has to be confirmed
	if page.reason() != "password_wrong" || !strings.Contains(page.body, "anyway") {
		t.Fatalf("data-error %q", page.reason())
	}
	page = s.do(http.MethodPost, "/sign", url.Values{"page": {page.token()}, "card": {"own"}, "anyway": {"yes"}}, nil)
	if page = s.submit(page, "WRONG123"); page.reason() != "password_locked" {
		t.Fatalf("data-error %q", page.reason())
	}
	if s.trace.count(insVerify) != 5 || len(s.posted) != 0 {
		t.Errorf("%d VERIFY, %d posts", s.trace.count(insVerify), len(s.posted))
	}
	if page = s.open(address); page.reason() != "password_locked" {
		t.Errorf("data-error %q", page.reason())
	}
}

func TestLastPasswordTryIsNotSpentUnasked(t *testing.T) {
	t.Parallel()
	s := newSigningDesk(t)
	address := s.ask(&taxReturn)
	page := s.open(address)
	for range 4 {
		page = s.submit(page, "WRONG123")
	}
	password, err := jpki.ParsePassword("WRONG123")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = s.agent.Sign(t.Context(), address, "own", password); Word(err) != "password_last_try" {
		t.Errorf("got %v", err)
	}
	if s.trace.count(insVerify) != 4 {
		t.Errorf("%d VERIFY", s.trace.count(insVerify))
	}
}

func TestHundredPressesAreOneDocumentSigned(t *testing.T) {
	t.Parallel()
	s := newSigningDesk(t)
	page := s.open(s.ask(&taxReturn))
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { s.submit(page, testPassword) })
	}
	all.Wait()
	if n := s.trace.count(insVerify); n != 1 || len(s.posted) != 1 {
		t.Errorf("%d VERIFY, %d posts", n, len(s.posted))
	}
}

func TestSignWithoutBrowser(t *testing.T) {
	t.Parallel()
	s := newSigningDesk(t)
	for _, d := range []*ades.Document{&taxReturn, nil} {
		address := s.ask(d)
		preview, err := s.agent.Preview(t.Context(), address)
		if err != nil || (preview.Document == nil) != (d == nil) || preview.Service != "見本e-Tax" {
			t.Errorf("%+v, %v", preview, err)
		}
		password, err := jpki.ParsePassword(testPassword)
		if err != nil {
			t.Fatal(err)
		}
		if to, err := s.agent.Sign(context.WithoutCancel(t.Context()), address, "own", password); err != nil || to != s.hub.returnURI() {
			t.Errorf("%q, %v", to, err)
		}
	}
}

// A login's challenge is no request for a signature, at whichever page it is shown, and the other way round.
func TestLoginAndSignatureDoNotMix(t *testing.T) {
	t.Parallel()
	s := newSigningDesk(t)
	for name, page := range map[string]shown{
		"challenge at /sign": s.open(s.hub.issue()),
		"request at /login":  s.do(http.MethodGet, "/login?"+url.Values{"challenge": {s.ask(&taxReturn)}}.Encode(), nil, nil),
	} {
		if page.reason() != "challenge_address" {
			t.Errorf("%s: data-error %q", name, page.reason())
		}
	}
	// Even where a hub's address answers with the other kind of JWT.
	id := strings.TrimPrefix(s.hub.issue(), s.hub.URL+challengePath)
	s.hub.on("GET "+signaturePath, func(w http.ResponseWriter, r *http.Request) {
		jwt, err := s.hub.challenges.JWT(r.Context(), id)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write([]byte(jwt))
	})
	if page := s.open(s.hub.URL + signaturePath + id + requestSuffix); page.reason() != "challenge_forged" {
		t.Errorf("data-error %q", page.reason())
	}
}

func TestCardWithoutASignatureCertificate(t *testing.T) {
	t.Parallel()
	s := newSigningDesk(t)
	l, err := leaf()
	if err != nil {
		t.Fatal(err)
	}
	if s.box.cards["own"], err = cardtest.NewCard(cardtest.Config{Auth: l, Password: testPassword}); err != nil {
		t.Fatal(err)
	}
	page := s.open(s.ask(&taxReturn))
	if page.reason() == "" {
		page = s.submit(page, testPassword)
	}
	if page.reason() != "no_sign_cert" {
		t.Errorf("data-error %q", page.reason())
	}
}
