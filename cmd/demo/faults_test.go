package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
)

func TestFaultsBreakTheAuthorityAndMendIt(t *testing.T) {
	pki, err := cardtest.LoadOrCreatePKI(t.TempDir(), time.Now, "http://127.0.0.1:1/ocsp")
	if err != nil {
		t.Fatal(err)
	}
	responder := pki.Responder()
	f := newFaults(pki, responder)
	downs := 0
	f.with("third", func() error { downs++; return nil }, func() error { downs--; return nil })
	server := httptest.NewServer(withHealth(f.handler(responder)))
	t.Cleanup(server.Close)
	order := func(path string, header ...string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/faults/"+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	listed := func(card string) int {
		auth, _, err := pki.Drawer().Serials(card)
		if err != nil {
			t.Fatal(err)
		}
		return pki.Auth().RevokedFor(auth)
	}
	list := func() int { return listed("hanako") }
	for _, step := range []struct {
		path string
		want int
	}{
		{"revoke/taro?reason=superseded", http.StatusNoContent}, {"revoke/taro?reason=bored", http.StatusNotFound},
		{"revoke/hanako", http.StatusNoContent}, {"revoke/nobody", http.StatusNotFound}, {"restore/nobody", http.StatusNotFound},
		{"ocsp/sideways", http.StatusNotFound}, {"nothing/down", http.StatusNotFound}, {"third/down", http.StatusNoContent},
	} {
		if got := order(step.path); got != step.want {
			t.Errorf("%s: %d, want %d", step.path, got, step.want)
		}
	}
	if listed("taro") != int(cardauth.Superseded) {
		t.Errorf("replaced, and revoked for %d", listed("taro"))
	}
	if list() != int(cardauth.KeyCompromise) || downs != 1 {
		t.Errorf("revoked for %d, %d services down", list(), downs)
	}
	if got := order("restore/hanako"); got != http.StatusNoContent || list() != -1 {
		t.Errorf("%d, revoked for %d", got, list())
	}
	ask := func() int {
		resp, err := http.Post(server.URL+"/ocsp", "application/ocsp-request", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	order("ocsp/down")
	if got := ask(); got != http.StatusInternalServerError {
		t.Errorf("down, and answers %d", got)
	}
	order("ocsp/up")
	if got := ask(); got != http.StatusOK {
		t.Errorf("up, and answers %d", got)
	}
	if got := order("revoke/hanako", "Sec-Fetch-Site", "cross-site"); got != http.StatusForbidden || list() != -1 {
		t.Errorf("a page of another site revoked a card: %d", got)
	}
	rebound := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://evil.example/faults/revoke/hanako", http.NoBody)
	rebound.RemoteAddr = "127.0.0.1:1234"
	rebound.Header.Set("Sec-Fetch-Site", "same-origin")
	w := httptest.NewRecorder()
	if f.handler(responder).ServeHTTP(w, rebound); w.Code != http.StatusForbidden || list() != -1 {
		t.Errorf("a page whose name was pointed at this machine revoked a card: %d", w.Code)
	}
	stranger := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/faults/revoke/hanako", http.NoBody)
	stranger.RemoteAddr = "192.0.2.1:1234"
	w = httptest.NewRecorder()
	f.handler(responder).ServeHTTP(w, stranger)
	if w.Code != http.StatusForbidden || list() != -1 {
		t.Errorf("another machine revoked a card: %d", w.Code)
	}
}
