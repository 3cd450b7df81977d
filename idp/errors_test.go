package idp

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestDescriptionsAreOAuthText: every error_description in the source is of the letters RFC 6749 §4.1.2.1 allows: strict clients refuse an
// answer with others.
func TestDescriptionsAreOAuthText(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?:description: |invalidRequest\(|invalidTarget\(|invalidRequestObject\()"((?:[^"\\]|\\.)*)"`)
	allowed := regexp.MustCompile(`^[\x20-\x21\x23-\x5b\x5d-\x7e]+$`)
	found := 0
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range text.FindAllStringSubmatch(string(source), -1) {
			if found++; !allowed.MatchString(m[1]) {
				t.Errorf("%s: %q", name, m[1])
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d descriptions found", found)
	}
}
