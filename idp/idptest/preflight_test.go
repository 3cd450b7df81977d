package idptest_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/careless"
	"github.com/tsunagu-id/tsunagu/clients/postbox"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/idp/admin/admintest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/idp/preflight"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// probed is a hub and a service that is not registered.
type probed struct {
	*idptest.Hub
	base     string
	key      *rp.Key
	listener net.Listener
	handler  atomic.Pointer[http.Handler]
	metadata []byte
}

// hubFor starts a hub that may reach one more service on this machine, at the address.
func hubFor(t *testing.T) (*admintest.Hub, net.Listener) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return admintest.Start(t, idptest.Options{Reachable: []string{l.Addr().String()}}), l
}

// newProbed makes a service at an address, which is not registered and does not answer yet.
func newProbed(t *testing.T, h *idptest.Hub, l net.Listener) *probed {
	t.Helper()
	key, err := rp.OpenKey(filepath.Join(t.TempDir(), "key.pem"))
	must(t, err)
	return &probed{Hub: h, base: "http://" + l.Addr().String(), key: key, listener: l}
}

// answer lets it answer.
func (p *probed) answer(t *testing.T, h http.Handler) {
	t.Helper()
	p.handler.Store(&h)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*p.handler.Load()).ServeHTTP(w, r) }))
	_ = server.Listener.Close()
	server.Listener = p.listener
	server.Start()
	t.Cleanup(server.Close)
}

func (p *probed) candidate(t *testing.T) *clients.Client {
	t.Helper()
	c, err := clients.Candidate(p.metadata)
	must(t, err)
	return c
}

// report makes one and waits for it.
func (p *probed) report(t *testing.T) adminapi.Preflight {
	t.Helper()
	c := p.candidate(t)
	r, err := p.Preflights.Start(t.Context(), preflight.Order{Client: c, Metadata: p.metadata, Revision: 1, By: "tester"})
	must(t, err)
	return p.await(t, c.ID(), r.ID)
}

