package etax

import (
	"strconv"
	"strings"

	"golang.org/x/text/width"
)

// Yen is an amount of money.
type Yen int64

// maxYenDigits bounds what can be declared: 9,999,999,999 yen.
const maxYenDigits = 10

// ParseYen reads an amount as people type it: full-width digits, commas, spaces and the word for yen.
func ParseYen(s string) (Yen, bool) {
	if len(s) > 256 {
		return 0, false
	}
	s = strings.TrimSuffix(strings.TrimSpace(width.Narrow.String(s)), "円")
	var digits strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits.WriteRune(r)
		case strings.ContainsRune(" \t\u00a0\u3000,\u3001\uff64", r):
		default:
			return 0, false
		}
	}
	n, err := strconv.ParseInt(digits.String(), 10, 64)
	if err != nil || len(strings.TrimLeft(digits.String(), "0")) > maxYenDigits {
		return 0, false
	}
	return Yen(n), true
}

// String is the amount with commas.
func (y Yen) String() string {
	s := strconv.FormatInt(int64(y), 10)
	sign := ""
	if y < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}
