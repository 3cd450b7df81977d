package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

func testConfig(t *testing.T) config {
	t.Helper()
	dir := t.TempDir()
	pki, err := cardtest.LoadOrCreatePKI(filepath.Join(dir, "pki"), time.Now, "http://127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	anchor := filepath.Join(dir, "auth-ca.pem")
	if err := os.WriteFile(anchor, pki.Auth().PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.CreateSealer(filepath.Join(dir, "seal.key")); err != nil {
		t.Fatal(err)
	}
	listen := freeAddress(t)
	c := config{
		Issuer: "http://" + listen, Listen: listen, AgentURL: "http://127.0.0.1:8404", Database: "sqlite:" + filepath.Join(dir, "hub.db"),
		SealFile: filepath.Join(dir, "seal.key"),
	}
	c.Cards.Environment, c.Cards.Anchors = "test", []string{anchor}
	c.Operators.Listen = freeAddress(t)
	return c
}

// The program starts, answers, and ends when told to.
func TestServe(t *testing.T) {
	c := testConfig(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- start(ctx, c, slog.New(slog.NewTextHandler(io.Discard, nil))) }()
	status := 0
	for deadline := time.Now().Add(20 * time.Second); status != http.StatusOK && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if resp, err := http.Get(c.Issuer + "/readyz"); err == nil {
			status = resp.StatusCode
			_ = resp.Body.Close()
		}
	}
	if status != http.StatusOK {
		t.Errorf("/readyz answers %d", status)
	}
	for path, says := range map[string]string{
		"/healthz": "alive", "/readyz": "ready", "/metrics": `tsunagu_card_responses_total{outcome="good"} 0`,
	} {
		resp, err := http.Get("http://" + c.Operators.Listen + path)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(resp.Body); !strings.Contains(string(b), says) {
			t.Errorf("operators read at %s %q, want %q", path, b, says)
		}
		_ = resp.Body.Close()
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// What would be unsafe does not start.
func TestRefusesToStart(t *testing.T) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	for name, tt := range map[string]struct {
		change func(*config)
		says   string
	}{
		"plain http on a public name":       {func(c *config) { c.Issuer = "http://id.example.go.jp" }, "must be https"},
		"test anchors as production's":      {func(c *config) { c.Cards.Environment = "production" }, "cards.anchors"},
		"a seal file that others can read":  {func(c *config) { _ = os.Chmod(c.SealFile, 0o644) }, "chmod 600"},
		"a seal file that is not there":     {func(c *config) { c.SealFile += ".absent" }, "seal_file"},
		"authorities that are not there":    {func(c *config) { c.Mutual.Listen, c.Mutual.ClientCAs = "127.0.0.1:0", c.SealFile+".absent" }, "mtls.client_ca_file"},
		"trust that holds no certificate":   {func(c *config) { c.FetchTrust = c.SealFile }, "fetch_trust"},
		"a linkage service over http":       {func(c *config) { c.Cards.Linkage.URL = "http://jlis.example" }, "cards.linkage"},
		"a linkage certificate alone":       {func(c *config) { c.Cards.Linkage.URL, c.Cards.Linkage.Certificate = "https://jlis.example", c.SealFile }, "cards.linkage"},
		"signatures without authorities":    {func(c *config) { c.Cards.Signing.CRL = "https://crl.example" }, "cards.signing"},
		"operators at a public address":     {func(c *config) { c.Operators.Listen = ":8409" }, "operators.listen"},
		"an allowed address without port":   {func(c *config) { c.FetchAllow = []string{"localhost"} }, "fetch_allow"},
		"a client file that does not parse": {func(c *config) { c.Clients = c.SealFile }, "clients"},
	} {
		t.Run(name, func(t *testing.T) {
			c := testConfig(t)
			if err := c.verify(); err != nil {
				t.Fatal(err)
			}
			tt.change(&c)
			if err := c.verify(); name != "a client file that does not parse" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("-check says %v, want %q", err, tt.says)
			}
			ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
			defer stop()
			if err := start(ctx, c, log); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}
