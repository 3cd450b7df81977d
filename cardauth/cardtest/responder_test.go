package cardtest

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// ask puts a question that golang.org/x/crypto/ocsp made, and has it read the
// answer.
func ask(t *testing.T, r *Responder, cert *x509.Certificate, issuer *x509.Certificate) (*ocsp.Response, error) {
	t.Helper()
	question, err := ocsp.CreateRequest(cert, issuer, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r)
	defer server.Close()
	res, err := http.Post(server.URL, "application/ocsp-request", bytes.NewReader(question))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return ocsp.ParseResponseForCert(body, cert, issuer)
}

func TestResponderTellsTheTruthToStrangers(t *testing.T) {
	pki := testPKI(t)
	r := pki.Responder()
	revoked := fresh(t, pki)
	if err := pki.auth.Revoke(revoked.Serial(), ocsp.Superseded); err != nil {
		t.Fatal(err)
	}
	for _, behaviour := range []OCSPBehaviour{OCSPGood, OCSPDelegated} {
		r.BehaveOCSP(behaviour)
		got, err := ask(t, r, shared.auth.Certificate, pki.auth.cert)
		if err != nil || got.Status != ocsp.Good || !got.ProducedAt.Equal(noon) || got.NextUpdate.Before(noon) {
			t.Errorf("good: %+v, %v", got, err)
		}
		got, err = ask(t, r, revoked.Certificate, pki.auth.cert)
		if err != nil || got.Status != ocsp.Revoked || got.RevocationReason != ocsp.Superseded || !got.RevokedAt.Equal(noon) {
			t.Errorf("revoked: %+v, %v", got, err)
		}
		unknown := *revoked.Certificate
		unknown.SerialNumber = big.NewInt(3)
		got, err = ask(t, r, &unknown, pki.auth.cert)
		if err != nil || got.Status != ocsp.Unknown {
			t.Errorf("unknown: %+v, %v", got, err)
		}
		got, err = ask(t, r, shared.sign.Certificate, pki.sign.cert)
		if err != nil || got.Status != ocsp.Good {
			t.Errorf("signature certificate: %+v, %v", got, err)
		}
	}
}

func fresh(t *testing.T, pki *PKI) *Leaf {
	t.Helper()
	leaf, err := pki.auth.IssueAuth(Profile{Person: drawerContents()[0].person, Key: shared.auth.Key, NotBefore: noon, NotAfter: noon.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// A liar is caught by the library where the library looks at all.
func TestLiesAreLies(t *testing.T) {
	pki := testPKI(t)
	r := pki.Responder()
	revoked := fresh(t, pki)
	if err := pki.auth.Revoke(revoked.Serial(), 1); err != nil {
		t.Fatal(err)
	}
	for _, behaviour := range []OCSPBehaviour{OCSPWrongSigner, OCSPAltered, OCSPGarbage, OCSPTryLater, OCSPServerError, OCSPWrongCertificate} {
		r.BehaveOCSP(behaviour)
		if got, err := ask(t, r, revoked.Certificate, pki.auth.cert); err == nil {
			t.Errorf("behaviour %d: status %d", behaviour, got.Status)
		}
	}
	for behaviour, offset := range map[OCSPBehaviour]time.Duration{OCSPLate: -48 * time.Hour, OCSPFuture: 24 * time.Hour} {
		r.BehaveOCSP(behaviour)
		got, err := ask(t, r, shared.auth.Certificate, pki.auth.cert)
		if err != nil || !got.ProducedAt.Equal(noon.Add(offset)) {
			t.Errorf("behaviour %d: %+v, %v", behaviour, got, err)
		}
	}
}

func TestQuestionsOfStrangers(t *testing.T) {
	for _, raw := range [][]byte{nil, {0x30, 0x00}, []byte("GET"), bytes.Repeat([]byte{0x30, 0x80}, 1000)} {
		if _, fits := parseQuestion(raw); fits {
			t.Errorf("%X is a question", raw)
		}
	}
	server := httptest.NewServer(testPKI(t).Responder())
	defer server.Close()
	res, err := http.Post(server.URL, "application/ocsp-request", bytes.NewReader(make([]byte, maxRequest+1)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", res.StatusCode)
	}
}

func FuzzQuestion(f *testing.F) {
	f.Add([]byte{0x30, 0x00})
	f.Add([]byte{0x30, 0x03, 0x0A, 0x01, 0x03})
	f.Fuzz(func(t *testing.T, raw []byte) {
		q, fits := parseQuestion(raw)
		// Whatever we take for a question, the library does too.
		if req, err := ocsp.ParseRequest(raw); fits && err == nil && req.SerialNumber.Cmp(q.serial) != 0 {
			t.Errorf("serial %v, library says %v", q.serial, req.SerialNumber)
		}
	})
}

func TestListIsReadByTheLibrary(t *testing.T) {
	pki := testPKI(t)
	revoked := fresh(t, pki)
	if err := pki.auth.Revoke(revoked.Serial(), 5); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(pki.Responder())
	defer server.Close()
	sum := sha256.Sum256(pki.auth.Point(chiyoda))
	res, err := http.Get(server.URL + "/crl/" + pki.auth.folder() + "/" + hex.EncodeToString(sum[:]) + ".crl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(body)
	if err != nil {
		t.Fatal(err)
	}
	if err = list.CheckSignatureFrom(pki.auth.cert); err != nil {
		t.Error(err)
	}
	found := false
	for _, e := range list.RevokedCertificateEntries {
		found = found || e.SerialNumber.Cmp(revoked.Certificate.SerialNumber) == 0 && e.ReasonCode == 5
	}
	if !found {
		t.Error("the revoked certificate is not on the list")
	}
	if missing, err := http.Get(server.URL + "/crl/00.crl"); err != nil || missing.StatusCode != http.StatusNotFound {
		t.Errorf("%v, %v", missing, err)
	}
}
