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

// object is a JSON object that means one thing only: UTF-8, no member twice
// (RFC 8725 §2.4 is what happens otherwise), nothing after it. Package json
// alone would take the last of two members and match names without regard to
// case.
func object(b []byte) (map[string]json.RawMessage, bool) {
	if !utf8.Valid(b) {
		return nil, false
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	members := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		name, isName := t.(string)
		if err != nil || !isName {
			return nil, false
		}
		if _, twice := members[name]; twice || len(members) == maxMembers {
			return nil, false
		}
		var value json.RawMessage
		if err = dec.Decode(&value); err != nil {
			return nil, false
		}
		members[name] = value
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, false
	}
	return members, len(bytes.TrimSpace(b[dec.InputOffset():])) == 0
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

// decode reads a member as exactly a string, an integer or a list of strings;
// null is none of them.
func decode[T string | int64 | []string](raw json.RawMessage) (T, bool) {
	var v T
	ok := !bytes.Equal(raw, []byte("null")) && json.Unmarshal(raw, &v) == nil
	return v, ok
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
