package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// file writes a configuration of two offices that listen at one address, with the change.
func file(t *testing.T, dir, listen, old, new string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(listen)
	must(t, err)
	text := strings.NewReplacer("DIR", dir, "LISTEN", listen, "PORT", port).Replace(`{
		"listen": "LISTEN", "issuer": "http://127.0.0.1:9", "sample": true, "offices": [
		{"slug": "city", "name": {"ja": "見本市役所", "en": "Sample City"}, "base_url": "http://localhost:PORT", "client_id": "city", "body_code": "132993",
		 "database": "sqlite:DIR/city.db", "key_file": "DIR/city.key",
		 "inquiries": [{"item": "TM00000000000041", "basis": "KODOMO-01", "purpose": "JT01010000000214", "resource": "http://127.0.0.1:PORT/items",
		                "name": {"ja": "年金", "en": "pension"}, "from": {"ja": "年金事務所", "en": "Pension Office"}}]},
		{"slug": "pension", "name": {"ja": "見本年金事務所", "en": "Sample Pension Office"}, "base_url": "http://127.0.0.1:PORT", "client_id": "pension", "body_code": "4000012990001",
		 "database": "sqlite:DIR/pension.db", "key_file": "DIR/pension.key",
		 "records": [{"number": "1234567890", "born": "1980-02-17", "item": "TM00000000000041", "category": 2, "since": "2003-04-01", "as_of": "2026-11-01"}]}]}`)
	if old != "" && !strings.Contains(text, old) {
		t.Fatalf("%q is not there to be replaced", old)
	}
	path := filepath.Join(dir, "agency.json")
	must(t, os.WriteFile(path, []byte(strings.Replace(text, old, new, 1)), 0o600))
	return path
}

func TestConfigurationFaultsAreNamed(t *testing.T) {
	for name, tt := range map[string]struct{ old, new, says string }{
		"good":            {"", "", ""},
		"no issuer":       {`"issuer": "http://127.0.0.1:9",`, "", "issuer: required"},
		"no offices":      {`"offices": [`, `"offices": [], "x": [`, "x: unknown key"},
		"no key":          {`"key_file": "DIR/pension.key"`, "", ""},
		"shared database": {`pension.db`, `city.db`, "shares"},
		"open":            {`"listen": "127.0.0.1:1"`, `"listen": ":8403"`, "tls.certificate: required"},
		"nameless office": {`"ja": "見本年金事務所", `, "", "offices[1].name.ja: required"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if name == "no key" {
				tt.old, tt.new, tt.says = `"key_file": "`+dir+`/pension.key",`, "", "offices[1].key_file: required"
			}
			_, err := load(file(t, dir, "127.0.0.1:1", tt.old, tt.new))
			if (tt.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

// TestServes: the program says what to register, invites, starts without a hub, answers for each office at its own host and for nobody else, and
// ends when told to.
func TestServes(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	listen := l.Addr().String()
	must(t, l.Close())
	path := file(t, dir, listen, "", "")
	say := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if err := run(t.Context(), append([]string{"-config", path}, args...), &out, io.Discard); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return out.String()
	}
	if got := say("-check"); !strings.Contains(got, "good") {
		t.Errorf("-check: %s", got)
	}
	var registered []map[string]any
	must(t, json.Unmarshal([]byte(say("-registration")), &registered))
	if len(registered) != 2 || registered[0]["development"] != true || registered[1]["serves"] == nil || registered[0]["resources"] == nil {
		t.Errorf("registration: %v", registered)
	}
	if first, second := say("-invite", "city"), say("-invite", "city"); first == second || len(strings.TrimSpace(first)) != 26 {
		t.Errorf("invitations: %q, %q", first, second)
	}
	say("-dismiss-all", "city")
	if err := run(t.Context(), []string{"-config", path, "-invite", "nobody"}, io.Discard, io.Discard); err == nil {
		t.Error("invited to an office that does not exist")
	}

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-config", path}, io.Discard, io.Discard) }()
	status := func(host, path string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listen+path, http.NoBody)
		must(t, err)
		r.Host = host
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, ""
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		return resp.StatusCode, string(b)
	}
	eventually(t, "not ready", func() bool { code, _ := status("x", "/readyz"); return code == http.StatusOK })
	_, port, _ := net.SplitHostPort(listen)
	for _, tt := range []struct {
		host, path, has string
		status          int
	}{
		{"localhost:" + port, "/", "見本市役所", 200}, {"127.0.0.1:" + port, "/", "見本年金事務所", 200}, {"LOCALHOST:" + port, "/help", "見本市役所", 200},
		{"evil.example", "/", "no office", 421}, {"evil.example", "/healthz", "ok", 200}, {"localhost:" + port, "/healthz", "ok", 200},
		{"127.0.0.1:" + port, "/apply", "", 404}, {"localhost:" + port, "/tie", "", 404}, {"localhost:" + port, "/jwks.json", `{"keys":[`, 200},
	} {
		if code, body := status(tt.host, tt.path); code != tt.status || !strings.Contains(body, tt.has) {
			t.Errorf("%s%s: %d, want %d with %q", tt.host, tt.path, code, tt.status, tt.has)
		}
	}
	stop()
	select {
	case err := <-ended:
		must(t, err)
	case <-time.After(20 * time.Second):
		t.Fatal("did not end")
	}
}
