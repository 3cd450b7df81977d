package idp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// FuzzAuthorize: whatever the query, the answer is a page below 500 or a redirect to an address that was registered.
func FuzzAuthorize(f *testing.F) {
	h := idptest.Start(f, idptest.Options{})
	front := h.Handler()
	good := idptest.NewRequest()
	f.Add(good.Params.Encode())
	for _, change := range [][2]string{
		{"prompt", "none"}, {"max_age", "-1"}, {"redirect_uri", "https://evil.example/"}, {"client_id", "nobody"}, {"response_type", "token"},
		{"scope", "\x00"}, {"code_challenge", "short"}, {"request", "e30.e30."}, {"id_token_hint", "a.b.c"}, {"request_uri", "urn:ietf:params:oauth:request_uri:x"},
		{"state", strings.Repeat("s", 3000)}, {"ui_locales", "ja en"},
	} {
		r := idptest.NewRequest(change[0], change[1])
		f.Add(r.Params.Encode())
	}
	f.Add(good.Params.Encode() + "&state=twice")
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/authorize", http.NoBody)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		front.ServeHTTP(w, r)
		if w.Code >= http.StatusInternalServerError {
			b, _ := io.ReadAll(w.Body)
			t.Fatalf("%d for %q: %s", w.Code, query, b)
		}
		if w.Code < 300 || w.Code > 399 {
			return
		}
		to, err := url.Parse(w.Header().Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if registered := to.Host == "app.example" || to.Host == "spa.example" || to.Host == "other.example"; to.IsAbs() && !registered {
			t.Errorf("%q redirects to %s", query, to)
		}
	})
}
