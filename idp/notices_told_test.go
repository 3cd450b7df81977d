package idp_test

import (
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// toldWords are the words of a citizen's list of notices, newest first, and the whole page.
func toldWords(b *idptest.Browser) (words []string, body string) {
	body = b.Get("/account/notices").Body
	for part := range strings.SplitSeq(body, `data-notice="`) {
		if word, _, ok := strings.Cut(part, `"`); ok && !strings.Contains(word, "<") {
			words = append(words, word)
		}
	}
	return words, body
}

// Of a representative whoever is represented is told, when she accepts and when it ends, and the representative is not named in mail.
func TestNoticesOfARepresentative(t *testing.T) {
	f := startFamily(t, idptest.Options{})
	id := f.represent(f.taro, f.hanako)
	words, _ := toldWords(f.taro)
	if len(words) == 0 || words[0] != "proxy" {
		t.Errorf("taro is told %v", words)
	}
	f.taro.Post("/account/representatives/"+id+"/end", nil)
	if words, _ := toldWords(f.taro); words[0] != "proxy-ended" {
		t.Errorf("taro is told %v", words)
	}
	if words, body := toldWords(f.hanako); strings.Contains(strings.Join(words, " "), "proxy") {
		t.Errorf("hanako is told %v of taro's folder: %s", words, body)
	}
}
