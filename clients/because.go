package clients

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Because says who does something, and why.
type Because struct {
	By     string // operator, seed, or policy:NAME
	Reason string // 3 to 500 characters, without anything that says who a citizen is
}

func (b Because) check() error { return checkNote("reason", b.Reason, minReason, maxNote) }

// checkNote judges what an operator wrote for others, in characters. It may have lines.
func checkNote(field, text string, least, most int) error {
	n := utf8.RuneCountInString(strings.TrimSpace(text))
	switch {
	case n < least:
		return faultOf(field, "is shorter than "+strconv.Itoa(least)+" characters", "say why, for whoever looks later")
	case utf8.RuneCountInString(text) > most:
		return faultOf(field, fmt.Sprintf("is longer than %d characters", most), "shorten it")
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool {
		return r != '\n' && r != '\r' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co)
	}):
		return faultOf(field, "contains invisible or control characters", "write plain text")
	}
	return nil
}

func revisionFact(revision int64) map[string]string {
	return map[string]string{"revision": strconv.FormatInt(revision, 10)}
}

func versionFact(version int64) map[string]string {
	return map[string]string{"version": strconv.FormatInt(version, 10)}
}
