package cardauth

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
)

func TestGoodCardIsAccepted(t *testing.T) {
	w := newWorld(t, nil)
	leaf := issue(t, nil)
	first, err := w.login(t, leaf)
	wantAccepted(t, first, err, "ocsp")
	second, err := w.login(t, leaf)
	wantAccepted(t, second, err, "ocsp")
	if first.Binding() != second.Binding() {
		t.Error("one certificate, two bindings")
	}
	if first.Kind() != Card || !first.NotAfter().Equal(leaf.Certificate.NotAfter) {
		t.Errorf("kind %v, ends %v", first.Kind(), first.NotAfter())
	}
	if f := first.Fresh(); !f.CheckedAt.Equal(noon) || f.ProducedAt.After(noon) || f.ProducedAt.Before(noon.Add(-time.Hour)) {
		t.Errorf("freshness %+v", f)
	}
	other, err := w.login(t, issue(t, nil))
	wantAccepted(t, other, err, "ocsp")
	if other.Binding() == first.Binding() {
		t.Error("two certificates, one binding")
	}
}

func TestExpiredCertificateIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	leaf := issue(t, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Second) })
	_, err := w.login(t, leaf)
	wantReason(t, err, CertificateExpired)
	if asked, _ := w.responder.Asked(); asked != 0 {
		t.Error("asked about revocation of an expired certificate")
	}
}

func TestCertificateCountsToTheEndOfItsLastSecond(t *testing.T) {
	w := newWorld(t, nil)
	leaf := issue(t, func(c *x509.Certificate) { c.NotAfter = noon })
	w.advance(999 * time.Millisecond)
	i, err := w.login(t, leaf)
	wantAccepted(t, i, err, "ocsp")
	w.advance(time.Millisecond)
	_, err = w.login(t, leaf)
	wantReason(t, err, CertificateExpired)
}

func TestCertificateBeforeItsTimeIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.login(t, issue(t, func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Second) }))
	wantReason(t, err, CertificateNotYetValid)
}

func TestRevokedCertificateIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	leaf := issue(t, nil)
	i, err := w.login(t, leaf)
	wantAccepted(t, i, err, "ocsp")
	if err := testPKI(t).Auth().Revoke(leaf.Serial(), 1); err != nil {
		t.Fatal(err)
	}
	_, err = w.login(t, leaf)
	wantReason(t, err, CertificateRevoked)
}

// A card on hold may come back; until then it counts as revoked.
func TestSuspendedCertificateIsRefusedUntilReleased(t *testing.T) {
	w := newWorld(t, nil)
	leaf := issue(t, nil)
	if err := testPKI(t).Auth().Revoke(leaf.Serial(), 6); err != nil {
		t.Fatal(err)
	}
	_, err := w.login(t, leaf)
	wantReason(t, err, CertificateRevoked)
	if err := testPKI(t).Auth().Release(leaf.Serial()); err != nil {
		t.Fatal(err)
	}
	i, err := w.login(t, leaf)
	wantAccepted(t, i, err, "ocsp")
}

// An authority of the same name, with the same profile, that is not ours.
func TestUnknownIssuerIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	stranger, err := cardtest.LoadOrCreatePKI(t.TempDir(), func() time.Time { return noon }, w.address)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := stranger.Auth().IssueAuth(goodProfile(nil))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.login(t, leaf)
	wantReason(t, err, CertificateUntrusted)

	// And one that claims our authority's key identifier.
	ours := issue(t, nil).Certificate
	p := goodProfile(func(c *x509.Certificate) { replace(t, c, ours, oidAuthorityKeyID.String()) })
	if leaf, err = stranger.Auth().IssueAuth(p); err != nil {
		t.Fatal(err)
	}
	_, err = w.login(t, leaf)
	wantReason(t, err, CertificateUntrusted)
	if asked, _ := w.responder.Asked(); asked != 0 {
		t.Error("a stranger's certificate made the hub call out")
	}
}

// replace takes one extension from another certificate.
func replace(t testing.TB, c, from *x509.Certificate, oid string) {
	t.Helper()
	for i, e := range c.ExtraExtensions {
		if e.Id.String() != oid {
			continue
		}
		value, _, there := find(from, e.Id)
		if !there {
			t.Fatalf("no extension %s", oid)
		}
		c.ExtraExtensions[i].Value = value
		return
	}
	t.Fatalf("no extension %s", oid)
}

func TestCACertificateAsLeafIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	pki := testPKI(t)
	for name, cert := range map[string]*x509.Certificate{
		"anchor":           pki.Auth().Certificate(),
		"other authority":  pki.Sign().Certificate(),
		"with constraints": issue(t, func(c *x509.Certificate) { add(c, "2.5.29.19", true, 0x30, 0x03, 0x01, 0x01, 0xFF) }).Certificate,
		"by key usage":     issue(t, func(c *x509.Certificate) { set(t, c, oidKeyUsage.String(), 0x03, 0x02, 0x02, 0x84) }).Certificate,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.login(t, &cardtest.Leaf{Certificate: cert, Key: shared.leaf.Key})
			wantReason(t, err, CertificateIsCA)
		})
	}
}

// set changes the value of an extension, add appends one.
func set(t testing.TB, c *x509.Certificate, oid string, value ...byte) {
	t.Helper()
	for i, e := range c.ExtraExtensions {
		if e.Id.String() == oid {
			c.ExtraExtensions[i].Value = value
			return
		}
	}
	t.Fatalf("no extension %s", oid)
}

func add(c *x509.Certificate, oid string, critical bool, value ...byte) {
	c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: splitOID(oid), Critical: critical, Value: value})
}

func TestSigningCertificateAtLoginIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	leaf, err := testPKI(t).Sign().IssueSign(goodProfile(nil))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.login(t, leaf)
	wantReason(t, err, CertificateForSigning)
}

// Even if the authority for user authentication had issued it.
func TestSigningPolicyUnderTheRightAuthorityIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	leaf, err := testPKI(t).Auth().IssueSign(goodProfile(nil))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.login(t, leaf)
	wantReason(t, err, CertificateForSigning)
}

func TestPhoneCertificateNeedsConfiguration(t *testing.T) {
	w := newWorld(t, nil)
	p := goodProfile(nil)
	p.Phone = true
	leaf, err := testPKI(t).Auth().IssueAuth(p)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.login(t, leaf)
	wantReason(t, err, CertificateProfile)
	w.deps.PhonePolicy = cardtest.PolicyPhone
	i, err := w.login(t, leaf)
	wantAccepted(t, i, err, "ocsp")
	if i.Kind() != Phone {
		t.Errorf("kind %v", i.Kind())
	}
}

func TestAlteredClaimIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	leaf := issue(t, nil)
	for _, claim := range []string{"aud", "nonce", "challenge", "client_id", "redirect_host", "acr"} {
		t.Run(claim, func(t *testing.T) {
			id := w.challenge(t)
			a := w.honest(t, id, leaf)
			signature := a.compact(t)[len(a.input(t)):]
			a.claims[claim] = "altered"
			_, err := w.submit(t.Context(), id, append([]byte(a.input(t)), signature...))
			wantReason(t, err, SignatureInvalid)
		})
	}
}

// A card app that was talked into signing something else than it was asked.
func TestSignedForAnotherDestinationIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	leaf := issue(t, nil)
	for claim, want := range map[string]Reason{
		"aud": ClaimMismatch, "client_id": ClaimMismatch, "redirect_host": ClaimMismatch, "acr": ClaimMismatch,
		"nonce": ChallengeMismatch, "challenge": ChallengeMismatch,
	} {
		t.Run(claim, func(t *testing.T) {
			id := w.challenge(t)
			a := w.honest(t, id, leaf)
			a.claims[claim] = "elsewhere.example"
			_, err := w.submit(t.Context(), id, a.compact(t))
			wantReason(t, err, want)
		})
	}
	if asked, _ := w.responder.Asked(); asked != 0 {
		t.Error("asked about revocation before the claims were judged")
	}
}

func TestAnotherCardsSignatureIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	id := w.challenge(t)
	a := w.honest(t, id, issue(t, nil))
	var err error
	if a.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	_, err = w.submit(t.Context(), id, a.compact(t))
	wantReason(t, err, SignatureInvalid)
}

func TestCertificateSwappedAfterSigningIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	id := w.challenge(t)
	a := w.honest(t, id, issue(t, nil))
	signature := a.compact(t)[len(a.input(t)):]
	a.header["x5c"] = []string{base64.StdEncoding.EncodeToString(issue(t, nil).Certificate.Raw)} // same key, other serial
	_, err := w.submit(t.Context(), id, append([]byte(a.input(t)), signature...))
	wantReason(t, err, SignatureInvalid)
}

func TestReplayedResponseIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	id := w.challenge(t)
	body := w.honest(t, id, issue(t, nil)).compact(t)
	i, err := w.submit(t.Context(), id, body)
	wantAccepted(t, i, err, "ocsp")
	_, err = w.submit(t.Context(), id, body)
	wantReason(t, err, ChallengeSpent)
}

// A wrong answer spends the challenge too: nobody gets to try until it fits.
func TestChallengeIsSpentByAWrongAnswer(t *testing.T) {
	w := newWorld(t, nil)
	id := w.challenge(t)
	good := w.honest(t, id, issue(t, nil))
	wrong := w.honest(t, id, issue(t, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Hour) }))
	body := good.compact(t)
	_, err := w.submit(t.Context(), id, wrong.compact(t))
	wantReason(t, err, CertificateExpired)
	_, err = w.submit(t.Context(), id, body)
	wantReason(t, err, ChallengeSpent)
}

func TestResponseToAnotherChallengeIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	mine, theirs := w.challenge(t), w.challenge(t)
	_, err := w.submit(t.Context(), mine, w.honest(t, theirs, issue(t, nil)).compact(t))
	wantReason(t, err, ChallengeMismatch)
}

func TestExpiredChallengeIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	id := w.challenge(t)
	body := w.honest(t, id, issue(t, nil)).compact(t)
	w.advance(2*time.Minute - time.Second)
	if _, err := w.challenges.JWT(t.Context(), id); err != nil {
		t.Fatalf("one second before its end: %v", err)
	}
	w.advance(time.Second)
	_, err := w.submit(t.Context(), id, body)
	wantReason(t, err, ChallengeExpired)
	_, err = w.challenges.JWT(t.Context(), id)
	wantReason(t, err, ChallengeExpired)
	w.advance(remembered + time.Second)
	_, err = w.submit(t.Context(), id, body)
	wantReason(t, err, ChallengeUnknown)
}

func TestUnknownChallengeIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	id := w.challenge(t)
	body := w.honest(t, id, issue(t, nil)).compact(t)
	for _, other := range []string{"", "x", random(), id[:42], id + "A", id[:42] + "\n", id[:42] + ":"} {
		_, err := w.submit(t.Context(), other, body)
		wantReason(t, err, ChallengeUnknown)
	}
	i, err := w.submit(t.Context(), id, body)
	wantAccepted(t, i, err, "ocsp")
}

// An authority whose own time is over vouches for nobody.
func TestAnchorOutOfItsDatesIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	leaf := issue(t, func(c *x509.Certificate) { c.NotAfter = noon.AddDate(20, 0, 0) })
	w.now = testPKI(t).Auth().Certificate().NotAfter
	id := w.challenge(t)
	_, err := w.submit(t.Context(), id, w.honest(t, id, leaf).compact(t))
	wantReason(t, err, RevocationUnavailable) // in its last second it still does; nobody answers for that year
	w.advance(time.Second)
	_, err = w.login(t, leaf)
	wantReason(t, err, CertificateUntrusted)
}

func TestTestAndProductionAnchorsNeverMix(t *testing.T) {
	pki := testPKI(t)
	if _, err := ParseAnchors(Production, pki.Auth().PEM()); err == nil {
		t.Error("a test authority is believed in production")
	}
	if _, err := ParseAnchors(Test, pki.Sign().PEM()); err == nil {
		t.Error("a signature authority is believed at login")
	}
	leaf := pemOf(issue(t, nil).Certificate.Raw)
	for name, file := range map[string][]byte{
		"nothing": nil, "blank": []byte("\n"), "leaf": leaf, "twice": append(pki.Auth().PEM(), pki.Auth().PEM()...),
		"rest": append(pki.Auth().PEM(), "rest"...), "key": []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
	} {
		if _, err := ParseAnchors(Test, file); err == nil {
			t.Errorf("%s is taken for anchors", name)
		}
	}
	if _, err := ParseAnchors(0, pki.Auth().PEM()); err == nil {
		t.Error("an environment that is none")
	}
}
