package archtest

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	mdLink    = regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)\s]*))?\)`)
	mdHeading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors lists the fragments a Markdown text can be entered at.
func anchors(text string) map[string]bool {
	all := map[string]bool{"": true}
	for _, h := range mdHeading.FindAllStringSubmatch(text, -1) {
		all[strings.ReplaceAll(notAnchor.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
	}
	return all
}

func TestDocumentsLinkToWhatExists(t *testing.T) {
	links := 0
	walk(t, func(name string) {
		if path.Ext(name) != ".md" {
			return
		}
		for _, m := range mdLink.FindAllStringSubmatch(read(t, name), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			target := name
			if m[1] != "" {
				target = path.Join(path.Dir(name), m[1])
			}
			info, err := os.Stat(filepath.Join(root, filepath.FromSlash(target)))
			if err != nil {
				t.Errorf("%s links to %s, which does not exist", name, target)
				continue
			}
			if !info.IsDir() && !anchors(read(t, target))[m[2]] {
				t.Errorf("%s links to #%s of %s, which has no such heading", name, m[2], target)
			}
		}
	})
	if links < 10 {
		t.Errorf("found %d links; the test does not see them", links)
	}
}

func TestReadmeIsShort(t *testing.T) {
	if n := strings.Count(read(t, "README.md"), "\n"); n >= 150 {
		t.Errorf("README.md has %d lines, 150 is too many", n)
	}
}

var (
	// namedTest is a test in backticks; a file of browser tests goes by its name.
	namedTest  = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w*|[a-z0-9-]+\\.test\\.mjs)`")
	definition = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(\w+ \*testing\.`)
)

// testsThatExist lists what a document may name.
func testsThatExist(t *testing.T) map[string]bool {
	t.Helper()
	exist := map[string]bool{}
	walk(t, func(name string) {
		switch {
		case strings.HasSuffix(name, ".test.mjs"):
			exist[path.Base(name)] = true
		case isTest(name):
			for _, m := range definition.FindAllStringSubmatch(read(t, name), -1) {
				exist[m[1]] = true
			}
		}
	})
	return exist
}

// TestStandardsNameTestsThatExist: what the table says is met is shown by a test. One that was renamed would leave a claim that nothing
// shows.
func TestStandardsNameTestsThatExist(t *testing.T) {
	exist := testsThatExist(t)
	text, named := read(t, "docs/standards.md"), 0
	for _, m := range namedTest.FindAllStringSubmatch(text, -1) {
		if named++; !exist[m[1]] {
			t.Errorf("docs/standards.md names %s, which does not exist", m[1])
		}
	}
	if named < 200 {
		t.Errorf("found %d names; the test does not see them", named)
	}
	for i, line := range strings.Split(text, "\n") {
		claim := strings.HasPrefix(line, "|") && regexp.MustCompile(`\| (?:\*\*)?met\b`).MatchString(line)
		if claim && !namedTest.MatchString(line) {
			t.Errorf("docs/standards.md:%d claims what no test is named for: %.80s", i+1, line)
		}
	}
}

// arrow is a numbered step of a sequence in docs/card-login.md, step a row of the threat model that answers for it.
var (
	arrow = regexp.MustCompile(`(?m)^ ?(\d+)  .*[→↔]`)
	step  = regexp.MustCompile("(?m)^\\| (P?\\d+) .*\\|([^|]*`Test[^|]*)\\|$")
)

// TestThreatModelCoversEveryArrow: each arrow of the card login has its attacks, their defence and the test, and the tests it names exist.
func TestThreatModelCoversEveryArrow(t *testing.T) {
	exist, text, named := testsThatExist(t), read(t, "docs/threat-model.md"), 0
	for _, m := range namedTest.FindAllStringSubmatch(text, -1) {
		if named++; !exist[m[1]] {
			t.Errorf("docs/threat-model.md names %s, which does not exist", m[1])
		}
	}
	if named < 100 {
		t.Errorf("found %d names; the test does not see them", named)
	}
	answered := map[string]bool{}
	for _, m := range step.FindAllStringSubmatch(text, -1) {
		answered[m[1]] = true
	}
	here, phone, ok := strings.Cut(read(t, "docs/card-login.md"), "\n## Through a phone")
	if !ok {
		t.Fatal("docs/card-login.md has no login through a phone")
	}
	for prefix, sequence := range map[string]string{"": here, "P": phone} {
		arrows := arrow.FindAllStringSubmatch(sequence, -1)
		if len(arrows) < 10 {
			t.Errorf("found %d arrows; the test does not see them", len(arrows))
		}
		for _, a := range arrows {
			if !answered[prefix+a[1]] {
				t.Errorf("docs/threat-model.md has no row, or none with a test, for arrow %s of docs/card-login.md", prefix+a[1])
			}
		}
	}
}

// routeOf finds the addresses that the card login is made of where routes are listed; handed is one that is a constant there.
var routeOf = regexp.MustCompile(`(?:"(/(?:login|card|sign|phone)(?:/[^"]*)?)"|(phoneLoginPath|phonePath)(?: \+ "([^"]*)")?), [pa]\.`)

// TestEveryRouteOfTheCardLoginIsDescribed: who reads what a card login does meets every address that takes part.
func TestEveryRouteOfTheCardLoginIsDescribed(t *testing.T) {
	text, found := read(t, "docs/card-login.md"), 0
	for _, file := range []string{"idp/routes.go", "cardauth/agent/routes.go"} {
		for _, m := range routeOf.FindAllStringSubmatch(read(t, file), -1) {
			found++
			address := m[1] + map[string]string{"phoneLoginPath": "/login/phone", "phonePath": "/phone"}[m[2]] + m[3]
			address = regexp.MustCompile(`:(\w+)`).ReplaceAllString(address, "{$1}")
			if !regexp.MustCompile(regexp.QuoteMeta(address) + `(?:[^/\w]|$)`).MatchString(text) {
				t.Errorf("docs/card-login.md does not say what %s is for (%s)", address, file)
			}
		}
	}
	if found < 20 {
		t.Errorf("found %d routes; the test does not see them", found)
	}
}
