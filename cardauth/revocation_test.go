package cardauth

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
)

// dishonest are the answers of a responder that cannot be relied on. Alone
// they end in refusal; with a current list the list decides.
var dishonest = map[string]cardtest.OCSPBehaviour{
	"LateOCSP": cardtest.OCSPLate, "FutureOCSP": cardtest.OCSPFuture, "StaleOCSP": cardtest.OCSPStale,
	"WrongNonce": cardtest.OCSPWrongNonce, "NoNonce": cardtest.OCSPNoNonce,
	"WrongSigner": cardtest.OCSPWrongSigner, "UnappointedSigner": cardtest.OCSPUnappointed, "ImpostorSigner": cardtest.OCSPImpostor, "RetiredSigner": cardtest.OCSPRetired,
	"AnotherCertificate": cardtest.OCSPWrongCertificate,
	"TryLater":           cardtest.OCSPTryLater, "ServerError": cardtest.OCSPServerError, "Garbage": cardtest.OCSPGarbage,
	"Huge": cardtest.OCSPHuge, "Silent": cardtest.OCSPSilent,
}

// impatient does not wait long for silence.
func impatient(d *RevocationDeps) {
	d.Timeout, d.ListTimeout = 300*time.Millisecond, 600*time.Millisecond
}

// withTimeout: only silence is worth the wait.
func patience(b cardtest.OCSPBehaviour) func(*RevocationDeps) {
	if b == cardtest.OCSPSilent {
		return impatient
	}
	return nil
}

func TestUnreliableOCSPIsNeverGood(t *testing.T) {
	for name, behaviour := range dishonest {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, patience(behaviour))
			w.responder.BehaveOCSP(behaviour)
			w.responder.BehaveCRL(cardtest.CRLMissing)
			_, err := w.login(t, issue(t, nil))
			wantReason(t, err, RevocationUnavailable)
		})
	}
}

func TestUnreliableOCSPFallsBackToTheList(t *testing.T) {
	for name, behaviour := range dishonest {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, patience(behaviour))
			w.responder.BehaveOCSP(behaviour)
			good, revoked := issue(t, nil), issue(t, nil)
			if err := testPKI(t).Auth().Revoke(revoked.Serial(), 4); err != nil {
				t.Fatal(err)
			}
			i, err := w.login(t, good)
			wantAccepted(t, i, err, "crl")
			_, err = w.login(t, revoked)
			wantReason(t, err, CertificateRevoked)
		})
	}
}

// The authority itself says that it knows no such certificate: a list without
// it proves nothing.
func TestUnknownStatusIsNotGood(t *testing.T) {
	w := newWorld(t, nil)
	w.responder.BehaveOCSP(cardtest.OCSPUnknown)
	_, err := w.login(t, issue(t, nil))
	wantReason(t, err, RevocationUnavailable)
	if _, lists := w.responder.Asked(); lists != 0 {
		t.Error("a list was asked after the authority had spoken")
	}
}

func TestAlteredOCSPAnswerIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	leaf := issue(t, nil)
	if err := testPKI(t).Auth().Revoke(leaf.Serial(), 1); err != nil {
		t.Fatal(err)
	}
	w.responder.BehaveOCSP(cardtest.OCSPAltered)
	w.responder.BehaveCRL(cardtest.CRLMissing)
	_, err := w.login(t, leaf)
	wantReason(t, err, RevocationUnavailable)
}

func TestOCSPSilentWithStaleCRLIsRefused(t *testing.T) {
	w := newWorld(t, impatient)
	w.responder.BehaveOCSP(cardtest.OCSPSilent)
	w.responder.BehaveCRL(cardtest.CRLStale)
	_, err := w.login(t, issue(t, nil))
	wantReason(t, err, RevocationUnavailable)
}

func TestListThatIsNotOursIsRefused(t *testing.T) {
	for name, behaviour := range map[string]cardtest.CRLBehaviour{
		"Stale": cardtest.CRLStale, "Future": cardtest.CRLFuture, "WrongSigner": cardtest.CRLWrongSigner,
		"AnotherMunicipality": cardtest.CRLWrongPoint, "AnotherAuthority": cardtest.CRLWrongIssuer, "Delta": cardtest.CRLDelta,
		"Garbage": cardtest.CRLGarbage, "Missing": cardtest.CRLMissing, "Huge": cardtest.CRLHuge, "Silent": cardtest.CRLSilent, "Truncated": cardtest.CRLTruncated, "Drip": cardtest.CRLDrip,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(d *RevocationDeps) {
				if behaviour == cardtest.CRLSilent || behaviour == cardtest.CRLDrip {
					d.Timeout, d.ListTimeout = 60*time.Millisecond, 300*time.Millisecond
				}
			})
			w.responder.BehaveOCSP(cardtest.OCSPServerError)
			w.responder.BehaveCRL(behaviour)
			_, err := w.login(t, issue(t, nil))
			wantReason(t, err, RevocationUnavailable)
		})
	}
}

