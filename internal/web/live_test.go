package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// connection is what Live sees of one; a deadline that it sets is in force for what is written then.
type connection struct {
	*httptest.ResponseRecorder
	t        *testing.T
	deadline time.Time
}

func (c *connection) SetReadDeadline(time.Time) error { return nil }

func (c *connection) SetWriteDeadline(at time.Time) error {
	c.deadline = at
	return nil
}

func (c *connection) bounded(what string) {
	c.t.Helper()
	if left := time.Until(c.deadline); left <= 0 || left > liveWrite {
		c.t.Errorf("%s may take %v", what, left)
	}
}

func (c *connection) Write(b []byte) (int, error) {
	c.bounded("a write")
	return c.ResponseRecorder.Write(b)
}

func (c *connection) FlushError() error {
	c.bounded("a flush")
	return nil
}

func liveSite(t *testing.T) *Site {
	t.Helper()
	return newSite(t, func(c *SiteConfig) {
		c.Pages = fstest.MapFS{"home.html": {Data: []byte(`{{define "main"}}<h1>{{t "home.title"}}</h1>{{end}}` +
			`{{define "late"}}<section>` + liveMark + `</section>{{end}}{{define "piece"}}<p>{{.Data}}</p>{{end}}`)}}
	})
}

// Whoever reads nothing holds a page that goes on no longer than one write may take; while nothing is written no bound runs, which a
// connection of HTTP/2 would not outlive.
func TestLivePageEndsForWhoeverReadsNothing(t *testing.T) {
	c := &connection{ResponseRecorder: httptest.NewRecorder(), t: t}
	words := []any{"<one>", nil, "two"}
	liveSite(t).Live(c, httptest.NewRequest(http.MethodGet, "/", nil), home(nil), "piece", func() (any, bool) {
		if !c.deadline.IsZero() {
			t.Error("the time until the next piece is bounded")
		}
		if len(words) == 0 {
			return nil, false
		}
		next := words[0]
		words = words[1:]
		return next, true
	})
	body := c.Body.String()
	if !strings.Contains(body, "<section><p>&lt;one&gt;</p>\n<p>two</p></section>") || !strings.HasSuffix(strings.TrimSpace(body), "</html>") {
		t.Errorf("%s", body)
	}
}

// A proxy that gathers answers before it hands them on would show the page when all is over.
func TestLivePageIsNotGathered(t *testing.T) {
	w := httptest.NewRecorder()
	liveSite(t).Live(w, httptest.NewRequest(http.MethodGet, "/", nil), home(nil), "piece", func() (any, bool) { return nil, false })
	if w.Header().Get("X-Accel-Buffering") != "no" || w.Header().Get("Cache-Control") != "no-store" {
		t.Error(w.Header())
	}
}
