package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The engine's knowledge of itself, its defects included, is of this version.
func TestEngineIsPinned(t *testing.T) {
	mod := read(t, "go.mod")
	for _, line := range []string{
		"\tgithub.com/ory/fosite v0.49.0\n",
		"replace github.com/ory/x => ./third_party/oryx\n",
	} {
		if !strings.Contains(mod, line) {
			t.Errorf("go.mod lacks %q", line)
		}
	}
}

// What stands in for ory/x offers exactly what the engine names. A symbol more
// is code nobody uses; a symbol less would not build.
func TestStandInOffersWhatTheEngineNames(t *testing.T) {
	offered := map[string]bool{}
	for _, name := range goFiles(t, filepath.Join(root, "third_party/oryx")) {
		f := parseFile(t, name)
		for _, d := range f.Decls {
			for _, ident := range declared(d) {
				offered[f.Name.Name+"."+ident] = true
			}
		}
	}
	named := map[string]bool{}
	for _, name := range goFiles(t, strings.TrimSpace(goList(t, "-m", "-f", "{{.Dir}}", "github.com/ory/fosite"))) {
		ast.Inspect(parseFile(t, name), func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := sel.X.(*ast.Ident); ok && (pkg.Name == "errorsx" || pkg.Name == "otelx") {
					named[pkg.Name+"."+sel.Sel.Name] = true
				}
			}
			return true
		})
	}
	if len(named) == 0 || !maps.Equal(offered, named) {
		t.Errorf("the stand-in offers %v\nthe engine names %v",
			slices.Sorted(maps.Keys(offered)), slices.Sorted(maps.Keys(named)))
	}
}

// declared lists the exported names a declaration adds to its package.
func declared(d ast.Decl) []string {
	var all []string
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			all = append(all, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			if s, ok := s.(*ast.TypeSpec); ok {
				all = append(all, s.Name.Name)
			}
		}
	}
	return slices.DeleteFunc(all, func(s string) bool { return !ast.IsExported(s) })
}

func goFiles(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(file string, _ fs.DirEntry, err error) error {
		if isGo(file) && !isTest(file) {
			all = append(all, file)
		}
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d files in %s: %v", len(all), dir, err)
	}
	return all
}

func parseFile(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func goList(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	return string(out)
}

func TestServersBuildWithoutC(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "build", "./...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("CGO_ENABLED=0 go build ./...: %v\n%s", err, out)
	}
}
