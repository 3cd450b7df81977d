package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/conf"
)

// The program starts without a hub, answers, keeps its key, and ends when told to.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("etax-demo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c := config{
		BaseURL: "http://" + listen, Listen: listen, Issuer: "http://127.0.0.1:9", ClientID: "etax",
		Database: "sqlite:" + filepath.Join(dir, "etax.db"), KeyFile: filepath.Join(dir, "key.pem"),
		Accounts: []account{{Number: "1234567890123456", Password: conf.SecretFile{File: password}}},
	}
	if err := c.check(); err != nil || !c.development() {
		t.Fatal(err)
	}
	key, err := rp.OpenKey(c.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- start(ctx, c, key, slog.New(slog.NewTextHandler(io.Discard, nil))) }()
	status := 0
	for deadline := time.Now().Add(20 * time.Second); status != http.StatusOK && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if resp, err := http.Get(c.BaseURL + "/readyz"); err == nil {
			status = resp.StatusCode
			_ = resp.Body.Close()
		}
	}
	if status != http.StatusOK {
		t.Errorf("/readyz answers %d", status)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	again, err := rp.OpenKey(c.KeyFile)
	if err != nil || string(again.JWKS()) != string(key.JWKS()) {
		t.Errorf("another key after a restart: %v", err)
	}
}
