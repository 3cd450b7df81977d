package cardauth

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/internal/metrics"
)

// withFallback is a world with a second responder, and no lists.
func withFallback(t *testing.T, adjust func(*RevocationDeps)) (*world, *cardtest.Responder) {
	t.Helper()
	second := testPKI(t).Responder()
	server := httptest.NewServer(second)
	t.Cleanup(server.Close)
	return newWorld(t, func(d *RevocationDeps) {
		d.OCSPFallback, d.CRL = []string{server.URL + "/ocsp"}, ""
		if adjust != nil {
			adjust(d)
		}
	}), second
}

func asked(r *cardtest.Responder) int {
	n, _ := r.Asked()
	return n
}

func TestFallbackResponderAnswers(t *testing.T) {
	for name, behaviour := range dishonest {
		t.Run(name, func(t *testing.T) {
			w, second := withFallback(t, patience(behaviour))
			w.responder.BehaveOCSP(behaviour)
			good, revoked := issue(t, nil), issue(t, nil)
			if err := testPKI(t).Auth().Revoke(revoked.Serial(), 5); err != nil {
				t.Fatal(err)
			}
			i, err := w.login(t, good)
			wantAccepted(t, i, err, "ocsp")
			_, err = w.login(t, revoked)
			wantReason(t, err, CertificateRevoked)
			if asked(w.responder) != 2 || asked(second) != 2 {
				t.Errorf("asked %d and %d times", asked(w.responder), asked(second))
			}
		})
	}
}

// What a responder signs is the authority's word: nobody else is asked for a
// better one.
func TestFallbackIsNotAskedForABetterAnswer(t *testing.T) {
	w, second := withFallback(t, nil)
	w.responder.BehaveOCSP(cardtest.OCSPUnknown)
	leaf := issue(t, nil)
	_, err := w.login(t, leaf)
	wantReason(t, err, RevocationUnavailable)
	if asked(second) != 0 {
		t.Error("the fallback was asked")
	}
}

func TestBothRespondersDownIsRefused(t *testing.T) {
	w, second := withFallback(t, nil)
	w.responder.BehaveOCSP(cardtest.OCSPServerError)
	second.BehaveOCSP(cardtest.OCSPTryLater)
	for range 2 * breakAfter { // also when both circuits are open
		_, err := w.login(t, issue(t, nil))
		wantReason(t, err, RevocationUnavailable)
	}
	if asked(w.responder) != breakAfter || asked(second) != breakAfter {
		t.Errorf("asked %d and %d times, want %d", asked(w.responder), asked(second), breakAfter)
	}
}

// A responder that does not answer is left alone, tried with one question, and
// trusted again when it answers.
func TestCircuitOpensAndCloses(t *testing.T) {
	w, _ := withFallback(t, nil)
	leaf := issue(t, nil)
	total := 0
	logins := func(n, questions int) {
		t.Helper()
		for range n {
			i, err := w.login(t, leaf)
			wantAccepted(t, i, err, "ocsp")
		}
		if total += questions; asked(w.responder) != total {
			t.Fatalf("asked %d times, want %d", asked(w.responder), total)
		}
	}
	w.responder.BehaveOCSP(cardtest.OCSPServerError)
	logins(breakAfter-1, breakAfter-1)
	w.responder.BehaveOCSP(cardtest.OCSPGood)
	logins(1, 1) // an answer: counting begins anew
	w.responder.BehaveOCSP(cardtest.OCSPServerError)
	logins(breakAfter+3, breakAfter)
	w.advance(breakFor - time.Second)
	logins(2, 0)
	w.advance(time.Second)
	logins(2, 1) // half-open: one question, which fails
	w.advance(breakFor)
	logins(2, 0) // twice as long now
	w.advance(breakFor)
	w.responder.BehaveOCSP(cardtest.OCSPGood)
	logins(3, 3)
	if states := w.deps.Revocation.responders.states(w.clock()); states["primary"] != circuitClosed {
		t.Errorf("%v", states)
	}
}

func TestHalfOpenCircuitLetsOneThrough(t *testing.T) {
	var c circuit
	for range breakAfter {
		c.done(noon, false)
	}
	if c.allow(noon) || c.state(noon) != circuitOpen {
		t.Fatal("not open")
	}
	later := noon.Add(breakFor)
	var let atomic.Int32
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() {
			if c.allow(later) {
				let.Add(1)
			}
		})
	}
	group.Wait()
	if let.Load() != 1 {
		t.Errorf("%d let through", let.Load())
	}
	for range 20 { // however often it fails, it is tried again within maxBreak
		c.done(later, false)
		later = later.Add(maxBreak)
		if !c.allow(later) {
			t.Fatal("never tried again")
		}
	}
}

// Connections to a responder outlast the question, also where its answer was an
// error page.
func TestConnectionsAreReused(t *testing.T) {
	for name, behaviour := range map[string]cardtest.OCSPBehaviour{"answers": cardtest.OCSPGood, "errors": cardtest.OCSPServerError} {
		t.Run(name, func(t *testing.T) {
			responder := testPKI(t).Responder()
			responder.BehaveOCSP(behaviour)
			var opened atomic.Int32
			server := httptest.NewUnstartedServer(responder)
			server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					opened.Add(1)
				}
			}
			server.Start()
			t.Cleanup(server.Close)
			w := newWorld(t, func(d *RevocationDeps) { d.OCSP = server.URL })
			for range breakAfter - 1 {
				i, err := w.login(t, issue(t, nil))
				if err != nil {
					t.Fatal(i, err)
				}
			}
			if asked(responder) != breakAfter-1 || opened.Load() != 1 {
				t.Errorf("%d questions over %d connections", asked(responder), opened.Load())
			}
		})
	}
}

