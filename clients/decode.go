package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// MaxMetadata is the largest metadata document that is looked at, in bytes.
const MaxMetadata = 64 << 10

// object is a JSON object whose members were read one by one: in order, once
// each, their values not yet looked at.
type object struct {
	names  []string
	values map[string]json.RawMessage
}

var errNotObject = errors.New("not one JSON object in UTF-8")

// decodeObject reads exactly one JSON object. A member that appears twice is an
// error: readers differ in which of the two they believe.
func decodeObject(b []byte) (object, error) {
	if !utf8.Valid(b) {
		return object{}, errNotObject
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return object{}, errNotObject
	}
	out := object{values: make(map[string]json.RawMessage)}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return object{}, errNotObject
		}
		name, ok := t.(string)
		if !ok {
			return object{}, errNotObject
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return object{}, errNotObject
		}
		if _, twice := out.values[name]; twice {
			return object{}, fmt.Errorf("member %.40q appears twice", name)
		}
		out.names = append(out.names, name)
		out.values[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return object{}, errNotObject
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return object{}, errNotObject
	}
	return out, nil
}

// take removes a member and returns its value, or nil.
func (o *object) take(name string) json.RawMessage {
	value := o.values[name]
	delete(o.values, name)
	return value
}

// decodeDocument reads a metadata document that somebody wrote. The error is *FieldErrors.
func decodeDocument(b []byte) (object, error) {
	if len(b) > MaxMetadata {
		return object{}, faultOf("(document)", "is larger than 64 KiB", "shorten it")
	}
	o, err := decodeObject(b)
	if err != nil {
		return object{}, faultOf("(document)", err.Error(), "write one JSON object with each member once")
	}
	return o, nil
}

// maxDepth is how deep lists and objects within a member may be.
const maxDepth = 8

// canonical writes a JSON value in one way: no space, members in the order of their names, each once.
func canonical(raw json.RawMessage, depth int) (json.RawMessage, error) {
	if depth == 0 {
		return nil, errNotObject
	}
	switch raw[0] {
	case '{':
		o, err := decodeObject(raw)
		if err != nil {
			return nil, err
		}
		for _, name := range o.names {
			if o.values[name], err = canonical(o.values[name], depth-1); err != nil {
				return nil, err
			}
		}
		return json.Marshal(o.values) // sorts the names
	case '[':
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
		for i := range list {
			var err error
			if list[i], err = canonical(list[i], depth-1); err != nil {
				return nil, err
			}
		}
		return json.Marshal(list)
	case '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, err
		}
		return json.Marshal(text)
	}
	return json.Marshal(raw)
}
