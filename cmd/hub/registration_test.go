package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/conf"
)

// A policy's token is read from a file that only its owner may read, and is long enough not to be guessed.
func TestRegistrationPolicies(t *testing.T) {
	write := func(name, text string, mode os.FileMode) conf.SecretFile {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return conf.SecretFile{File: path}
	}
	good := strings.Repeat("0123456789abcdef", 4) + "\n"
	for name, tt := range map[string]struct {
		list []registration
		says string
	}{
		"none":                        {nil, ""},
		"good":                        {[]registration{{Name: "a", Token: write("t", good, 0o600)}, {Name: "b", Open: true}}, ""},
		"a token that all may read":   {[]registration{{Name: "a", Token: write("t", good, 0o644)}}, "chmod 600"},
		"a token that is too short":   {[]registration{{Name: "a", Token: write("t", "letmein", 0o600)}}, "at least 43"},
		"a token that is not there":   {[]registration{{Name: "a", Token: conf.SecretFile{File: "absent"}}}, "registration.token"},
		"a scope that does not exist": {[]registration{{Name: "a", Open: true, Scopes: []string{"admin"}}}, "a scope is unknown"},
	} {
		policies, err := config{Registration: tt.list}.policies()
		if (tt.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.says) || err == nil && len(policies) != len(tt.list) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