func (p *probed) await(t *testing.T, id clients.ID, report string) adminapi.Preflight {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		got, err := p.Preflights.Get(ctx, id, report)
		must(t, err)
		if got.State != "running" {
			return got
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the report does not end")
	return adminapi.Preflight{}
}

func postboxOn(t *testing.T, h *idptest.Hub, l net.Listener) *probed {
	t.Helper()
	p := newProbed(t, h, l)
	var err error
	p.metadata, err = postbox.Registration("postbox", p.base, p.key.JWKS(), true)
	must(t, err)
	site, err := postbox.New(t.Context(), postbox.Config{
		Issuer: p.Issuer, BaseURL: p.base, ClientID: "postbox", Credential: p.key, DB: sqldbtest.Open(t), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	p.answer(t, site.Handler())
	return p
}

// TestPostboxPassesThePreflight: a service that was never live is tried whole, and nothing is wrong with it.
func TestPostboxPassesThePreflight(t *testing.T) {
	t.Parallel()
	h, l := hubFor(t)
	p := postboxOn(t, h.Hub, l)
	r := p.report(t)
	if r.State != "done" || r.Verdict != adminapi.Green || len(r.Findings) != r.Planned {
		b, _ := json.MarshalIndent(r, "", " ")
		t.Errorf("%s", b)
	}
	for _, f := range r.Findings {
		if f.Verdict != adminapi.Green && !(f.Verdict == adminapi.Skipped && f.Probe == "tls") {
			t.Errorf("%s: %s", f.Probe, f.GotEN)
		}
	}
}

func carelessOn(t *testing.T, h *idptest.Hub, l net.Listener) *probed {
	t.Helper()
	p := newProbed(t, h, l)
	var err error
	p.metadata, err = careless.Registration("careless", p.base, true)
	must(t, err)
	site, err := careless.New(t.Context(), careless.Config{
		Issuer: p.Issuer, BaseURL: p.base, ClientID: "careless", Key: p.key, DB: sqldbtest.Open(t), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	p.answer(t, site.Handler())
	return p
}

// TestCarelessServiceIsFoundOut: what it does wrong is found, what it does right is not complained of.
func TestCarelessServiceIsFoundOut(t *testing.T) {
	t.Parallel()
	h, l := hubFor(t)
	p := carelessOn(t, h.Hub, l)
	r := p.report(t)
	if r.State != "done" || r.Verdict != adminapi.Red {
		t.Errorf("%s %s", r.State, r.Verdict)
	}
	wrong := []string{"state", "logout_signature", "logout_audience", "logout_nonce", "logout_event", "logout_expired"}
	for _, f := range r.Findings {
		want := adminapi.Green
		switch {
		case slices.Contains(wrong, f.Probe):
			want = adminapi.Red
		case f.Probe == "tls":
			want = adminapi.Skipped
		}
		if f.Verdict != want {
			t.Errorf("%s is %s, want %s: %s", f.Probe, f.Verdict, want, f.GotEN)
		}
		if want == adminapi.Red && (f.Remedy == "" || f.RemedyEN == "" || f.Got == "") {
			t.Errorf("%s says too little: %+v", f.Probe, f)
		}
	}
}

// TestAReportWhoseProcessDiedIsBroken: it is read as broken once its lease is over, the next one of the service can begin at once, and what the dead
// one still writes is not taken.
func TestAReportWhoseProcessDiedIsBroken(t *testing.T) {
	t.Parallel()
	h, l := hubFor(t)
	p := postboxOn(t, h.Hub, l)
	site := *p.handler.Load()
	entered, hold := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var slow http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(entered) })
		<-hold
		site.ServeHTTP(w, r)
	})
	p.handler.Store(&slow)
	c := p.candidate(t)
	first, err := p.Preflights.Start(t.Context(), preflight.Order{Client: c, Metadata: p.metadata, Revision: 1, By: "tester"})
	must(t, err)
	<-entered
	if _, err := p.Preflights.Start(t.Context(), preflight.Order{Client: c, Metadata: p.metadata, Revision: 1, By: "tester"}); !errors.Is(err, preflight.ErrRunning) {
		t.Errorf("two at once: %v", err)
	}
	if _, err := p.DB.Exec(t.Context(), `UPDATE preflight SET lease_ms = began_ms`); err != nil {
		t.Fatal(err)
	}
	if r, err := p.Preflights.Get(t.Context(), c.ID(), first.ID); err != nil || r.State != "broken" || r.Ended.IsZero() || r.Verdict != "" {
		t.Errorf("%+v %v", r, err)
	}
	p.handler.Store(&site)
	if r := p.report(t); r.State != "done" || r.Verdict != adminapi.Green {
		t.Errorf("the next one: %s %s", r.State, r.Verdict)
	}
	close(hold)
	if r := p.await(t, c.ID(), first.ID); r.State != "broken" {
		t.Errorf("the dead one came back: %+v", r)
	}
	if r, err := p.Preflights.Newest(t.Context(), c.ID(), 1, 0); err != nil || r.ID == first.ID {
		t.Errorf("%+v %v", r, err)
	}
	must(t, p.Audit.Verify(t.Context()))
}

// TestWhatCannotBeTriedIsSaid: without an address to begin at, nothing of a login is tried, and the report is yellow and says what to do instead; an address
// that is not there is red.
func TestWhatCannotBeTriedIsSaid(t *testing.T) {
	t.Parallel()
	h, l := hubFor(t)
	p := postboxOn(t, h.Hub, l)
	var m map[string]any
	must(t, json.Unmarshal(p.metadata, &m))
	delete(m, "initiate_login_uri")
	delete(m, "listed")
	m["post_logout_redirect_uris"] = []string{p.base + "/nowhere"}
	var err error
	p.metadata, err = json.Marshal(m)
	must(t, err)
	r := p.report(t)
	for _, f := range r.Findings {
		want := adminapi.Skipped
		switch f.Probe {
		case "launch":
			want = adminapi.Yellow
		case "logout_return":
			want = adminapi.Red
		case "redirect_uri", "jwks", "clock":
			want = adminapi.Green
		}
		if f.Verdict != want || f.Got == "" || f.GotEN == "" || f.Title == "" || f.TitleEN == "" {
			t.Errorf("%s: %s, want %s: %s", f.Probe, f.Verdict, want, f.GotEN)
		}
	}
}
