package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
)

// announce prints what a newcomer needs, and last the word that scripts wait for.
func (s *stack) announce(w io.Writer) {
	out := func(format string, a ...any) {
		_, _ = fmt.Fprintf(w, format+"\n", a...) // standard output is gone: the demo serves all the same
	}
	out("")
	out("Tsunagu demo. \x1b[31mTEST\x1b[0m cards, people and authority; nothing here is real.")
	out("")
	for _, a := range []struct{ what, addr string }{
		{"portal: start here", portalAddr}, {"sample e-Tax", etaxAddr}, {"sample postbox", postboxAddr},
		{"sample city office", agencyAddr}, {"sample pension office", pensionAddr}, {"hub", hubAddr}, {"card app", agentAddr},
		{"careless service", carelessAddr},
	} {
		out("  %-22s %s", a.what, s.url(a.addr))
	}
	out("  %-22s http://%s", "test authority", authorityAddr)
	out("  %-22s http://%s/mail", "mail simulator", authorityAddr)
	out("  %-22s %s", "operators' console", operatorsURL)
	out("  %-22s %s/metrics", "figures of the hub", operatorsURL)
	if s.tls {
		out("  %-22s %s", "hub, mutual TLS", s.url(mutualAddr))
		out("  %-22s %s", "trust this CA", filepath.Join(s.dir, "demo", "ca.pem"))
	}
	out("")
	out("  cards, PIN %s (signing password %s):", cardtest.DemoPIN, cardtest.DemoPassword)
	for _, e := range s.pki.Drawer().Entries() {
		out("    %-14s %s / %s", e.Name, e.LabelJA, e.LabelEN)
	}
	out("  e-Tax number %s, password %s", etaxNumber, etaxPassword)
	out("  basic pension number %s, born %s", taroNumber, taroBorn)
	for _, i := range s.invitations {
		out("  staff code of %s: %s (once, at /desk)", i.office, i.code.Reveal())
	}
	out("  token for registering services at the hub: %s", s.registrationFile())
	out("  first operator: go run ./cmd/hubctl operator invite --name hanako --role editor,security \\")
	out("    --database sqlite:%s (a code, once, for the console)", filepath.Join(s.dir, "hub.db"))
	out("")
	out("ready")
}

// addresses returns where every server answers, but those that begin shut.
func (s *stack) addresses() []string {
	var all []string
	for _, srv := range s.servers {
		if srv.gate != nil && srv.gate.shut {
			continue
		}
		if srv.plain {
			all = append(all, "http://"+srv.addr)
		} else {
			all = append(all, s.url(srv.addr))
		}
	}
	return all
}

func (s *stack) tlsConfig() *tls.Config {
	if s.authority == nil {
		return nil
	}
	return s.authority.config
}

// client trusts this authority and nobody else.
func (a *privateAuthority) client() *http.Client {
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.pool}, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute,
	}}
}

// withHealth adds the two addresses every program has.
func withHealth(h http.Handler) http.Handler {
	mux := http.NewServeMux()
	ok := func(word string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, word+"\n") // the caller hung up: nobody is left to tell
		}
	}
	mux.HandleFunc("GET /healthz", ok("alive"))
	mux.HandleFunc("GET /readyz", ok("ready"))
	mux.Handle("/", h)
	return mux
}
