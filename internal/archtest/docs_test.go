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
