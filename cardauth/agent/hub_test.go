package agent

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// testHub is a small hub of real parts: keys, discovery, challenges in a store. It answers like the real one unless a
// test tells it to behave differently.
type testHub struct {
	*httptest.Server
	t          *testing.T
	clock      *clock
	keys       *keys.Set
	challenges *cardauth.Challenges
	signatures *cardauth.SignatureRequests

	mu       sync.Mutex
	override map[string]http.HandlerFunc // by "METHOD /path"; a path that ends in "/" is a prefix
	asked    map[string]int              // by "METHOD /path"
	answers  []string                    // responses that were good
}

func newTestHub(t *testing.T, clock *clock) *testHub {
	t.Helper()
	h := &testHub{t: t, clock: clock, override: map[string]http.HandlerFunc{}, asked: map[string]int{}}
	h.Server = httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(h.Close)
	db := sqldbtest.Open(t)
	sealer, err := keys.CreateSealer(filepath.Join(t.TempDir(), "seal"))
	if err != nil {
		t.Fatal(err)
	}
	h.keys, err = keys.Open(t.Context(), keys.Deps{DB: db, Sealer: sealer, Now: clock.now, Algs: []keys.Alg{keys.ES256}})
	if err != nil {
		t.Fatal(err)
	}
	store, err := ephemeral.NewSQL(t.Context(), db, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	deps := cardauth.Deps{
		Store: store, Issuer: h.URL, Now: clock.now,
		Sign: func(typ string, claims any) (string, error) { return h.keys.Sign(keys.ES256, typ, claims) },
	}
	h.challenges, h.signatures = cardauth.NewChallenges(deps), cardauth.NewSignatureRequests(deps)
	return h
}

// issue makes a challenge and returns its address.
func (h *testHub) issue() string {
	h.t.Helper()
	id, err := h.challenges.Issue(h.t.Context(), cardauth.Request{
		ClientID: "etax", ClientName: "見本e-Tax", RedirectHost: "etax.example", ACR: "phrh", Bound: "tx-1",
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return h.URL + challengePath + id
}

// on replaces one answer.
func (h *testHub) on(route string, f http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.override[route] = f
}

// count is how often a route was asked for.
func (h *testHub) count(route string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked[route]
}

// accepted returns the responses the hub took.
func (h *testHub) accepted() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.answers
}

func (h *testHub) serve(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if strings.HasPrefix(path, challengePath) {
		path = challengePath
	}
	if strings.HasPrefix(path, signaturePath) {
		path = signaturePath
	}
	route := r.Method + " " + path
	h.mu.Lock()
	h.asked[route]++
	f := h.override[route]
	h.mu.Unlock()
	if f == nil {
		f = map[string]http.HandlerFunc{
			"GET /.well-known/openid-configuration": h.discovery,
			"GET /jwks":                             h.jwks,
			"GET " + challengePath:                  h.getChallenge,
			"POST " + challengePath:                 h.postChallenge,
			"GET " + signaturePath:                  h.getSignatureRequest,
		}[route]
	}
	if f == nil {
		f = http.NotFound
	}
	f(w, r)
}

func (h *testHub) discovery(w http.ResponseWriter, _ *http.Request) {
	h.json(w, http.StatusOK, map[string]string{"issuer": h.URL, "jwks_uri": h.URL + "/jwks"})
}

func (h *testHub) jwks(w http.ResponseWriter, _ *http.Request) {
	body, _ := h.keys.JWKS()
	_, _ = w.Write(body)
}

func (h *testHub) getChallenge(w http.ResponseWriter, r *http.Request) {
	jwt, err := h.challenges.JWT(r.Context(), strings.TrimPrefix(r.URL.Path, challengePath))
	if err != nil {
		h.refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/jwt")
	_, _ = io.WriteString(w, jwt)
}

func (h *testHub) getSignatureRequest(w http.ResponseWriter, r *http.Request) {
	jwt, err := h.signatures.JWT(r.Context(), strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, signaturePath), requestSuffix))
	if err != nil {
		h.refuse(w, err)
		return
	}
	_, _ = io.WriteString(w, jwt)
}

// postChallenge believes nobody's code but the standard library's: it checks the signature and compares every claim
// with the challenge it published.
func (h *testHub) postChallenge(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.t.Error(err)
	}
	id := strings.TrimPrefix(r.URL.Path, challengePath)
	jwt, err := h.challenges.JWT(r.Context(), id)
	if err != nil {
		h.refuse(w, err)
		return
	}
	if err := judge(string(body), jwt, h.URL); err != nil {
		h.t.Errorf("response refused: %v", err)
		h.json(w, http.StatusForbidden, map[string]string{"error": "signature_invalid"})
		return
	}
	h.mu.Lock()
	h.answers = append(h.answers, string(body))
	h.mu.Unlock()
	h.json(w, http.StatusOK, map[string]string{"return_uri": h.returnURI()})
}

func (h *testHub) returnURI() string { return h.URL + "/login/return?code=one-time" }

func (h *testHub) refuse(w http.ResponseWriter, err error) {
	card, ok := errors.AsType[*cardauth.Error](err)
	if !ok {
		h.t.Error(err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h.json(w, http.StatusNotFound, map[string]string{"error": card.Reason.String()})
}

func (h *testHub) json(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		h.t.Error(err)
	}
}

// says makes a handler that always gives the same JSON.
func says(status int, v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
}

// judge checks a response without any code of ours.
func judge(response, challenge, issuer string) error {
	parts := strings.Split(response, ".")
	if len(parts) != 3 {
		return errors.New("not three parts")
	}
	var raw [3][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			return err
		}
		raw[i] = b
	}
	var header struct {
		Typ, Alg string
		X5C      []string
	}
	if err := json.Unmarshal(raw[0], &header); err != nil {
		return err
	}
	if header.Typ != "card-response+jwt" || header.Alg != "RS256" || len(header.X5C) != 1 {
		return errors.New("header: " + string(raw[0]))
	}
	der, err := base64.StdEncoding.DecodeString(header.X5C[0])
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], raw[2]); err != nil {
		return err
	}
	asked, err := base64.RawURLEncoding.DecodeString(strings.Split(challenge, ".")[1])
	if err != nil {
		return err
	}
	var got, want map[string]any
	if err := errors.Join(json.Unmarshal(raw[1], &got), json.Unmarshal(asked, &want)); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(challenge))
	if got["challenge"] != base64.RawURLEncoding.EncodeToString(sum[:]) || got["aud"] != issuer {
		return errors.New("challenge or aud")
	}
	for _, claim := range []string{"nonce", "client_id", "redirect_host", "acr"} {
		if got[claim] != want[claim] || got[claim] == nil {
			return errors.New(claim)
		}
	}
	return nil
}
