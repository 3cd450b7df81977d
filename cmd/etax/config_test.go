package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/rp/program"
)

// A password is named by a file and never stands in the configuration.
func TestPasswordInPlaceIsRefused(t *testing.T) {
	const rest = `"base_url": "http://localhost:8402", "listen": "127.0.0.1:0", "issuer": "http://localhost:8400", "client_id": "etax",
		"database": "sqlite:etax.db", "key_file": "key.pem"}`
	path := filepath.Join(t.TempDir(), "etax.json")
	for text, says := range map[string]string{
		`{"accounts": [{"number": "1234567890123456", "password": {"file": "x"}}], `: "",
		`{"accounts": [{"number": "1", "password": "secret"}], `:                     "accounts[0].password: an object is expected",
	} {
		if err := os.WriteFile(path, []byte(text+rest), 0o600); err != nil {
			t.Fatal(err)
		}
		c := new(config)
		err := program.Load(path, c, &c.Config)
		if (says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}
