package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/rp/program/programtest"
)

func TestServes(t *testing.T) {
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("etax-demo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	programtest.Serves(t, new(config).program(), map[string]any{
		"accounts": []any{map[string]any{"number": "1234567890123456", "password": map[string]any{"file": password}}},
	})
}
