package cardtest

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Person is somebody who does not exist.
type Person struct {
	Name    string // family and given name, U+3000 between
	Address string
	Sex     string // "1" male, "2" female
	Birth   time.Time
	Place   Place
}

// oidPersonal is the arc of the personal attributes in a signature certificate.
var oidPersonal = asn1.ObjectIdentifier{1, 2, 392, 200149, 8, 5, 5}

// altName is the subjectAltName of a signature certificate: six otherNames in
// the order seen on a card, name .1, birth .4, sex .3, address .5, and for
// name .2 and address .6 one digit per character, 0 where the character is not
// a substitute.
func (p Person) altName() pkix.Extension {
	flags := func(s string) string { return strings.Repeat("0", utf8.RuneCountInString(s)) }
	values := []struct {
		arc   int
		value string
	}{
		{1, p.Name}, {4, eraBirth(p.Birth)}, {3, p.Sex}, {5, p.Address}, {2, flags(p.Name)}, {6, flags(p.Address)},
	}
	return pkix.Extension{Id: oidSubjectAltName, Value: der(func(b *cryptobyte.Builder) {
		seq(b, func(b *cryptobyte.Builder) {
			for _, v := range values {
				explicit(b, 0, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(append(append(asn1.ObjectIdentifier(nil), oidPersonal...), v.arc))
					explicit(b, 0, func(b *cryptobyte.Builder) {
						b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(v.value)) })
					})
				})
			}
		})
	})}
}

// eraBirth writes a birth date as the certificates do: one digit for the era,
// then the Gregorian date.
func eraBirth(t time.Time) string {
	era := 3 // 昭和
	switch {
	case !t.Before(time.Date(2019, 5, 1, 0, 0, 0, 0, time.UTC)):
		era = 5 // 令和
	case !t.Before(time.Date(1989, 1, 8, 0, 0, 0, 0, time.UTC)):
		era = 4 // 平成
	}
	return fmt.Sprintf("%d%s", era, t.Format("20060102"))
}

// FifthBirthday is when a certificate issued at a given time ends: at
// 23:59:59, Japanese time, of the fifth birthday after it.
func (p Person) FifthBirthday(issued time.Time) time.Time {
	end := func(year int) time.Time {
		return time.Date(year, p.Birth.Month(), p.Birth.Day(), 14, 59, 59, 0, time.UTC)
	}
	year := issued.UTC().Year()
	if !end(year).After(issued) {
		year++
	}
	return end(year + 4)
}
