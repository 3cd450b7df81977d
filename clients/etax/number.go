package etax

import (
	"strings"

	"golang.org/x/text/width"
)

// Number names an account: 16 digits. Only ParseNumber makes one.
type Number string

const numberDigits = 16

// ParseNumber reads a number as people type it: full-width digits, spaces and hyphens or long-vowel marks between groups.
func ParseNumber(s string) (Number, bool) {
	if len(s) > 256 {
		return "", false
	}
	var digits strings.Builder
	for _, r := range width.Narrow.String(s) {
		switch {
		case r >= '0' && r <= '9':
			digits.WriteRune(r)
		case strings.ContainsRune(" \t\u00a0\u3000-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\uff70", r):
		default:
			return "", false
		}
	}
	if digits.Len() != numberDigits {
		return "", false
	}
	return Number(digits.String()), true
}

// Tail is the part of a number that may stand on a page over somebody's shoulder.
func (n Number) Tail() string {
	if len(n) != numberDigits {
		return ""
	}
	return string(n[numberDigits-4:])
}