func TestAppointedResponderIsBelieved(t *testing.T) {
	w := newWorld(t, nil)
	w.responder.BehaveOCSP(cardtest.OCSPDelegated)
	w.responder.BehaveCRL(cardtest.CRLMissing)
	i, err := w.login(t, issue(t, nil))
	wantAccepted(t, i, err, "ocsp")
}

func TestNonceMayBeOptionalButNeverWrong(t *testing.T) {
	w := newWorld(t, func(d *RevocationDeps) { d.NonceOptional = true })
	w.responder.BehaveCRL(cardtest.CRLMissing)
	w.responder.BehaveOCSP(cardtest.OCSPNoNonce)
	i, err := w.login(t, issue(t, nil))
	wantAccepted(t, i, err, "ocsp")
	w.responder.BehaveOCSP(cardtest.OCSPWrongNonce)
	_, err = w.login(t, issue(t, nil))
	wantReason(t, err, RevocationUnavailable)
}

// Where we call is our decision, not the answering server's.
func TestRedirectOfTheResponderIsNotFollowed(t *testing.T) {
	asked := 0
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer target.Close()
	from := httptest.NewServer(http.RedirectHandler(target.URL, http.StatusTemporaryRedirect))
	defer from.Close()
	w := newWorld(t, func(d *RevocationDeps) { d.OCSP, d.CRL = from.URL, from.URL })
	_, err := w.login(t, issue(t, nil))
	wantReason(t, err, RevocationUnavailable)
	if asked != 0 {
		t.Error("followed a redirect")
	}
}

// Without an address of our own the certificate's is used.
func TestResponderOfTheCertificateIsAsked(t *testing.T) {
	w := newWorld(t, func(d *RevocationDeps) { d.OCSP, d.CRL = "", "" })
	_, err := w.login(t, issue(t, nil)) // says port 1
	wantReason(t, err, RevocationUnavailable)
}

func TestEveryLoginAsksUnlessToldOtherwise(t *testing.T) {
	w := newWorld(t, nil)
	leaf := issue(t, nil)
	for range 3 {
		i, err := w.login(t, leaf)
		wantAccepted(t, i, err, "ocsp")
	}
	if asked, _ := w.responder.Asked(); asked != 3 {
		t.Errorf("asked %d times, want 3", asked)
	}
}

func TestHeldAnswerEndsWithMaxAge(t *testing.T) {
	w := newWorld(t, func(d *RevocationDeps) { d.MaxAge = 10 * time.Minute })
	leaf := issue(t, nil)
	login := func(want int) {
		t.Helper()
		i, err := w.login(t, leaf)
		wantAccepted(t, i, err, "ocsp")
		if !i.Fresh().CheckedAt.Equal(noon) && want == 1 {
			t.Errorf("a held answer says it was checked at %v", i.Fresh().CheckedAt)
		}
		if asked, _ := w.responder.Asked(); asked != want {
			t.Fatalf("asked %d times, want %d", asked, want)
		}
	}
	login(1)
	w.advance(10*time.Minute - time.Second)
	login(1)
	w.advance(time.Second)
	login(2)
}

// The responder of the tests says nextUpdate in a quarter of an hour.
func TestHeldAnswerEndsWithNextUpdate(t *testing.T) {
	w := newWorld(t, func(d *RevocationDeps) { d.MaxAge = 24 * time.Hour })
	leaf := issue(t, nil)
	i, err := w.login(t, leaf)
	wantAccepted(t, i, err, "ocsp")
	if err = testPKI(t).Auth().Revoke(leaf.Serial(), 1); err != nil {
		t.Fatal(err)
	}
	w.advance(15*time.Minute - time.Second)
	i, err = w.login(t, leaf)
	wantAccepted(t, i, err, "ocsp")
	w.advance(time.Second)
	_, err = w.login(t, leaf)
	wantReason(t, err, CertificateRevoked)
}

// A clock that is put back does not make an old answer young.
func TestHeldAnswerEndsWhenTheClockIsPutBack(t *testing.T) {
	w := newWorld(t, func(d *RevocationDeps) { d.MaxAge, d.Skew = 10*time.Minute, 2*time.Hour })
	leaf := issue(t, nil)
	i, err := w.login(t, leaf)
	wantAccepted(t, i, err, "ocsp")
	if err = testPKI(t).Auth().Revoke(leaf.Serial(), 1); err != nil {
		t.Fatal(err)
	}
	w.advance(-time.Hour)
	_, err = w.login(t, leaf)
	wantReason(t, err, CertificateRevoked)
	w.advance(time.Hour) // and what was refused once is not good again
	_, err = w.login(t, leaf)
	wantReason(t, err, CertificateRevoked)
}

