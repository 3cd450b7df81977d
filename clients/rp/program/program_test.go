package program

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const good = `{
	"base_url": "http://localhost:8402", "listen": "127.0.0.1:0", "issuer": "http://localhost:8400", "client_id": "etax",
	"database": "sqlite:etax.db", "key_file": "key.pem"}`

func TestLoad(t *testing.T) {
	for name, tt := range map[string]struct{ old, new, says string }{
		"good":             {"", "", ""},
		"no issuer":        {`"issuer": "http://localhost:8400", `, "", "issuer: required"},
		"no key":           {`, "key_file": "key.pem"`, "", "key_file: required"},
		"unknown key":      {`"base_url"`, `"base": "x", "base_url"`, "base: unknown key"},
		"open without TLS": {"127.0.0.1:0", ":8402", "tls.certificate: required"},
		"half of TLS":      {"\n\t\"base_url\"", `"tls": {"key": "x"}, "base_url"`, "tls: certificate and key belong together"},
	} {
		t.Run(name, func(t *testing.T) {
			text := good
			if tt.old != "" {
				text = strings.Replace(good, tt.old, tt.new, 1)
				if text == good {
					t.Fatal("nothing was replaced")
				}
			}
			path := filepath.Join(t.TempDir(), "etax.json")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var c Config
			err := Load(path, &c, &c)
			if (tt.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

func TestClientTrustsTheNamedAuthorityOnly(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, empty + ".absent"} {
		if _, err := (&Config{CAFile: file}).client(); err == nil || !strings.Contains(err.Error(), "ca_file") {
			t.Errorf("%s: %v", file, err)
		}
	}
	if _, err := new(Config).client(); err != nil {
		t.Error(err)
	}
}

func TestDevelopmentIsThisComputerOnly(t *testing.T) {
	for base, want := range map[string]bool{
		"http://localhost:1": true, "http://127.0.0.1:1": true, "http://[::1]:1": true, "https://etax.example": false, "https://localhost.example": false, "%": false,
	} {
		if got := Development(base); got != want {
			t.Errorf("%s: %v", base, got)
		}
	}
}

// A failure to open the site is the program's error, and what was opened before it is closed.
func TestSiteThatDoesNotOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "etax.json")
	text := strings.NewReplacer("etax.db", filepath.Join(dir, "etax.db"), "key.pem", filepath.Join(dir, "key.pem")).Replace(good)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	var c Config
	p := Program{Name: "etax", Config: &c, Base: &c, Open: func(ctx context.Context, parts Parts) (Site, error) {
		return nil, errors.Join(broken, parts.DB.Ping(ctx))
	}}
	if err := p.Run(t.Context(), []string{"-config", path}, io.Discard, io.Discard); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := p.Run(t.Context(), []string{"-config", path, "more"}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "more") {
		t.Errorf("got %v", err)
	}
}
