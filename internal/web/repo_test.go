package web

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// repoFiles reads every file of the repository whose path passes.
func repoFiles(t *testing.T, pass func(path string) bool) map[string]string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "third_party" || name == "var" || name == "testdata") {
			return filepath.SkipDir
		}
		if rel, _ := filepath.Rel(root, path); !d.IsDir() && pass(rel) {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			found[rel] = string(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// forbiddenMarkup is what the policy would block silently (the page would look whole and not work), and what ui rules out.
func forbiddenMarkup() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{
		"inline script":      regexp.MustCompile(`(?i)<script(?:\s[^>]*)?>\s*[^<\s]`),
		"foreign script":     regexp.MustCompile(`(?i)<script[^>]+src="?(https?:)?//`),
		"style element":      regexp.MustCompile(`(?i)<style`),
		"style attribute":    regexp.MustCompile(`(?i)\sstyle\s*=`),
		"event attribute":    regexp.MustCompile(`(?i)\son[a-z]+\s*=`),
		"javascript address": regexp.MustCompile(`(?i)javascript:`),
		"refresh":            regexp.MustCompile(`(?i)http-equiv`),
		"autofocus":          regexp.MustCompile(`(?i)\sautofocus`),
		"positive tabindex":  regexp.MustCompile(`(?i)tabindex="[1-9]`),
		"placeholder":        regexp.MustCompile(`(?i)\splaceholder\s*=`),
		"empty link":         regexp.MustCompile(`(?i)href="#"`),
	}
}

func TestForbiddenMarkupIsRecognized(t *testing.T) {
	for what, example := range map[string]string{
		"inline script": `<script defer>go()</script>`, "foreign script": `<script src="https://x.example/a.js">`, "style element": `<style>`,
		"style attribute": `<p style="color:red">`, "event attribute": `<a onclick="x()">`, "javascript address": `href="javascript:x"`,
		"refresh": `<meta http-equiv="refresh">`, "autofocus": `<input autofocus>`, "positive tabindex": `tabindex="1"`,
		"placeholder": `<input placeholder="1234">`, "empty link": `<a href="#">`,
	} {
		if !forbiddenMarkup()[what].MatchString(example) {
			t.Errorf("%s is not recognized", what)
		}
	}
}

func TestNoTemplateCarriesScriptOrStyle(t *testing.T) {
	files := repoFiles(t, func(path string) bool { return strings.HasSuffix(path, ".html") })
	if len(files) < 30 {
		t.Fatalf("only %d templates found", len(files))
	}
	// The one refresh there is: for browsers without script, of a page that waits for another device (Page.Refresh).
	const waiting = `<noscript><meta http-equiv="refresh" content="{{.}}"></noscript>`
	if layout := filepath.Join("internal", "web", "templates", "layout.html"); strings.Count(files[layout], waiting) != 1 {
		t.Errorf("%s has no refresh for browsers without script", layout)
	} else {
		files[layout] = strings.Replace(files[layout], waiting, "", 1)
	}
	for path, text := range files {
		for what, pattern := range forbiddenMarkup() {
			if hit := pattern.FindString(text); hit != "" {
				t.Errorf("%s: %s: %s", path, what, hit)
			}
		}
	}
}

// One thing has one name on every page; these are the other names.
func TestForbiddenWordsAreNotUsed(t *testing.T) {
	everywhere := []string{
		"サインイン", "ログオン", "認証する", "PINコード", "スキャン", "JPKI", "連携", "紐付け", "紐づけ", "自治体", "役場",
		"再試行", "リトライ", "恐れ入ります", "属性", "クレーム", "スコープ", "クライアント", "アプリケーション", "！",
	}
	files := repoFiles(t, func(path string) bool { return strings.HasSuffix(path, "messages/ja.json") })
	if len(files) < 2 {
		t.Fatalf("only %d catalogues found", len(files))
	}
	for path, text := range files {
		var texts map[string]string
		if err := json.Unmarshal([]byte(text), &texts); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for key, text := range texts {
			for _, word := range everywhere {
				if strings.Contains(text, word) {
					t.Errorf("%s: %s says %s: %s", path, key, word, text)
				}
			}
			// 証明書 alone is a paper from the office; ours is a 電子証明書.
			if strings.Contains(strings.ReplaceAll(text, "電子証明書", ""), "証明書") {
				t.Errorf("%s: %s: 証明書 without 電子: %s", path, key, text)
			}
		}
	}
}

// A Japanese text copied into the English catalogue, or the other way round, is a translation forgotten.
func TestNothingIsUntranslated(t *testing.T) {
	japanese := regexp.MustCompile(`[\p{Hiragana}\p{Katakana}\p{Han}]`)
	files := repoFiles(t, func(path string) bool { return strings.HasSuffix(path, "messages/en.json") })
	for path, text := range files {
		var en, ja map[string]string
		if err := json.Unmarshal([]byte(text), &en); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		b, err := os.ReadFile(filepath.Join("../..", filepath.Dir(path), "ja.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &ja); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for key, text := range en {
			if japanese.MatchString(text) {
				t.Errorf("%s: %s is not English: %s", path, key, text)
			}
			if text == ja[key] && regexp.MustCompile(`[a-z]{4}`).MatchString(text) {
				t.Errorf("%s: %s is the same in both languages: %s", path, key, text)
			}
		}
	}
}
