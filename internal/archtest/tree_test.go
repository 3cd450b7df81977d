package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/tsunagu-id/tsunagu"
)

// notOurs are folders that are made, fetched or somebody else's.
var notOurs = []string{".git", "var", "bin", "build", "node_modules", "third_party", "screenshots"}

// walk calls fn for every file of ours, by its path from the root.
func walk(t *testing.T, fn func(name string)) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && slices.Contains(notOurs, d.Name()):
			return fs.SkipDir
		case d.IsDir(), d.Name() == ".git": // a file, where the tree is one of several of a repository
			return nil
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		seen++
		fn(filepath.ToSlash(name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Fatalf("saw %d files; the tests look at the wrong tree", seen)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func parse(t *testing.T, name string, mode parser.Mode) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, filepath.FromSlash(name)), nil, mode)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func importsOf(t *testing.T, name string) []string {
	t.Helper()
	var all []string
	for _, spec := range parse(t, name, parser.ImportsOnly).Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func isGo(name string) bool   { return path.Ext(name) == ".go" }
func isTest(name string) bool { return strings.HasSuffix(name, "_test.go") }
