package agency

import (
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"
)

const maxTyped = 200 // of a field, in bytes

// parseNumber reads the ten digits of a basic pension number as people type them: full-width digits, with spaces or hyphens.
func parseNumber(s string) (string, bool) {
	if len(s) > maxTyped {
		return "", false
	}
	var digits strings.Builder
	for _, r := range width.Narrow.String(s) {
		switch {
		case r >= '0' && r <= '9':
			digits.WriteRune(r)
		case unicode.IsSpace(r) || strings.ContainsRune("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\uff70", r):
		default:
			return "", false
		}
	}
	return digits.String(), digits.Len() == 10
}

// parseDate reads a day of our calendar as people type it: 1980-2-17, 1980/02/17, 19800217, 1980年2月17日.
func parseDate(s string) (day, bool) {
	if len(s) > maxTyped {
		return "", false
	}
	s = strings.TrimSpace(width.Narrow.String(s))
	if len(s) == 8 && !strings.ContainsFunc(s, notDigit) {
		s = s[:4] + "-" + s[4:6] + "-" + s[6:]
	}
	s = strings.NewReplacer("年", "-", "月", "-", "/", "-", ".", "-", " ", "").Replace(strings.TrimSuffix(s, "日"))
	t, err := time.Parse("2006-1-2", s)
	if err != nil || t.Year() < 1868 {
		return "", false
	}
	return day(t.Format(time.DateOnly)), true
}

func notDigit(r rune) bool { return r < '0' || r > '9' }

// day is a date as in 2026-04-01; only parseDate makes one that is not empty.
type day string

func (d day) time() time.Time {
	t, err := time.ParseInLocation(time.DateOnly, string(d), japan())
	if err != nil {
		return time.Time{}
	}
	return t
}

// japan has had no daylight saving since 1951.
func japan() *time.Location { return time.FixedZone("JST", 9*60*60) }

// parseCount reads a small number of persons.
func parseCount(s string, most int) (int, bool) {
	if len(s) > maxTyped {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(width.Narrow.String(s)), "人"))
	return n, err == nil && n > 0 && n <= most
}

// clip bounds what is shown back.
func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40])
	}
	return s
}
