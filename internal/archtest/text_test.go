package archtest

import (
	"go/parser"
	"path"
	"regexp"
	"strings"
	"testing"
)

const maxLines = 500

func TestFilesAreSmall(t *testing.T) {
	walk(t, func(name string) {
		if !isGo(name) || isTest(name) {
			return
		}
		if n := strings.Count(read(t, name), "\n"); n > maxLines {
			t.Errorf("%s has %d lines, the limit is %d", name, n, maxLines)
		}
	})
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	documented := map[string]bool{}
	walk(t, func(name string) {
		if !isGo(name) || isTest(name) {
			return
		}
		dir := path.Dir(name)
		f := parse(t, name, parser.PackageClauseOnly|parser.ParseComments)
		documented[dir] = documented[dir] || f.Doc != nil
	})
	for dir, ok := range documented {
		if !ok {
			t.Errorf("no file of %s has a package comment", dir)
		}
	}
}

// inline finds what the Content-Security-Policy would refuse to run or apply.
var inline = regexp.MustCompile(`(?i)<style\b|<script\b[^>]*>[^<]|<script\b(?:[^>s]|s[^r])*>|\sstyle\s*=|\son[a-z]+\s*=|javascript:`)

func TestPagesCarryNoInlineCode(t *testing.T) {
	pages := 0
	walk(t, func(name string) {
		if path.Ext(name) != ".html" {
			return
		}
		pages++
		if found := inline.FindString(read(t, name)); found != "" {
			t.Errorf("%s has inline code: %q", name, found)
		}
	})
	if pages == 0 {
		t.Error("found no page")
	}
}

func TestInlineCodeIsFound(t *testing.T) {
	for text, bad := range map[string]bool{
		`<script src="/static/a.js" defer></script>`: false,
		`<p class="on">style</p>`:                    false,
		`<p data-on="x">`:                            false,
		`<script>alert(1)</script>`:                  true,
		`<script type="module">x</script>`:           true,
		`<style>p{}</style>`:                         true,
		`<p style="x">`:                              true,
		`<button onclick="x()">`:                     true,
		`<a href="javascript:x()">`:                  true,
	} {
		if inline.MatchString(text) != bad {
			t.Errorf("%s: want found %v", text, bad)
		}
	}
}

// Readers of this repository have nothing but this repository.
func TestNoPathsOfSomebodysMachine(t *testing.T) {
	foreign := []string{".." + "/shared", "/" + "work/", "/" + "farm/", "/" + "home/", "CONTRACT" + ".md", "DESIGN" + ".md"}
	walk(t, func(name string) {
		text := read(t, name)
		for _, bad := range foreign {
			if strings.Contains(text, bad) {
				t.Errorf("%s mentions %s", name, bad)
			}
		}
	})
}
