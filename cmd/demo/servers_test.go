package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// With TLS there is a second listener that asks for a certificate and takes any; the others do not ask.
func TestMutualListenerAsksForCertificates(t *testing.T) {
	a, err := openAuthority(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	seen := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strconv.Itoa(len(r.TLS.PeerCertificates)))
	})
	servers := []server{{name: "hub", addr: "127.0.0.1:0", handler: seen}, {name: "mutual", addr: "127.0.0.1:0", handler: seen, mutual: true}}
	listeners, err := listenAll(t.Context(), servers, a.config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	g, ctx := errgroup.WithContext(ctx)
	serveAll(ctx, g, servers, listeners, a.config)
	client := a.client()
	cert := idptest.Certify(t, time.Now(), x509.Certificate{}, nil)
	client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{cert}
	for i, want := range []string{"0", "1"} {
		resp, err := client.Get("https://" + listeners[i].Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(resp.Body); string(b) != want {
			t.Errorf("%s saw %s certificates, want %s", servers[i].name, b, want)
		}
		_ = resp.Body.Close()
	}
	client.CloseIdleConnections()
	stop()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}
