package mail

import (
	"errors"
	"regexp"
)

// maxAddress is the longest address there is, in bytes (RFC 5321 §4.5.3.1.3, without the brackets).
const maxAddress = 254

// addressForm is the e-mail address of the HTML standard: that of RFC 5322 §3.4.1 without quoting, comments and control characters, and
// with the doubled dots that Japanese carriers once gave out. The domain has two labels at least.
var addressForm = regexp.MustCompile("^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$")

// What is wrong with an address.
var (
	ErrLong = errors.New("mail: address of more than 254 bytes")
	ErrForm = errors.New("mail: not an e-mail address")
)

// Address is the e-mail address of one person. It is ASCII, and has no space, no line end, no quotes and no brackets.
type Address struct{ s string }

// ParseAddress reads an address and changes nothing in it. Its errors are ErrLong and ErrForm.
func ParseAddress(s string) (Address, error) {
	if len(s) > maxAddress {
		return Address{}, ErrLong
	}
	if !addressForm.MatchString(s) {
		return Address{}, ErrForm
	}
	return Address{s}, nil
}

// String returns the address.
func (a Address) String() string { return a.s }
