package idptest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// Operators see how logins end, by reason, and whether the hub is ready; the address gives nothing else.
func TestOperatorsSeeHowLoginsEnd(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	r := idptest.NewRequest()
	h.Code(t, h.Browser(t), r, "taro")
	h.Responder.BehaveOCSP(cardtest.OCSPUnknown)
	b := h.Browser(t)
	pin, err := jpki.ParsePIN(cardtest.DemoPIN)
	if err != nil {
		t.Fatal(err)
	}
	if uri, err := h.Agent.Login(t.Context(), b.Challenge(b.Get(r.Path())), "taro", pin); err == nil {
		t.Fatalf("signed in: %s", uri)
	}
	read := func(method, path string) (int, string) {
		w := httptest.NewRecorder()
		h.OperatorHandler(nil).ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w.Code, w.Body.String()
	}
	_, text := read(http.MethodGet, "/metrics")
	for _, want := range []string{
		`tsunagu_card_responses_total{outcome="good"} 1`, `tsunagu_card_responses_total{outcome="status_unknown"} 1`,
		`tsunagu_logins_total{acr="phrh"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusOK, "/": http.StatusNotFound, "/account": http.StatusNotFound} {
		if got, _ := read(http.MethodGet, path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if got, _ := read(http.MethodPost, "/metrics"); got != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", got)
	}
	if err := h.DB.Close(); err != nil {
		t.Fatal(err)
	}
	if got, _ := read(http.MethodGet, "/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("ready without a database: %d", got)
	}
}
