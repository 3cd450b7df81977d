package web

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

var machinePaths = []string{"/token", "/api/"}

func through(t *testing.T, r *http.Request, h http.HandlerFunc) *httptest.ResponseRecorder {
	t.Helper()
	s := newSite(t, func(c *SiteConfig) { c.APIPaths, c.CrossOriginPaths = machinePaths, []string{"/authorize"} })
	w := httptest.NewRecorder()
	s.Middleware(h).ServeHTTP(w, r)
	return w
}

func TestPostFromAnotherSiteIsRefused(t *testing.T) {
	for _, c := range []struct {
		name, path string
		header     map[string]string
		passes     bool
	}{
		{"own form", "/login/card", map[string]string{"Sec-Fetch-Site": "same-origin"}, true},
		{"own form, old browser", "/login/card", map[string]string{"Origin": "http://example.com"}, true},
		{"program", "/login/card", nil, true}, // no browser, so no cookie of anybody either
		{"other site", "/login/card", map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
		{"sibling site", "/login/card", map[string]string{"Sec-Fetch-Site": "same-site"}, false},
		{"other site, old browser", "/login/card", map[string]string{"Origin": "https://evil.example"}, false},
		{"sandboxed", "/login/card", map[string]string{"Origin": "null"}, false},
		{"machine endpoint", "/token", map[string]string{"Sec-Fetch-Site": "cross-site"}, true},
		{"below a machine prefix", "/api/links", map[string]string{"Sec-Fetch-Site": "cross-site"}, true},
		{"page others may post to", "/authorize", map[string]string{"Sec-Fetch-Site": "cross-site"}, true},
		{"not below an exact path", "/authorize/x", map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader("a=b"))
			for k, v := range c.header {
				r.Header.Set(k, v)
			}
			reached := false
			w := through(t, r, func(http.ResponseWriter, *http.Request) { reached = true })
			if reached != c.passes {
				t.Fatalf("reached the handler: %v", reached)
			}
			if !c.passes {
				if w.Code != http.StatusForbidden {
					t.Errorf("status %d", w.Code)
				}
				wants(t, w.Body.String(), `data-error="csrf"`, "もう一度")
			}
		})
	}
}

func TestBodyIsBounded(t *testing.T) {
	big := strings.Repeat("x", MaxBody+1)
	w := through(t, httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(big)), func(http.ResponseWriter, *http.Request) {
		t.Error("an announced big body reached the handler")
	})
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", w.Code)
	}
	wants(t, w.Body.String(), `data-error="too_large"`)

	w = through(t, httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(big)), nil)
	if w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), `"error":"invalid_request"`) {
		t.Errorf("machine: %d %s", w.Code, w.Body)
	}

	chunked := httptest.NewRequest(http.MethodPost, "/login", io.MultiReader(strings.NewReader(big)))
	chunked.ContentLength = -1
	through(t, chunked, func(_ http.ResponseWriter, r *http.Request) {
		var tooLarge *http.MaxBytesError
		if _, err := io.ReadAll(r.Body); !errors.As(err, &tooLarge) {
			t.Errorf("read of an unannounced big body: %v", err)
		}
	})

	fits := strings.Repeat("x", MaxBody)
	through(t, httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(fits)), func(_ http.ResponseWriter, r *http.Request) {
		if b, err := io.ReadAll(r.Body); err != nil || len(b) != MaxBody {
			t.Errorf("a body of the limit: %d, %v", len(b), err)
		}
	})
}

func TestPanicBecomesAPage(t *testing.T) {
	var log bytes.Buffer
	s := newSite(t, func(c *SiteConfig) {
		c.APIPaths, c.Log = machinePaths, slog.New(slog.NewTextHandler(&log, nil))
	})
	h := s.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "half", Value: "done"})
		panic("the secret detail")
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/account", nil))
	trace := regexp.MustCompile(`[0-9A-F]{4}-[0-9A-F]{4}`).FindString(w.Body.String())
	if w.Code != http.StatusInternalServerError || trace == "" {
		t.Errorf("status %d, trace %q", w.Code, trace)
	}
	wants(t, w.Body.String(), `data-error="internal"`)
	if strings.Contains(w.Body.String(), "secret") || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("the page tells too much: %v\n%s", w.Header(), w.Body)
	}
	wants(t, log.String(), "the secret detail", trace)

	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/token", nil))
	if w.Code != http.StatusInternalServerError || !strings.HasPrefix(w.Body.String(), `{"error":"server_error"`) || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("machine: %d %s", w.Code, w.Body)
	}
}

// Once bytes are out, the connection is cut: half a page must not look like a whole one.
func TestPanicInMidAnswerAborts(t *testing.T) {
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler { //nolint:errorlint // the value itself
			t.Errorf("recovered %v", cause)
		}
	}()
	through(t, httptest.NewRequest(http.MethodGet, "/", nil), func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		panic("late")
	})
}

func TestMiddlewareGivesTraceAndHeaders(t *testing.T) {
	var traces []string
	for range 2 {
		w := through(t, httptest.NewRequest(http.MethodGet, "/x", nil), func(_ http.ResponseWriter, r *http.Request) {
			traces = append(traces, Trace(r.Context()))
		})
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v", w.Header())
		}
	}
	if traces[0] == "" || traces[0] == traces[1] {
		t.Errorf("traces %v", traces)
	}
}
