package exchange

import (
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tsunagu-id/tsunagu/internal/govcode"
)

// BasisName is what requests call a basis: 1 to 40 of A–Z, 0–9 and "-".
type BasisName string

// ParseBasisName reads one.
func ParseBasisName(s string) (BasisName, error) {
	if s == "" || len(s) > 40 || strings.ContainsFunc(s, func(r rune) bool { return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') }) {
		return "", errors.New("a basis is 1 to 40 of A-Z, 0-9 and -")
	}
	return BasisName(s), nil
}

// Text is something citizens read, in Japanese and perhaps in English.
type Text struct{ JA, EN string }

// In returns the text in "ja" or "en".
func (t Text) In(lang string) string {
	if lang == "en" && t.EN != "" {
		return t.EN
	}
	return t.JA
}

// Basis allows Requester to ask Provider for Item, for Purpose, from From until before Until.
type Basis struct {
	Name        BasisName
	Requester   govcode.Body
	Purpose     govcode.Procedure
	PurposeName Text
	Provider    govcode.Body
	Item        govcode.Item
	ItemName    Text
	From, Until time.Time
	Law         string
}

// japan is the zone that dates without a time are of.
var japan = time.FixedZone("JST", 9*60*60)

// ParseDate reads YYYY-MM-DD as the first moment of that day in Japan.
func ParseDate(s string) (time.Time, error) {
	t, err := time.ParseInLocation(time.DateOnly, s, japan)
	if err != nil || t.Year() < 2000 || t.Year() > 9998 || t.Format(time.DateOnly) != s {
		return time.Time{}, errors.New("a date is YYYY-MM-DD")
	}
	return t, nil
}

// plain refuses what would let one text look like another or break a line.
func plain(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || r == utf8.RuneError
	})
}
