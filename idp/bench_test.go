package idp_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/cputime"
)

type signedIn struct {
	h      *idptest.Hub
	front  http.Handler
	cookie string
}

func benchHub(b *testing.B) signedIn {
	b.Helper()
	h := idptest.Start(b, idptest.Options{})
	br := h.Browser(b)
	h.Code(b, br, idptest.NewRequest(), "taro")
	return signedIn{h, h.Handler(), br.Request(http.MethodGet, h.Issuer+"/authorize", nil).Header.Get("Cookie")}
}

func (s signedIn) code(b *testing.B, r idptest.Request) string {
	w := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodGet, r.Path(), http.NoBody)
	req.Header.Set("Cookie", s.cookie)
	s.front.ServeHTTP(w, req)
	to, err := url.Parse(w.Header().Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		b.Fatalf("no code: %d %v", w.Code, w.Header())
	}
	return to.Query().Get("code")
}

func (s signedIn) post(b *testing.B, path string, form url.Values) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(idptest.ClientID, idptest.Secret)
	s.front.ServeHTTP(w, req)
	if w.Code != http.StatusOK && w.Code != http.StatusCreated {
		b.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w
}

// BenchmarkSSORelogin: authorize with a session, code, tokens: what every later visit to a service costs, through the handlers.
func BenchmarkSSORelogin(b *testing.B) {
	s := benchHub(b)
	cputime.PerOperation(b, func(int) {
		r := idptest.NewRequest()
		s.post(b, "/token", idptest.CodeForm(s.code(b, r), r))
	})
}

// BenchmarkCodeRedemption is the token endpoint's part of it.
func BenchmarkCodeRedemption(b *testing.B) {
	s := benchHub(b)
	requests, codes := make([]idptest.Request, b.N), make([]string, b.N)
	for i := range b.N {
		requests[i] = idptest.NewRequest()
		codes[i] = s.code(b, requests[i])
	}
	cputime.PerOperation(b, func(i int) { s.post(b, "/token", idptest.CodeForm(codes[i], requests[i])) })
}

// BenchmarkPAR is one pushed authorization request: client authentication, every check, one write.
func BenchmarkPAR(b *testing.B) {
	s := benchHub(b)
	r := idptest.NewRequest()
	cputime.PerOperation(b, func(int) { s.post(b, "/par", r.Params) })
}

// BenchmarkDiscovery is the answer prepared once.
func BenchmarkDiscovery(b *testing.B) {
	s := benchHub(b)
	cputime.PerOperation(b, func(int) {
		w := httptest.NewRecorder()
		s.front.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/openid-configuration", http.NoBody))
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	})
}
