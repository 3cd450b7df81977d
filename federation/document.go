package federation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// members is one JSON object taken apart.
type members map[string]json.RawMessage

var errDocument = errors.New("not one JSON object with each member once")

// maxMembers bounds one object.
const maxMembers = 64

// readDocument reads the object in a request's body of limit bytes at most.
func readDocument(r *http.Request, limit int64) (members, error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return nil, malformed("the content type must be application/json")
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, malformed("the body could not be read")
	}
	if int64(len(raw)) > limit {
		return nil, malformed(fmt.Sprintf("the body must not exceed %d bytes", limit))
	}
	d, err := parseDocument(raw)
	if err != nil {
		return nil, malformed("the body must be one JSON object with each member once")
	}
	return d, nil
}

// parseDocument takes one JSON object apart. A member that appears twice is an error: readers differ in which of the two they
// believe.
func parseDocument(raw []byte) (members, error) {
	if !utf8.Valid(raw) {
		return nil, errDocument
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errDocument
	}
	out := make(members)
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, errDocument
		}
		name, ok := t.(string)
		var value json.RawMessage
		if !ok || len(out) == maxMembers || dec.Decode(&value) != nil {
			return nil, errDocument
		}
		if _, twice := out[name]; twice {
			return nil, errDocument
		}
		out[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, errDocument
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errDocument
	}
	return out, nil
}

// text returns a string member of limit characters at most, without control characters; "" if it is missing.
func (d members) text(name string, limit int) (string, error) {
	raw, ok := d[name]
	if !ok {
		return "", nil
	}
	var s string
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", malformed(name + " must be a string")
	}
	if utf8.RuneCountInString(s) > limit {
		return "", malformed(fmt.Sprintf("%s must not exceed %d characters", name, limit))
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "", malformed(name + " must not hold control characters")
	}
	return s, nil
}

// required is text that must be there.
func (d members) required(name string, limit int) (string, error) {
	s, err := d.text(name, limit)
	if err == nil && s == "" {
		err = malformed(name + " is missing")
	}
	return s, err
}

// texts returns an array of strings of limit elements at most, each once; nil if it is missing.
func (d members) texts(name string, limit int) ([]string, error) {
	raw, ok := d[name]
	if !ok {
		return nil, nil
	}
	var list []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &list) != nil {
		return nil, malformed(name + " must be an array of strings")
	}
	if len(list) > limit {
		return nil, malformed(fmt.Sprintf("%s must not have more than %d elements", name, limit))
	}
	out, seen := make([]string, 0, len(list)), make(map[string]bool, len(list))
	for _, one := range list {
		s, err := members{name: one}.text(name, 255)
		if err != nil {
			return nil, err
		}
		if seen[s] {
			return nil, malformed(name + " must not name anything twice")
		}
		seen[s] = true
		out = append(out, s)
	}
	return out, nil
}

// object returns an object; nil if it is missing.
func (d members) object(name string) (members, error) {
	raw, ok := d[name]
	if !ok {
		return nil, nil
	}
	out, err := parseDocument(raw)
	if err != nil {
		return nil, malformed(name + " must be an object with each member once")
	}
	return out, nil
}
