package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const good = `{
	"issuer": "http://localhost:8400", "listen": "127.0.0.1:0", "agent_url": "http://127.0.0.1:8404", "database": "sqlite:hub.db",
	"seal_file": "seal.key", "cards": {"environment": "test", "anchors": ["auth-ca.pem"]}}`

func TestLoad(t *testing.T) {
	for name, tt := range map[string]struct{ old, new, says string }{
		"good":                    {"", "", ""},
		"no issuer":               {`"issuer": "http://localhost:8400", `, "", "issuer: "},
		"no listen":               {`"listen": "127.0.0.1:0", `, "", "listen: "},
		"no card app":             {`"agent_url": "http://127.0.0.1:8404", `, "", "agent_url: "},
		"no database":             {`"database": "sqlite:hub.db",`, "", "database: "},
		"no seal file":            {`"seal_file": "seal.key", `, "", "seal_file: "},
		"no anchors":              {`["auth-ca.pem"]`, `[]`, "cards.anchors: "},
		"neither test nor so":     {`"test"`, `"both"`, "cards.environment: "},
		"unknown key":             {`"listen"`, `"listne": "x", "listen"`, "listne: unknown key"},
		"unknown inner key":       {`"environment"`, `"ocps": "x", "environment"`, "cards.ocps: unknown key"},
		"half of TLS":             {`"listen"`, `"tls": {"key": "x"}, "listen"`, "tls: certificate and key belong together"},
		"https without TLS":       {`"http://localhost:8400", "listen": "127.0.0.1:0"`, `"https://id.example.go.jp", "listen": ":443"`, "tls.certificate: "},
		"sessions":                {`"listen"`, `"sessions": {"idle": "15m", "absolute": "8h", "shared_idle": "5m", "warn": "1m", "tell": "10s", "separate": [["government", "private"]]}, "listen"`, ""},
		"a hasty session":         {`"listen"`, `"sessions": {"idle": "10s"}, "listen"`, "sessions: "},
		"apart from nothing":      {`"listen"`, `"sessions": {"separate": [["government"]]}, "listen"`, "sessions.separate: "},
		"apart from three":        {`"listen"`, `"sessions": {"separate": [["government", "private", "private"]]}, "listen"`, "sessions.separate: "},
		"long mandates":           {`"listen"`, `"mandate_months": 36, "listen"`, ""},
		"endless mandates":        {`"listen"`, `"mandate_months": 37, "listen"`, "mandate_months: "},
		"mandates of the past":    {`"listen"`, `"mandate_months": -1, "listen"`, "mandate_months: "},
		"a negative rate":         {`"listen"`, `"rates": {"login": -1}, "listen"`, "rates: "},
		"registration for nobody": {`"listen"`, `"registration": [{"name": "a"}], "listen"`, "registration: "},
		"an end that is no time":  {`"listen"`, `"registration": [{"name": "a", "expires": "soon"}], "listen"`, "registration"},
		"registration for all":    {`"listen"`, `"registration": [{"name": "a", "open": true, "expires": "2027-01-01T00:00:00Z"}], "listen"`, ""},
		"a token for all":         {`"listen"`, `"registration": [{"name": "a", "open": true, "token": {"file": "t"}}], "listen"`, "registration: "},
		"behind a proxy":          {`"http://localhost:8400"`, `"https://id.example.go.jp"`, ""},
		"mtls":                    {`"listen"`, `"mtls": {"listen": "127.0.0.1:1", "base_url": "https://m.example", "certificate": "c", "key": "k"}, "listen"`, ""},
		"mtls of a proxy":         {`"listen"`, `"mtls": {"listen": "127.0.0.1:1", "base_url": "https://m.example", "proxy_header": "Client-Cert", "trusted_proxies": ["127.0.0.1/32"]}, "listen"`, ""},
		"mtls, half of TLS":       {`"listen"`, `"mtls": {"listen": "127.0.0.1:1", "base_url": "https://m.example", "key": "k"}, "listen"`, "mtls: tls: "},
		"mtls without TLS":        {`"listen"`, `"mtls": {"listen": "127.0.0.1:1", "base_url": "https://m.example"}, "listen"`, "mtls.certificate: "},
		"mtls, plain, open":       {`"listen"`, `"mtls": {"listen": ":1", "base_url": "https://m.example", "proxy_header": "C", "trusted_proxies": ["10.0.0.0/8"]}, "listen"`, "mtls: tls.certificate: "},
		"mtls, no address":        {`"listen"`, `"mtls": {"listen": "127.0.0.1:1", "certificate": "c", "key": "k"}, "listen"`, "mtls.base_url: "},
		"mtls, plain address":     {`"listen"`, `"mtls": {"listen": "127.0.0.1:1", "base_url": "http://m.example", "certificate": "c", "key": "k"}, "listen"`, "mtls.base_url: "},
		"mtls, no listener":       {`"listen"`, `"mtls": {"base_url": "https://m.example"}, "listen"`, "mtls.listen: "},
		"mtls, one proxy":         {`"listen"`, `"mtls": {"listen": "127.0.0.1:1", "base_url": "https://m.example", "proxy_header": "C", "trusted_proxies": ["10.0.0.1"]}, "listen"`, "mtls.trusted_proxies: "},
		"mtls, host bits":         {`"listen"`, `"mtls": {"listen": "127.0.0.1:1", "base_url": "https://m.example", "proxy_header": "C", "trusted_proxies": ["10.0.0.1/8"]}, "listen"`, "mtls.trusted_proxies: "},
		"mtls, header alone":      {`"listen"`, `"mtls": {"listen": "127.0.0.1:1", "base_url": "https://m.example", "proxy_header": "C"}, "listen"`, "mtls.proxy_header: "},
	} {
		t.Run(name, func(t *testing.T) {
			text := good
			if tt.old != "" {
				text = strings.Replace(good, tt.old, tt.new, 1)
				if text == good {
					t.Fatal("nothing was replaced")
				}
			}
			path := filepath.Join(t.TempDir(), "hub.json")
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