// Of many who want to know about one certificate at once, one asks; the first of
// them hanging up does not cost the others their answer.
func TestOneQuestionForManyLogins(t *testing.T) {
	arrived, release := make(chan struct{}, 8), make(chan struct{})
	var w *world
	gate := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrived <- struct{}{}
		<-release
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		w.responder.ServeHTTP(rw, r)
	}))
	defer gate.Close()
	w = newWorld(t, func(d *RevocationDeps) { d.OCSP, d.CRL, d.Timeout = gate.URL, "", 20*time.Second })
	l, err := parseLeaf(issue(t, nil).Certificate.Raw, "")
	if err != nil {
		t.Fatal(err)
	}
	authority, err := w.deps.Anchors.issuerOf(l, noon)
	if err != nil {
		t.Fatal(err)
	}
	ctx, hangUp := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { _, err := w.deps.Revocation.check(ctx, l.handle(), authority); first <- err }()
	<-arrived
	const others = 20
	var group sync.WaitGroup
	var waiting sync.WaitGroup
	waiting.Add(others)
	for range others {
		group.Go(func() {
			waiting.Done()
			if fresh, err := w.deps.Revocation.check(t.Context(), l.handle(), authority); err != nil || fresh.Source != "ocsp" {
				t.Errorf("%+v, %v", fresh, err)
			}
		})
	}
	waiting.Wait()
	time.Sleep(50 * time.Millisecond) // they are between the two lines above
	hangUp()
	refused(t, <-first, RevocationUnavailable)
	close(release)
	group.Wait()
	if n := asked(w.responder); n > 2 { // one of the others may have been slower than that
		t.Errorf("asked %d times", n)
	}
}

func TestFallbackAddressesAreJudged(t *testing.T) {
	for _, bad := range [][]string{{"ldap://x"}, {""}, {"http://a", "http://b", "http://c", "http://d", "http://e"}} {
		if _, err := NewRevocation(RevocationDeps{Now: vectorClock, OCSPFallback: bad}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// More addresses in certificates than any authority has are a mistake: nobody
// is asked there, and nothing grows.
func TestAddressesInCertificatesAreBounded(t *testing.T) {
	rs, err := newResponders(RevocationDeps{})
	if err != nil {
		t.Fatal(err)
	}
	rs.of("")
	for i := range 10 * maxNamedThere {
		rs.of("http://ocsp.example/" + string(rune('a'+i)))
	}
	if len(rs.of("")) != 0 { // a signature certificate that names none
		t.Error("a responder without an address")
	}
	if len(rs.named) != maxNamedThere || len(rs.of("http://another.example")) != 0 || len(rs.of("http://ocsp.example/a")) != 1 {
		t.Errorf("%d addresses", len(rs.named))
	}
}

// Operators see what happened, and nothing of whom it happened to.
func TestFiguresOfRevocation(t *testing.T) {
	reg := metrics.New()
	w := newWorld(t, func(d *RevocationDeps) { d.Metrics = reg })
	leaf := issue(t, nil)
	i, err := w.login(t, leaf)
	wantAccepted(t, i, err, "ocsp")
	w.responder.BehaveOCSP(cardtest.OCSPServerError)
	for range breakAfter + 1 {
		i, err = w.login(t, leaf)
		wantAccepted(t, i, err, "crl")
	}
	w.responder.BehaveCRL(cardtest.CRLMissing)
	w.advance(time.Hour)
	w.deps.Revocation.refreshDue(t.Context())
	page := httptest.NewRecorder()
	reg.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := page.Body.String()
	for _, want := range []string{
		`tsunagu_ocsp_seconds_count{outcome="good",purpose="login",responder="primary"} 1`,
		`tsunagu_ocsp_seconds_count{outcome="failed",purpose="login",responder="primary"} 5`,
		`tsunagu_ocsp_seconds_count{outcome="skipped",purpose="login",responder="primary"} 1`,
		`tsunagu_ocsp_circuit{purpose="login",responder="primary"} 1`,
		`tsunagu_crl_lists{purpose="login",state="current"} 1`, `tsunagu_crl_lists{purpose="login",state="expired"} 0`,
		`tsunagu_crl_refresh_failures_total{purpose="login"} 1`, `tsunagu_crl_copy_failures_total{purpose="login"} 0`,
		`tsunagu_crl_age_seconds{issuer=`, `} 25200`, `tsunagu_crl_next_update_seconds{`, `} 68400`, `tsunagu_crl_entries{`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, leaf.Certificate.SerialNumber.String()) {
		t.Error("a serial number is among the figures")
	}
	if t.Failed() {
		for line := range strings.SplitSeq(text, "\n") {
			if strings.Contains(line, "tsunagu_") {
				t.Log(line)
			}
		}
	}
}
