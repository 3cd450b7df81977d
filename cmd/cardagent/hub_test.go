package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/ades"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

// hub is the card part of a hub: keys, challenges, verification against the test authority, its responder.
type hub struct {
	*httptest.Server
	t          *testing.T
	keys       *keys.Set
	challenges *cardauth.Challenges
	signatures *cardauth.SignatureRequests
	verifier   *cardauth.Verifier
}

// newHub returns a hub and the directory of the PKI it trusts.
func newHub(t *testing.T) (h *hub, cards string) {
	t.Helper()
	h, cards = &hub{t: t}, t.TempDir()
	routes := http.NewServeMux()
	routes.HandleFunc("GET /.well-known/openid-configuration", h.discovery)
	routes.HandleFunc("GET /jwks", h.jwks)
	routes.HandleFunc("GET /card/challenges/{id}", h.getChallenge)
	routes.HandleFunc("POST /card/challenges/{id}", h.postChallenge)
	routes.HandleFunc("GET /signatures/{id}/request", h.getSignature)
	routes.HandleFunc("POST /signatures/{id}", h.postSignature)
	h.Server = httptest.NewServer(routes)
	t.Cleanup(h.Close)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db := sqldbtest.Open(t)
	sealer, err := keys.CreateSealer(filepath.Join(t.TempDir(), "seal"))
	must(err)
	h.keys, err = keys.Open(t.Context(), keys.Deps{DB: db, Sealer: sealer, Now: time.Now, Algs: []keys.Alg{keys.ES256}})
	must(err)
	store, err := ephemeral.NewSQL(t.Context(), db, time.Now)
	must(err)
	deps := cardauth.Deps{
		Store: store, Issuer: h.URL, Now: time.Now,
		Sign: func(typ string, claims any) (string, error) { return h.keys.Sign(keys.ES256, typ, claims) },
	}
	h.challenges, h.signatures = cardauth.NewChallenges(deps), cardauth.NewSignatureRequests(deps)
	pki, err := cardtest.LoadOrCreatePKI(cards, time.Now, "http://127.0.0.1:1/ocsp")
	must(err)
	responder := httptest.NewServer(pki.Responder())
	t.Cleanup(responder.Close)
	anchors, err := cardauth.ParseAnchors(cardauth.Test, pki.Auth().PEM())
	must(err)
	revocation, err := cardauth.NewRevocation(cardauth.RevocationDeps{Now: time.Now, OCSP: responder.URL + "/ocsp", CRL: responder.URL + "/crl"})
	must(err)
	h.verifier = cardauth.NewVerifier(cardauth.VerifierDeps{
		Challenges: h.challenges, Anchors: anchors, Revocation: revocation, Now: time.Now, Digest: sealer.Digest,
		PhonePolicy: cardtest.PolicyPhone,
	})
	return h, cards
}

// issue makes a challenge and returns its address.
func (h *hub) issue() string {
	h.t.Helper()
	id, err := h.challenges.Issue(h.t.Context(), cardauth.Request{
		ClientID: "etax", ClientName: "見本e-Tax", RedirectHost: "localhost:8402", ACR: "phrh", Bound: "tx",
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return h.URL + "/card/challenges/" + id
}

func (h *hub) discovery(w http.ResponseWriter, _ *http.Request) {
	_ = json.NewEncoder(w).Encode(map[string]string{"issuer": h.URL, "jwks_uri": h.URL + "/jwks"})
}

func (h *hub) jwks(w http.ResponseWriter, _ *http.Request) {
	body, _ := h.keys.JWKS()
	_, _ = w.Write(body)
}

func (h *hub) getChallenge(w http.ResponseWriter, r *http.Request) {
	jwt, err := h.challenges.JWT(r.Context(), r.PathValue("id"))
	if err != nil {
		h.refuse(w, err)
		return
	}
	_, _ = io.WriteString(w, jwt)
}

func (h *hub) postChallenge(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.t.Error(err)
	}
	response, err := cardauth.ParseResponse(body)
	if err != nil {
		h.refuse(w, err)
		return
	}
	who, err := h.verifier.Verify(r.Context(), r.PathValue("id"), response)
	if err != nil {
		h.refuse(w, err)
		return
	}
	if who.Bound() != "tx" {
		h.t.Errorf("bound to %q", who.Bound())
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"return_uri": h.URL + "/login/return?code=good"})
}

// refuse sends the browser to the hub's page whenever the login is known.
func (h *hub) refuse(w http.ResponseWriter, err error) {
	refusal, ok := errors.AsType[*cardauth.Error](err)
	if !ok {
		h.t.Error(err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	answer := map[string]string{"error": refusal.Reason.String()}
	if refusal.Bound != "" {
		answer["return_uri"] = h.URL + "/login/return?code=" + refusal.Reason.String()
	}
	w.WriteHeader(http.StatusForbidden)
	_ = json.NewEncoder(w).Encode(answer)
}

// ask makes a request for a signature and returns its address.
func (h *hub) ask(name string) string {
	h.t.Helper()
	d := ades.NewDocument(name, sha256.Sum256([]byte(name)))
	id, err := h.signatures.Issue(h.t.Context(), cardauth.SignatureAsk{
		ClientID: "etax", ClientName: "見本e-Tax", RedirectHost: "localhost:8402", Purpose: ades.PurposeDocument, Document: &d,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return h.URL + "/signatures/" + id + "/request"
}

func (h *hub) getSignature(w http.ResponseWriter, r *http.Request) {
	jwt, err := h.signatures.JWT(r.Context(), r.PathValue("id"))
	if err != nil {
		h.refuse(w, err)
		return
	}
	_, _ = io.WriteString(w, jwt)
}

// postSignature takes what is a signature by its form; package cardauth tests the rest.
func (h *hub) postSignature(w http.ResponseWriter, r *http.Request) {
	var body struct{ JWS string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || strings.Count(body.JWS, ".") != 2 {
		h.t.Errorf("%v: %.80s", err, body.JWS)
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"return_uri": h.URL + "/sign/return?code=good"})
}
