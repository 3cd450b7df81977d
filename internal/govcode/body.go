package govcode

import "errors"

// Corporation is a 法人番号: a check digit and twelve digits. The zero value is unusable.
type Corporation string

// ErrNotCorporation is what is no 法人番号.
var ErrNotCorporation = errors.New("govcode: a corporate number is a check digit and twelve digits")

// ParseCorporation reads the thirteen digits.
func ParseCorporation(s string) (Corporation, error) {
	if len(s) != 13 || !digits(s) {
		return "", ErrNotCorporation
	}
	sum := 0
	for i := 1; i <= 12; i++ { // from the right, weights 1, 2, 1, 2, …
		sum += int(s[13-i]-'0') * (2 - i%2)
	}
	if int(s[0]-'0') != 9-sum%9 {
		return "", ErrCheckDigit
	}
	return Corporation(s), nil
}

// String returns the thirteen digits.
func (c Corporation) String() string { return string(c) }

// Body names an office that asks for or holds information: a municipality by its six digits, any other by its corporate number. The
// two never look alike. The zero value is unusable.
type Body string

// ParseBody reads either form.
func ParseBody(s string) (Body, error) {
	var err error
	if len(s) == 6 {
		_, err = ParseMunicipality(s)
	} else {
		_, err = ParseCorporation(s)
	}
	if err != nil {
		return "", err
	}
	return Body(s), nil
}

// String returns the digits.
func (b Body) String() string { return string(b) }

// Municipality returns the code of a municipality; false for any other body.
func (b Body) Municipality() (Municipality, bool) {
	if len(b) == 6 {
		return Municipality(b), true
	}
	return "", false
}