func TestListIsFetchedOnceAndUsedUntilItRunsOut(t *testing.T) {
	w := newWorld(t, nil)
	w.responder.BehaveOCSP(cardtest.OCSPServerError)
	leaf := issue(t, nil)
	login := func(want int, accepted bool) {
		t.Helper()
		i, err := w.login(t, leaf)
		if accepted {
			wantAccepted(t, i, err, "crl")
		} else {
			wantReason(t, err, RevocationUnavailable)
		}
		if _, lists := w.responder.Asked(); lists != want {
			t.Fatalf("fetched %d lists, want %d", lists, want)
		}
	}
	login(1, true)
	login(1, true)
	w.responder.BehaveCRL(cardtest.CRLMissing)
	w.advance(19 * time.Hour) // time to look for a newer one, but that is not for a login to wait for
	login(1, true)
	w.advance(time.Hour + time.Second) // the list said 20 hours
	login(2, false)
	login(2, false) // not asked again at once
	w.advance(listPause)
	login(3, false)
	w.responder.BehaveCRL(cardtest.CRLGood)
	w.advance(-20 * time.Hour) // the authorities' clock stands still
	login(3, true)
}

func TestRevocationAddressesAreJudged(t *testing.T) {
	now := func() time.Time { return noon }
	for _, bad := range []RevocationDeps{
		{}, {Now: now, OCSP: "ldap://directory.example"}, {Now: now, CRL: "/crl"}, {Now: now, OCSP: "http://user:pw@ocsp.example"},
	} {
		if _, err := NewRevocation(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// A hub without lists refuses when the responder does not answer.
func TestNoListsConfigured(t *testing.T) {
	w := newWorld(t, func(d *RevocationDeps) { d.CRL = "" })
	w.responder.BehaveOCSP(cardtest.OCSPTryLater)
	_, err := w.login(t, issue(t, nil))
	wantReason(t, err, RevocationUnavailable)
	if refusal, ok := errors.AsType[*Error](err); !ok || !strings.Contains(refusal.Detail, "no lists configured") {
		t.Errorf("operators are not told why: %v", err)
	}
}

// Who can serve an old list could hide what was revoked since.
func TestOlderListDoesNotReplaceANewerOne(t *testing.T) {
	w := newWorld(t, nil)
	w.responder.BehaveOCSP(cardtest.OCSPServerError)
	leaf := issue(t, nil)
	first, err := w.login(t, leaf)
	wantAccepted(t, first, err, "crl")
	for i, older := range []cardtest.CRLBehaviour{cardtest.CRLOlder, cardtest.CRLLowerNumber} {
		w.responder.BehaveCRL(older)
		w.advance(time.Hour)
		w.deps.Revocation.refreshDue(t.Context())
		second, err := w.login(t, leaf)
		wantAccepted(t, second, err, "crl")
		if _, lists := w.responder.Asked(); lists != i+2 || !second.Fresh().ProducedAt.Equal(first.Fresh().ProducedAt) {
			t.Errorf("%d lists fetched, the last one in use is of %v", lists, second.Fresh().ProducedAt)
		}
	}
}

// Many logins need the same list at once: one of them fetches it.
func TestManyLoginsFetchOneList(t *testing.T) {
	w := newWorld(t, nil)
	w.responder.BehaveOCSP(cardtest.OCSPServerError)
	leaf := issue(t, nil)
	const logins = 20
	bodies, ids := make([][]byte, logins), make([]string, logins)
	for i := range logins {
		ids[i] = w.challenge(t)
		bodies[i] = w.honest(t, ids[i], leaf).compact(t)
	}
	var group sync.WaitGroup
	for i := range logins {
		group.Go(func() {
			if got, err := w.submit(t.Context(), ids[i], bodies[i]); err != nil || got.Fresh().Source != "crl" {
				t.Errorf("%+v, %v", got.Fresh(), err)
			}
		})
	}
	group.Wait()
	if _, lists := w.responder.Asked(); lists != 1 {
		t.Errorf("fetched %d lists", lists)
	}
}

// Somebody who gives up must not spoil the list for the others.
func TestImpatientCitizenDoesNotEndTheFetch(t *testing.T) {
	w := newWorld(t, nil)
	w.responder.BehaveOCSP(cardtest.OCSPServerError)
	leaf := issue(t, nil)
	id := w.challenge(t)
	body := w.honest(t, id, leaf).compact(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := ParseResponse(body)
	if err != nil {
		t.Fatal(err)
	}
	l, err := parseLeaf(r.certificate, "")
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := w.deps.Anchors.issuerOf(l, noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.deps.Revocation.check(ctx, l.handle(), issuer); err == nil {
		t.Fatal("checked without waiting")
	}
	i, err := w.login(t, leaf)
	wantAccepted(t, i, err, "crl")
}
