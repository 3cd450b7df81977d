package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxDepth bounds how deep a document nests.
const maxDepth = 32

// Decode reads one JSON document: objects as map[string]any, lists as []any, numbers as json.Number. It refuses what has two meanings:
// invalid UTF-8, a member that stands twice, anything behind the document. Its error is for whoever sent it.
func Decode(b []byte) (any, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	v, err := decode(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON document")
	}
	return v, nil
}

func decode(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("the body nests deeper than %d levels", maxDepth)
	}
	token, err := d.Token()
	if err != nil {
		return nil, errors.New("the body is not a JSON document")
	}
	switch token {
	case json.Delim('{'):
		return decodeObject(d, depth)
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := decode(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, end(d)
	}
	return token, nil
}

func decodeObject(d *json.Decoder, depth int) (any, error) {
	out := make(map[string]any)
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errors.New("the body is not a JSON document")
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("the member %q stands twice in one object", name)
		}
		if out[name], err = decode(d, depth+1); err != nil {
			return nil, err
		}
	}
	return out, end(d)
}

func end(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return errors.New("the body is not a JSON document")
	}
	return nil
}
