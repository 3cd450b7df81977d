package idp

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// An integrator who meets an error finds it in docs/integrating.md, with who can mend it.
func TestEveryErrorIsInTheDocument(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "integrating.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, found := strings.Cut(string(text), "\n## Errors\n")
	if !found {
		t.Fatal("no chapter about errors")
	}
	told, shown, found := strings.Cut(chapter, "\n### Shown to the citizen\n")
	if !found {
		t.Fatal("no chapter about pages")
	}
	for r := Reason(1); r <= Internal; r++ {
		if r != MethodNotAllowed && !strings.Contains(shown, "`"+r.String()+"`") { // whose page is that of NotFound
			t.Errorf("page %s is not in the document", r)
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	code, seen := regexp.MustCompile(`(?:code: |out\.code, out\.description, out\.status = )"([a-z_]+)"`), 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name) // #nosec G304 -- our own sources
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range code.FindAllStringSubmatch(string(source), -1) {
			if seen++; !strings.Contains(told, "`"+match[1]+"`") {
				t.Errorf("%s: %s is not in the document", name, match[1])
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d errors were seen in the sources", seen)
	}
}
