package console

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sentences are the sentences of faults in the registry's source, with * for what is put in at run time.
func sentences(t *testing.T) []string {
	t.Helper()
	var all []string
	names, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 3 {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "add" {
				all = append(all, sentence(call.Args[1]), sentence(call.Args[2]))
			}
			return true
		})
	}
	return slices.DeleteFunc(slices.Compact(all), func(s string) bool { return strings.Trim(s, "* ") == "" })
}

func sentence(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		if err != nil {
			return "*"
		}
		return strings.ReplaceAll(s, "%d", "*")
	case *ast.BinaryExpr:
		return sentence(e.X) + sentence(e.Y)
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Sprintf" {
			return sentence(e.Args[0])
		}
	}
	return "*"
}

func TestEveryFaultHasJapaneseWords(t *testing.T) {
	all := sentences(t)
	if len(all) < 100 {
		t.Fatalf("only %d sentences were found in the registry: does it still call add?", len(all))
	}
	for _, s := range all {
		if ja, ok := inJapanese(strings.ReplaceAll(s, "*", "X")); !ok || ja == "" {
			t.Errorf("faults.json lacks %q", s)
		}
	}
}

func FuzzForms(f *testing.F) {
	f.Add("web", "names", "https://a.example.jp/\n#", `{"a":[1]}`)
	f.Add("machine", "data", "service", `{"scope":"openid x","purposes":{"x":"y"}}`)
	f.Fuzz(func(t *testing.T, kind, key, typed, document string) {
		for _, k := range kinds() {
			for _, sec := range sectionsOf(k) {
				m, err := parseMetadata([]byte(document))
				if err != nil {
					return
				}
				form := sec.fill(k, m)
				for _, in := range sec.inputs {
					if in.id() == key || in.as == asLines {
						form.Set(in.id(), typed)
					}
				}
				next, faults := sec.take(k, form, m)
				if _, err := parseMetadata(next.raw()); err != nil {
					t.Fatalf("a document that cannot be read: %s", next.raw())
				}
				if len(faults) > 0 {
					continue
				}
				again, faults := sec.take(k, sec.fill(k, next), next)
				if len(faults) > 0 || string(again.raw()) != string(next.raw()) {
					t.Fatalf("%s/%s: saving what was saved changes it: %s, %s", k, sec.key, next.raw(), again.raw())
				}
			}
		}
	})
}
