package clients

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestBrowseReachesWhatIsPublicAlone: neither a page nor a handshake is asked of this machine or a private network, and redirects are told, not followed.
func TestBrowseReachesWhatIsPublicAlone(t *testing.T) {
	var asked int
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		http.Redirect(w, r, "/next", http.StatusSeeOther)
	}))
	t.Cleanup(s.Close)
	closed, err := NewFetcher(FetcherConfig{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{s.URL, strings.Replace(s.URL, "http:", "https:", 1), "https://10.0.0.1/", "https://[::1]/", "https://169.254.169.254/"} {
		ours := strings.Contains(address, "127.0.0.1") || strings.Contains(address, "::1") // the others are no addresses at all here
		if _, err := closed.Browse(t.Context(), Visit{Address: address}); err == nil || ours && !IsRefusedAddress(err) {
			t.Errorf("%s: %v", address, err)
		}
		if _, err := closed.Handshake(t.Context(), address); err == nil || ours && !IsRefusedAddress(err) {
			t.Errorf("%s: handshake: %v", address, err)
		}
	}
	if asked != 0 {
		t.Error("asked all the same")
	}
	open, err := NewFetcher(FetcherConfig{Now: time.Now, Allow: []string{strings.TrimPrefix(s.URL, "http://")}})
	if err != nil {
		t.Fatal(err)
	}
	seen, err := open.Browse(t.Context(), Visit{Address: s.URL + "/x", Form: url.Values{"a": {"b"}}})
	if err != nil || seen.Status != http.StatusSeeOther || seen.Header.Get("Location") != "/next" || asked != 1 {
		t.Errorf("%+v %v, asked %d times", seen, err, asked)
	}
	if h, err := open.Handshake(t.Context(), s.URL); err != nil || !h.Plain {
		t.Errorf("%+v %v", h, err)
	}
}

// TestHandshakeTellsVersionsAndDates: what a server speaks, old versions too, until when its certificate is good, and that a stranger's is not trusted.
func TestHandshakeTellsVersionsAndDates(t *testing.T) {
	for _, old := range []bool{false, true} {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		if old {
			s.TLS.MinVersion = tls.VersionTLS10
		}
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		allow := []string{strings.TrimPrefix(s.URL, "https://")}
		f, err := NewFetcher(FetcherConfig{Now: time.Now, Allow: allow, RootCAs: roots})
		if err != nil {
			t.Fatal(err)
		}
		h, err := f.Handshake(t.Context(), s.URL)
		if err != nil || h.Version != "TLS 1.3" || h.Old != old || !h.NotAfter.Equal(s.Certificate().NotAfter) {
			t.Errorf("old %v: %+v %v", old, h, err)
		}
		if f, err = NewFetcher(FetcherConfig{Now: time.Now, Allow: allow}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Handshake(t.Context(), s.URL); !IsCertificateError(err) {
			t.Errorf("a stranger's certificate: %v", err)
		}
	}
}
