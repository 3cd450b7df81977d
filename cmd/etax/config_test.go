package main

import (
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
		"good":              {"", "", ""},
		"account":           {"\n\t\"base_url\"", `"accounts": [{"number": "1234567890123456", "password": {"file": "x"}}], "base_url"`, ""},
		"no issuer":         {`"issuer": "http://localhost:8400", `, "", "issuer: required"},
		"no key":            {`, "key_file": "key.pem"`, "", "key_file: required"},
		"unknown key":       {`"base_url"`, `"base": "x", "base_url"`, "base: unknown key"},
		"password in place": {"\n\t\"base_url\"", `"accounts": [{"number": "1", "password": "secret"}], "base_url"`, "accounts[0].password: an object is expected"},
		"open without TLS":  {"127.0.0.1:0", ":8402", "tls.certificate: required"},
		"half of TLS":       {"\n\t\"base_url\"", `"tls": {"key": "x"}, "base_url"`, "tls: certificate and key belong together"},
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
			_, err := load(path)
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
		if _, err := (config{CAFile: file}).client(); err == nil || !strings.Contains(err.Error(), "ca_file") {
			t.Errorf("%s: %v", file, err)
		}
	}
	if _, err := (config{}).client(); err != nil {
		t.Error(err)
	}
}
