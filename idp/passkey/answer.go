package passkey

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// Bounds of what a browser posts. The largest honest answer is a registration with an RSA key and a long credential id.
const (
	MaxAnswer = 8 << 10
	maxDepth  = 6
)

// checkAnswer refuses what is too long, and what two readers might read as two things: it is one JSON object in which no member comes
// twice, at any depth and in any spelling of capitals, which the library does not tell apart.
func checkAnswer(body []byte) error {
	if len(body) == 0 || len(body) > MaxAnswer || !utf8.Valid(body) || body[0] != '{' {
		return refuse(Malformed, "no JSON object, or too long")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := checkValue(dec, 0); err != nil {
		return &Error{Reason: Malformed, Detail: "JSON", Err: err}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return refuse(Malformed, "something after the JSON object")
	}
	return nil
}

var errTwice, errDeep = errors.New("member given twice, or oddly spelt"), errors.New("nested too deeply")

func checkValue(dec *json.Decoder, depth int) error {
	if depth > maxDepth {
		return errDeep
	}
	t, err := dec.Token()
	if err != nil {
		return err
	}
	open, nested := t.(json.Delim)
	if !nested {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		if open == '{' {
			t, err := dec.Token()
			if err != nil {
				return err
			}
			name, _ := t.(string)
			if name = strings.ToLower(name); seen[name] || strings.ContainsFunc(name, func(r rune) bool { return r > '~' }) {
				return errTwice // beyond ASCII there are letters that fold into others
			}
			seen[name] = true
		}
		if err := checkValue(dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}
