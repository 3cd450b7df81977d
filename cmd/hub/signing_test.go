package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
)

// Lists of signature certificates are fetched and watched as those of logins are: without that, one that was fetched once would count
// until its nextUpdate.
func TestListsOfSignatureCertificatesAreKeptFresh(t *testing.T) {
	c := testConfig(t)
	dir := filepath.Dir(c.SealFile)
	pki, err := cardtest.LoadOrCreatePKI(filepath.Join(dir, "pki"), time.Now, "http://127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	anchor := filepath.Join(dir, "sign-ca.pem")
	if err := os.WriteFile(anchor, pki.Sign().PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	mirror := httptest.NewServer(pki.Responder())
	defer mirror.Close()
	c.Cards.CRL, c.Cards.WholeList, c.Cards.Directory = mirror.URL+"/crl", true, filepath.Join(dir, "lists")
	c.Cards.Signing = signing{Anchors: []string{anchor}, CRL: mirror.URL + "/crl"}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- start(ctx, c, slog.New(slog.NewTextHandler(io.Discard, nil))) }()
	var figures string
	current := func() bool {
		return strings.Contains(figures, `tsunagu_crl_lists{purpose="signature",state="current"} 1`) && strings.Contains(figures, `tsunagu_crl_lists{purpose="login",state="current"} 1`)
	}
	for deadline := time.Now().Add(10 * time.Second); !current() && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if resp, err := http.Get("http://" + c.Operators.Listen + "/metrics"); err == nil {
			b, _ := io.ReadAll(resp.Body)
			figures = string(b)
			_ = resp.Body.Close()
		}
	}
	if !current() {
		t.Errorf("not kept for both purposes:\n%s", figures)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	if kept, err := filepath.Glob(filepath.Join(dir, "lists", "*", "all.crl")); err != nil || len(kept) != 2 {
		t.Errorf("kept for the next start: %v, %v", kept, err)
	}
}
