package cardauth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// maxMembers bounds a JSON object of a stranger.
const maxMembers = 16

// object is a JSON object that means one thing only: UTF-8, no member twice,
// nothing after it. Package json alone takes the last of two members, and
// matches the names of a struct without regard to case.
func object(b []byte) (map[string]json.RawMessage, bool) {
	if len(b) == 0 || b[0] != '{' || !utf8.Valid(b) {
		return nil, false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(b, &members) != nil {
		return nil, false
	}
	// Members that were there twice, also by another spelling of the name, are
	// missing from the map.
	return members, len(members) <= maxMembers && len(members) == countMembers(b)
}

// countMembers counts the members of a valid JSON object by their colons.
func countMembers(b []byte) int {
	n, depth, inString := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++ // whatever is escaped is not a quote
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ':' && depth == 1:
			n++
		}
	}
	return n
}

// only reports whether an object has exactly these members.
func only(members map[string]json.RawMessage, names ...string) bool {
	if len(members) != len(names) {
		return false
	}
	for _, n := range names {
		if _, there := members[n]; !there {
			return false
		}
	}
	return true
}

// text reads a member of an object as a string.
func text(raw json.RawMessage) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(raw, '\\') < 0 { // the usual case: nothing to undo
		return string(raw[1 : len(raw)-1]), true
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

// isInteger reports whether a member is a number that fits 64 bits.
func isInteger(raw json.RawMessage) bool {
	var n int64
	return !bytes.Equal(raw, []byte("null")) && json.Unmarshal(raw, &n) == nil
}

// fromBase64 decodes the one spelling that encodes back to s. The decoder of
// the standard library would skip line breaks.
func fromBase64(enc *base64.Encoding, s string) ([]byte, bool) {
	if s == "" || strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := enc.Strict().DecodeString(s)
	return b, err == nil
}
