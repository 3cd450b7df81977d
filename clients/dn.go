package clients

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDN is the longest distinguished name that is looked at, in bytes, and maxRDN
// the most attributes it may have.
const (
	maxDN  = 1024
	maxRDN = 30
)

var errDN = errors.New("not a distinguished name (RFC 4514)")

// attribute is one type and value. Hexadecimal values (#04…) are compared by their
// encoding, all others by their text.
type attribute struct {
	oid  string // dotted
	text string
	der  string
}

func (a attribute) equal(b attribute) bool {
	if a.der != "" && b.der != "" && (a.text == "" || b.text == "") {
		return a.oid == b.oid && a.der == b.der
	}
	return a.oid == b.oid && a.text == b.text && a.text != ""
}

// distinguishedName is a list of RDNs, the most specific one last, as in a
// certificate.
type distinguishedName [][]attribute

// equal compares RDN by RDN; the attributes of one RDN are a set.
func (d distinguishedName) equal(o distinguishedName) bool {
	return slices.EqualFunc(d, o, func(a, b []attribute) bool {
		if len(a) != len(b) {
			return false
		}
		for _, x := range a {
			if !slices.ContainsFunc(b, x.equal) {
				return false
			}
		}
		for _, x := range b {
			if !slices.ContainsFunc(a, x.equal) {
				return false
			}
		}
		return true
	})
}

// attributeType returns the object identifier of a type: a name of RFC 4514 §3, or
// one of three more that certificates of machines use, or dotted numbers.
func attributeType(s string) (string, bool) {
	switch strings.ToUpper(s) {
	case "CN":
		return "2.5.4.3", true
	case "SERIALNUMBER":
		return "2.5.4.5", true
	case "C":
		return "2.5.4.6", true
	case "L":
		return "2.5.4.7", true
	case "ST":
		return "2.5.4.8", true
	case "STREET":
		return "2.5.4.9", true
	case "O":
		return "2.5.4.10", true
	case "OU":
		return "2.5.4.11", true
	case "ORGANIZATIONIDENTIFIER":
		return "2.5.4.97", true
	case "UID":
		return "0.9.2342.19200300.100.1.1", true
	case "DC":
		return "0.9.2342.19200300.100.1.25", true
	case "EMAILADDRESS":
		return "1.2.840.113549.1.9.1", true
	}
	parts := strings.Split(s, ".")
	for _, p := range parts {
		if n, err := strconv.ParseUint(p, 10, 31); err != nil || strconv.FormatUint(n, 10) != p {
			return "", false
		}
	}
	return s, len(parts) > 1
}

// parseDN reads the string form, in which the most specific RDN comes first.
func parseDN(s string) (distinguishedName, error) {
	if s == "" || len(s) > maxDN || !utf8.ValidString(s) {
		return nil, errDN
	}
	var out distinguishedName
	var rdn []attribute
	for count, rest := 0, s; ; count++ {
		if count == maxRDN {
			return nil, errDN
		}
		name, after, ok := strings.Cut(rest, "=")
		oid, known := attributeType(strings.Trim(name, " "))
		if !ok || !known {
			return nil, errDN
		}
		a, end, err := parseValue(after)
		if err != nil {
			return nil, err
		}
		a.oid = oid
		rdn = append(rdn, a)
		if end == len(after) {
			out = append(out, rdn)
			slices.Reverse(out)
			return out, nil
		}
		if after[end] == ',' {
			out, rdn = append(out, rdn), nil
		}
		rest = after[end+1:]
	}
}

// parseValue reads up to an unescaped "," or "+", and returns where that stands.
// Spaces around a value are let pass, as many tools write them after a comma.
func parseValue(s string) (a attribute, end int, _ error) {
	s2 := strings.TrimLeft(s, " ")
	start := len(s) - len(s2)
	if strings.HasPrefix(s2, "#") {
		end = strings.IndexAny(s2, ",+")
		if end < 0 {
			end = len(s2)
		}
		der, err := hex.DecodeString(strings.TrimRight(s2[1:end], " "))
		if err != nil || len(der) == 0 {
			return attribute{}, 0, errDN
		}
		return attribute{der: string(der)}, start + end, nil
	}
	var text []byte
	keep := 0 // escaped characters are never trimmed
	for end = start; end < len(s) && s[end] != ',' && s[end] != '+'; end++ {
		switch c := s[end]; {
		case c == '\\':
			b, n, ok := unescape(s[end+1:])
			if !ok {
				return attribute{}, 0, errDN
			}
			text, end = append(text, b), end+n
			keep = len(text)
		case strings.IndexByte("\"<>;\x00", c) >= 0: // RFC 4514 §2.4: must be escaped
			return attribute{}, 0, errDN
		default:
			text = append(text, c)
		}
	}
	for len(text) > keep && text[len(text)-1] == ' ' {
		text = text[:len(text)-1]
	}
	if len(text) == 0 || !utf8.Valid(text) {
		return attribute{}, 0, errDN
	}
	return attribute{text: string(text)}, end, nil
}

// unescape reads what follows a backslash: a special character, or the two
// hexadecimal digits of a byte.
func unescape(s string) (b byte, length int, ok bool) {
	if s != "" && strings.IndexByte(" \"#+,;<=>\\", s[0]) >= 0 {
		return s[0], 1, true
	}
	if len(s) < 2 {
		return 0, 0, false
	}
	n, err := strconv.ParseUint(s[:2], 16, 8)
	return byte(n), 2, err == nil
}

// decodeDN reads the subject of a certificate.
func decodeDN(der []byte) (distinguishedName, error) {
	type pair struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	type relativeSET []pair // the suffix tells package asn1 that it is a SET
	var rdns []relativeSET
	if rest, err := asn1.Unmarshal(der, &rdns); err != nil || len(rest) > 0 {
		return nil, errDN
	}
	out := make(distinguishedName, 0, len(rdns))
	for _, set := range rdns {
		var rdn []attribute
		for _, p := range set {
			a := attribute{oid: p.Type.String(), der: string(p.Value.FullBytes)}
			var text string
			if rest, err := asn1.Unmarshal(p.Value.FullBytes, &text); err == nil && len(rest) == 0 {
				a.text = text
			}
			rdn = append(rdn, a)
		}
		out = append(out, rdn)
	}
	return out, nil
}
