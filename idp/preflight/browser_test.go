package preflight

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
)

// web answers from a list of addresses.
type web struct {
	Web
	pages map[string]clients.Seen
	asked []string
}

func (w *web) Browse(_ context.Context, v clients.Visit) (clients.Seen, error) {
	w.asked = append(w.asked, v.Address)
	return w.pages[v.Address], nil
}

func leads(to string) clients.Seen {
	return clients.Seen{Status: http.StatusSeeOther, Header: http.Header{"Location": {to}}}
}

// TestABrowserStaysAtTheService: it follows the service among its own origins, stops before the hub and before everybody else, and does not go
// round for ever.
func TestABrowserStaysAtTheService(t *testing.T) {
	w := &web{pages: map[string]clients.Seen{
		"https://s.example/a":     leads("/b"),
		"https://s.example/b":     leads("https://www.s.example/c"),
		"https://www.s.example/c": {Status: http.StatusOK},
		"https://s.example/hub":   leads("https://hub.example/authorize?x=y"),
		"https://s.example/away":  leads("https://10.0.0.1/secret"),
		"https://s.example/near":  leads("https://s.example.evil/"),
		"https://s.example/round": leads("/round"),
	}}
	c := &try{d: Deps{Issuer: "https://hub.example", Web: w, Now: time.Now}, own: map[string]bool{"https://s.example": true, "https://www.s.example": true}}
	open := func(path string) page { return c.browser().open(t.Context(), "https://s.example"+path, nil) }
	if p := open("/a"); !p.shown() || strings.Join(p.trail, ",") != "303 /a,303 /b,200 /c" {
		t.Errorf("%+v", p)
	}
	if p := open("/hub"); p.hub != "https://hub.example/authorize?x=y" || p.shown() {
		t.Errorf("%+v", p)
	}
	for _, path := range []string{"/away", "/near"} {
		if p := open(path); p.away == "" || p.shown() {
			t.Errorf("%+v", p)
		}
	}
	if p := open("/round"); p.err == nil {
		t.Errorf("%+v", p)
	}
	for _, a := range w.asked {
		if !strings.HasPrefix(a, "https://s.example/") && !strings.HasPrefix(a, "https://www.s.example/") {
			t.Errorf("asked %s", a)
		}
	}
	c.requests = maxRequests
	if p := open("/a"); p.err != errTooMany { //nolint:errorlint // the value itself
		t.Errorf("%+v", p)
	}
}

// TestNoReportHasWhatAnAddressSays: an address that nobody can go to is named by its scheme; it may hold the code, or kilobytes.
func TestNoReportHasWhatAnAddressSays(t *testing.T) {
	for address, want := range map[string]string{
		"app.example:/callback?code=secret": "app.example:", "javascript:" + strings.Repeat("secret", 2000): "javascript:", "https://s.example/%zz?secret": "?", "https:///secret": "https:",
		"app." + strings.Repeat("secret", 2000) + ":/": "?",
	} {
		w := &web{pages: map[string]clients.Seen{"https://s.example/": leads(address)}}
		c := &try{d: Deps{Issuer: "https://hub.example", Web: w, Now: time.Now}, own: map[string]bool{"https://s.example": true}}
		if p := c.browser().open(t.Context(), "https://s.example/", nil); p.away != want || strings.Contains(whyNot(p).en, "secret") {
			t.Errorf("%.40s: %.80s", address, p.away)
		}
	}
}
