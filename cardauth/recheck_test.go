package cardauth

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
)

// refused asserts a refusal that no login asked for.
func refused(t testing.TB, err error, want Reason) *Error {
	t.Helper()
	refusal, ok := errors.AsType[*Error](err)
	if !ok || refusal.Reason != want {
		t.Fatalf("got %v, want %v", err, want)
	}
	return refusal
}

// handleOf logs in and returns what remains of the certificate, through its stored form.
func (w *world) handleOf(t testing.TB, leaf *cardtest.Leaf) Handle {
	t.Helper()
	i, err := w.login(t, leaf)
	if err != nil {
		t.Fatal(err)
	}
	b, err := i.Handle().MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	h, err := UnmarshalHandle(b)
	if err != nil {
		t.Fatal(err)
	}
	if h != i.Handle() || h.IssuerKeyID() != i.Binding().IssuerKeyID || !h.NotAfter().Equal(i.NotAfter()) || h.Kind() != i.Kind() {
		t.Fatal("the stored handle is another one")
	}
	return h
}

// Whoever was good at login is asked about again, by responder or by list, and
// the answer says why the card no longer counts.
func TestRecheckSeesRevocationAndItsReason(t *testing.T) {
	for source, ocsp := range map[string]cardtest.OCSPBehaviour{"ocsp": cardtest.OCSPGood, "crl": cardtest.OCSPServerError} {
		for why, number := range map[RevocationReason]int{Superseded: 4, CessationOfOperation: 5, KeyCompromise: 1, CertificateHold: 6, Unspecified: 0} {
			t.Run(source+"/"+why.String(), func(t *testing.T) {
				w := newWorld(t, nil)
				leaf := issue(t, nil)
				h := w.handleOf(t, leaf)
				w.responder.BehaveOCSP(ocsp)
				w.forgetLists()
				fresh, err := w.Recheck(t.Context(), h)
				if err != nil || fresh.Source != source || fresh.ProducedAt.IsZero() {
					t.Fatalf("%+v, %v", fresh, err)
				}
				if err = testPKI(t).Auth().Revoke(leaf.Serial(), number); err != nil {
					t.Fatal(err)
				}
				w.forgetLists()
				_, err = w.Recheck(t.Context(), h)
				if got := refused(t, err, CertificateRevoked).RevokedFor; got != why {
					t.Errorf("revoked for %v, want %v", got, why)
				}
			})
		}
	}
}

// forgetLists is a restart of the hub as far as lists go.
func (w *world) forgetLists() {
	r := w.deps.Revocation
	r.listsMu.Lock()
	defer r.listsMu.Unlock()
	clear(r.lists)
}

func TestRecheckFailsClosed(t *testing.T) {
	w := newWorld(t, nil)
	leaf := issue(t, nil)
	h := w.handleOf(t, leaf)
	w.responder.BehaveOCSP(cardtest.OCSPServerError)
	w.responder.BehaveCRL(cardtest.CRLMissing)
	_, err := w.Recheck(t.Context(), h)
	refused(t, err, RevocationUnavailable)
	w.responder.BehaveOCSP(cardtest.OCSPUnknown)
	w.responder.BehaveCRL(cardtest.CRLGood)
	_, err = w.Recheck(t.Context(), h)
	refused(t, err, RevocationUnavailable)
	w.responder.BehaveOCSP(cardtest.OCSPGood)
	stranger := h
	stranger.issuerKey[0] ^= 1
	_, err = w.Recheck(t.Context(), stranger)
	refused(t, err, CertificateUntrusted)
	w.advance(leaf.Certificate.NotAfter.Sub(noon) + time.Second)
	_, err = w.Recheck(t.Context(), h)
	refused(t, err, CertificateExpired)
}

// A handle names a citizen's certificate: whatever prints it prints a word.
func TestHandleIsNotPrinted(t *testing.T) {
	w := newWorld(t, nil)
	leaf := issue(t, nil)
	h := w.handleOf(t, leaf)
	i, err := w.login(t, leaf)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "handle", h, "pointer", &h)
	text := fmt.Sprintf("%v %+v %#v %s %d %+v %#v", h, h, h, h, &h, i, i) + log.String()
	for _, secret := range []string{fmt.Sprint(leaf.Serial()), fmt.Sprintf("%x", leaf.Serial()), h.ocspURL} {
		if strings.Contains(text, secret) {
			t.Errorf("%q in %s", secret, text)
		}
	}
	if _, err := (Handle{}).MarshalBinary(); err == nil {
		t.Error("nobody's handle is kept")
	}
}

// What is read as a handle is written back as the same bytes.
func FuzzHandle(f *testing.F) {
	b, err := Handle{serial: 1, kind: Phone, ocspURL: "http://ocsp.example", notAfter: 1 << 31}.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:handleFixed])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := UnmarshalHandle(b)
		if err != nil {
			return
		}
		again, err := h.MarshalBinary()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%X became %X, %v", b, again, err)
		}
	})
}
