package rp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

const signedText = "甲は乙に、次の物件を貸す。\n"

// signs makes the hub sign what it is asked for, and returns what it was asked about.
func (w *world) signs() *string {
	asked := new(string)
	w.hub.Set(func(s *rptest.Settings) {
		s.Signature = func(document json.RawMessage) map[string]any {
			*asked = string(document)
			return map[string]any{
				"document": document, "signed_at": w.clock.now().Unix(), "jws": "a.b.c", "cms": []byte("der"),
				"revocation": map[string]any{"source": "ocsp", "as_of": w.clock.now().Unix()},
			}
		}
	})
	return asked
}

func TestSignatureIsAskedForAndFetched(t *testing.T) {
	for name, change := range map[string]func(*rptest.Settings){
		"pushed": func(*rptest.Settings) {}, "in the address": func(s *rptest.Settings) { s.NoPAR = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.hub.Set(change)
			asked := w.signs()
			page := w.get(w.browser(), "/ask")
			if page.URL.Path != "/inner" || !page.Has(taro) {
				t.Fatalf("ended at %s", page.URL)
			}
			sum := sha256.Sum256([]byte(signedText))
			digest := base64.RawURLEncoding.EncodeToString(sum[:])
			if !strings.Contains(*asked, `"digest":"`+digest+`"`) || !strings.Contains(*asked, `"digest_alg":"sha-256"`) {
				t.Errorf("asked about %s", *asked)
			}
			id := w.arrived.Load().SignatureID()
			if id == "" || !w.arrived.Load().Asked {
				t.Fatalf("granted %s", w.arrived.Load().Details)
			}
			for who, session := range map[string]*rp.Session{"the person's token": w.arrived.Load().Session, "our own token": nil} {
				got, err := w.party.Signature(t.Context(), session, id)
				if err != nil || got.JWS != "a.b.c" || string(got.CMS) != "der" || got.Document.Digest != digest || got.Revocation.Source != "ocsp" {
					t.Errorf("with %s: %+v, %v", who, got, err)
				}
				_, err = w.party.Signature(t.Context(), session, "another")
				if e, ok := errors.AsType[*rp.Error](err); !ok || e.Reason != rp.HubRefused {
					t.Errorf("another signature with %s: %v", who, err)
				}
			}
		})
	}
}

// Whoever does not sign is told apart from whoever does not sign in, and stays signed in.
func TestNotSigningLeavesTheSession(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	w.get(b, "/login?return=/inner")
	w.hub.Set(func(s *rptest.Settings) { s.Deny = "access_denied" })
	page := w.get(b, "/ask")
	wantReason(t, page, "access_denied")
	if !w.arrived.Load().Asked || w.arrived.Load().Return.String() != "/inner" || w.arrived.Load().Session != nil {
		t.Errorf("arrived %+v", w.arrived.Load())
	}
	if page := w.get(b, "/inner"); !page.Has(taro) {
		t.Errorf("not signed in any more: %d", page.Status)
	}
}

func TestLoginWithoutDetailsHasNone(t *testing.T) {
	w := newWorld(t, nil)
	w.get(w.browser(), "/login?return=/inner")
	if w.arrived.Load().Asked || w.arrived.Load().Details != nil || w.arrived.Load().SignatureID() != "" {
		t.Errorf("arrived %+v", w.arrived.Load())
	}
	for _, odd := range []string{`{}`, `[{"type":"signature","identifier":7}]`, `[{"type":"payment","identifier":"x"}]`, `null`} {
		if id := (rp.Arrival{Details: json.RawMessage(odd)}).SignatureID(); id != "" {
			t.Errorf("%s has signature %q", odd, id)
		}
	}
}
