package cardauth

import (
	"encoding/asn1"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Attributes are the four facts about a person that a signature certificate
// states, as they were when it was issued.
type Attributes struct {
	Name      string // family and given name, U+3000 between
	Address   string // no postal code
	Birthdate Birthdate
	Sex       Sex
	// NameSubstitutes and AddressSubstitutes say for each character whether
	// it stands for one that the authority could not encode. nil: not told.
	NameSubstitutes, AddressSubstitutes []bool
}

// Substituted reports whether any character of name or address stands for
// another one.
func (a Attributes) Substituted() bool {
	for _, flags := range [][]bool{a.NameSubstitutes, a.AddressSubstitutes} {
		for _, f := range flags {
			if f {
				return true
			}
		}
	}
	return false
}

// Era is the era in which a birth date is written on paper.
type Era int

// The eras. The register may not know.
const (
	EraUnknown Era = iota
	Meiji
	Taisho
	Showa
	Heisei
	Reiwa
)

// Birthdate is a date of the Gregorian calendar of which parts may be
// unknown; those are 0.
type Birthdate struct {
	Era              Era
	Year, Month, Day int
}

// String returns YYYY-MM-DD if the whole date is known, YYYY if only the year
// is, and "" otherwise (the forms of OpenID Connect Core §5.1).
func (b Birthdate) String() string {
	switch {
	case b.Year == 0:
		return ""
	case b.Month == 0 || b.Day == 0:
		return fmt.Sprintf("%04d", b.Year)
	}
	return fmt.Sprintf("%04d-%02d-%02d", b.Year, b.Month, b.Day)
}

// Sex is the register's code (JIS X 0303).
type Sex int

// The codes. Both of the last two are in use for "not stated".
const (
	Male             Sex = 1
	Female           Sex = 2
	SexUnknown       Sex = 3
	SexNotApplicable Sex = 9
)

// oidHolder is the arc of the personal attributes.
var oidHolder = asn1.ObjectIdentifier{1, 2, 392, 200149, 8, 5, 5}

// The attributes in the arc.
const (
	holderName = 1 + iota
	holderNameFlags
	holderSex
	holderBirth
	holderAddress
	holderAddressFlags
	holderFields = holderAddressFlags
)

const (
	maxHolderName    = 200 // characters
	maxHolderAddress = 200
)

// parseHolder reads the subjectAltName of a signature certificate: six
// otherNames (RFC 5280 §4.2.1.6), each once, and nothing else. Package x509
// does not show them.
func parseHolder(value []byte) (Attributes, bool) {
	fields, ok := readHolderFields(value)
	if !ok {
		return Attributes{}, false
	}
	a := Attributes{Name: fields[holderName], Address: fields[holderAddress]}
	if !isWriting(a.Name, maxHolderName) || !isWriting(a.Address, maxHolderAddress) {
		return Attributes{}, false
	}
	if a.Sex, ok = parseSex(fields[holderSex]); !ok {
		return Attributes{}, false
	}
	if a.Birthdate, ok = parseBirthdate(fields[holderBirth]); !ok {
		return Attributes{}, false
	}
	if a.NameSubstitutes, ok = parseFlags(fields[holderNameFlags], a.Name); !ok {
		return Attributes{}, false
	}
	a.AddressSubstitutes, ok = parseFlags(fields[holderAddressFlags], a.Address)
	return a, ok
}

// readHolderFields returns the strings by the last part of their identifier.
func readHolderFields(value []byte) (fields [holderFields + 1]string, ok bool) {
	input := cryptobyte.String(value)
	var names cryptobyte.String
	if !input.ReadASN1(&names, cbasn1.SEQUENCE) || !input.Empty() {
		return fields, false
	}
	var seen [holderFields + 1]bool
	for range holderFields {
		var other, wrapped, text cryptobyte.String
		var id asn1.ObjectIdentifier
		if !names.ReadASN1(&other, explicit(0)) || !other.ReadASN1ObjectIdentifier(&id) ||
			!other.ReadASN1(&wrapped, explicit(0)) || !other.Empty() ||
			!wrapped.ReadASN1(&text, cbasn1.UTF8String) || !wrapped.Empty() ||
			len(id) != len(oidHolder)+1 || !id[:len(oidHolder)].Equal(oidHolder) {
			return fields, false
		}
		n := id[len(oidHolder)]
		if n < 1 || n > holderFields || seen[n] || !utf8.Valid(text) {
			return fields, false
		}
		seen[n], fields[n] = true, string(text)
	}
	return fields, names.Empty()
}

// isWriting: something to read, and nothing that moves the cursor or turns
// the line around.
func isWriting(s string, most int) bool {
	if s == "" || utf8.RuneCountInString(s) > most {
		return false
	}
	for _, r := range s {
		if r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return false
		}
	}
	return true
}

func parseSex(s string) (Sex, bool) {
	switch s {
	case "1":
		return Male, true
	case "2":
		return Female, true
	case "3":
		return SexUnknown, true
	case "9":
		return SexNotApplicable, true
	}
	return 0, false
}

// parseBirthdate reads nine digits: the era, then the Gregorian date with
// zeros for what is not known.
func parseBirthdate(s string) (Birthdate, bool) {
	if len(s) != 9 || !allDigits(s) {
		return Birthdate{}, false
	}
	number := func(part string) (n int) {
		for _, c := range []byte(part) {
			n = n*10 + int(c-'0')
		}
		return n
	}
	b := Birthdate{Era: Era(s[0] - '0'), Year: number(s[1:5]), Month: number(s[5:7]), Day: number(s[7:9])}
	switch {
	case b.Era > Reiwa, b.Month > 12, b.Day > 31:
		return Birthdate{}, false
	case b.Year != 0 && b.Year < 1868: // the first year of Meiji
		return Birthdate{}, false
	case b.Year == 0 || b.Month == 0 || b.Day == 0:
		return b, true
	}
	day := time.Date(b.Year, time.Month(b.Month), b.Day, 0, 0, 0, 0, time.UTC)
	return b, day.Day() == b.Day
}

// parseFlags reads one digit for each character of a text, 1 where it is a
// substitute. Flags for another number of characters are legal and tell
// nothing: the authority may count otherwise what is written with two code
// points.
func parseFlags(s, text string) ([]bool, bool) {
	if len(s) > 4*maxHolderAddress {
		return nil, false
	}
	flags := make([]bool, len(s))
	for i, c := range []byte(s) {
		if c != '0' && c != '1' {
			return nil, false
		}
		flags[i] = c == '1'
	}
	if len(flags) != utf8.RuneCountInString(text) {
		return nil, true
	}
	return flags, true
}
