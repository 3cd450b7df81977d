// Package programtest starts a program of a relying party the way its operator does.
package programtest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp/program"
)

// Serves has a program check its configuration, print its registration twice with the same key, start without a hub, answer, and end when
// told to. own holds what the configuration has beyond program.Config.
func Serves(t *testing.T, p program.Program, own map[string]any) {
	t.Helper()
	dir := t.TempDir()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	all := map[string]any{
		"base_url": "http://" + listen, "listen": listen, "issuer": "http://127.0.0.1:9", "client_id": p.Name,
		"database": "sqlite:" + filepath.Join(dir, "own.db"), "key_file": filepath.Join(dir, "key.pem"), "sample": true,
	}
	for k, v := range own {
		all[k] = v
	}
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var checked, first, second bytes.Buffer
	for _, run := range []struct {
		flag string
		out  *bytes.Buffer
	}{{"-check", &checked}, {"-registration", &first}, {"-registration", &second}} {
		if err := p.Run(t.Context(), []string{"-config", file, run.flag}, run.out, io.Discard); err != nil {
			t.Fatalf("%s: %v", run.flag, err)
		}
	}
	var registration struct {
		ID          string          `json:"client_id"`
		JWKS        json.RawMessage `json:"jwks"`
		Development bool            `json:"development"`
	}
	if err := json.Unmarshal(first.Bytes(), &registration); err != nil || registration.ID != p.Name || len(registration.JWKS) == 0 || !registration.Development {
		t.Errorf("registration %s, %v", first.Bytes(), err)
	}
	if first.String() != second.String() {
		t.Error("another key the second time")
	}

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, []string{"-config", file}, io.Discard, io.Discard) }()
	status := 0
	for range 1000 {
		resp, err := http.Get("http://" + listen + "/readyz") //nolint:noctx // a test's own server
		if err == nil {
			status = resp.StatusCode
			_ = resp.Body.Close()
		}
		if status == http.StatusOK {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if status != http.StatusOK {
		t.Errorf("/readyz answers %d", status)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}
