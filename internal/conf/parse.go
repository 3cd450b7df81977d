package conf

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep objects and arrays stand in one another.
const maxDepth = 32

// KeyError says what is wrong with the value of a key.
type KeyError struct {
	Key string // the path of the key, "clients[2].name"; empty for the file as a whole
	Err error
}

// Error implements error.
func (e *KeyError) Error() string {
	if e.Key == "" {
		return e.Err.Error()
	}
	return e.Key + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *KeyError) Unwrap() error { return e.Err }

// What can be wrong with a key, apart from its value.
var (
	ErrUnknown = errors.New("unknown key")
	ErrTwice   = errors.New("key stands twice")
	ErrNull    = errors.New("null is no value; leave the key out")
	ErrDeep    = errors.New("too deep")
)

// Parse decodes a JSON object into a pointer to a struct. Errors are *KeyError. On an error the struct may be partly filled.
func Parse(b []byte, into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return &KeyError{Err: fmt.Errorf("cannot decode into %T", into)}
	}
	if !utf8.Valid(b) {
		return &KeyError{Err: errors.New("not UTF-8")}
	}
	// The standard decoder judges the syntax, and says where it breaks.
	var whole json.RawMessage
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&whole); err != nil {
		return &KeyError{Err: syntaxError(b, err)}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &KeyError{Err: fmt.Errorf("line %d: more after the end", line(b, d.InputOffset()))}
	}
	return decode("", whole, v.Elem(), maxDepth)
}

// decode fills one value. It walks objects and arrays itself, to know the path and to be strict, and leaves what is below them
// to encoding/json.
func decode(key string, raw json.RawMessage, v reflect.Value, depth int) error {
	raw = bytes.TrimSpace(raw)
	switch {
	case depth == 0:
		return &KeyError{key, ErrDeep}
	case bytes.Equal(raw, []byte("null")):
		return &KeyError{key, ErrNull}
	case decodesItself(v):
		return decodeLeaf(key, raw, v)
	}
	switch v.Kind() { //nolint:exhaustive // everything else is a leaf
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return decode(key, raw, v.Elem(), depth)
	case reflect.Struct:
		return decodeStruct(key, raw, v, depth)
	case reflect.Map:
		return decodeMap(key, raw, v, depth)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 { // []byte is base64
			return decodeSlice(key, raw, v, depth)
		}
	case reflect.Interface, reflect.Array, reflect.Func, reflect.Chan:
		return &KeyError{key, fmt.Errorf("cannot decode into %s", v.Type())}
	}
	return decodeLeaf(key, raw, v)
}

// decodesItself reports whether the type has an opinion about its own JSON.
func decodesItself(v reflect.Value) bool {
	if v.Kind() == reflect.Pointer || !v.CanAddr() {
		return false
	}
	switch v.Addr().Interface().(type) {
	case json.Unmarshaler, encoding.TextUnmarshaler:
		return true
	}
	return false
}

func decodeLeaf(key string, raw json.RawMessage, v reflect.Value) error {
	err := json.Unmarshal(raw, v.Addr().Interface())
	if err == nil {
		return nil
	}
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		err = fmt.Errorf("%s where %s is expected", cut(mismatch.Value), mismatch.Type)
	} else if text := err.Error(); cut(text) != text { // it quotes the value
		err = errors.New(cut(text))
	}
	return &KeyError{key, err}
}

// cut shortens what is quoted from the file.
func cut(s string) string {
	const shown = 80
	if len(s) > shown {
		return strings.ToValidUTF8(s[:shown], "") + "..."
	}
	return s
}

func decodeStruct(key string, raw json.RawMessage, v reflect.Value, depth int) error {
	fields := make(map[string]reflect.Value, v.NumField())
	if err := collect(key, v, fields); err != nil {
		return err
	}
	return members(key, raw, func(name, path string, raw json.RawMessage) error {
		field, ok := fields[name]
		if !ok {
			return &KeyError{path, ErrUnknown}
		}
		return decode(path, raw, field, depth-1)
	})
}

// collect names the fields of a struct; those of an embedded struct are its own. Two of one name are a mistake of the program's.
func collect(key string, v reflect.Value, fields map[string]reflect.Value) error {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case !f.IsExported() || name == "-":
			continue
		case f.Anonymous && f.Type.Kind() != reflect.Struct:
			return &KeyError{key, fmt.Errorf("cannot decode into %s, which embeds %s", v.Type(), f.Type)}
		case f.Anonymous:
			if err := collect(key, v.Field(i), fields); err != nil {
				return err
			}
			continue
		case name == "":
			name = f.Name
		}
		if _, twice := fields[name]; twice {
			return &KeyError{key, fmt.Errorf("cannot decode into %s, which has %s twice", v.Type(), name)}
		}
		fields[name] = v.Field(i)
	}
	return nil
}

// decodeMap replaces the map.
func decodeMap(key string, raw json.RawMessage, v reflect.Value, depth int) error {
	if v.Type().Key().Kind() != reflect.String {
		return &KeyError{key, fmt.Errorf("cannot decode into %s", v.Type())}
	}
	m := reflect.MakeMap(v.Type())
	err := members(key, raw, func(name, path string, raw json.RawMessage) error {
		e := reflect.New(v.Type().Elem()).Elem()
		if err := decode(path, raw, e, depth-1); err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), e)
		return nil
	})
	if err == nil {
		v.Set(m)
	}
	return err
}

// decodeSlice replaces the slice.
func decodeSlice(key string, raw json.RawMessage, v reflect.Value, depth int) error {
	var elements []json.RawMessage
	if raw[0] != '[' {
		return &KeyError{key, errors.New("an array is expected")}
	}
	if err := json.Unmarshal(raw, &elements); err != nil {
		return &KeyError{key, err}
	}
	s := reflect.MakeSlice(v.Type(), len(elements), len(elements))
	for i, e := range elements {
		if err := decode(key+"["+strconv.Itoa(i)+"]", e, s.Index(i), depth-1); err != nil {
			return err
		}
	}
	v.Set(s)
	return nil
}

// members calls fn for every member of an object, in order, and refuses a name that stands twice.
func members(key string, raw json.RawMessage, fn func(name, path string, raw json.RawMessage) error) error {
	if raw[0] != '{' {
		return &KeyError{key, errors.New("an object is expected")}
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return &KeyError{key, err}
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return &KeyError{key, err}
		}
		name, _ := token.(string)
		path := join(key, name)
		if seen[name] {
			return &KeyError{path, ErrTwice}
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return &KeyError{path, err}
		}
		if err := fn(name, path, value); err != nil {
			return err
		}
	}
	return nil
}

// join appends a name to a path; one that could be misread is quoted.
func join(key, name string) string {
	name = cut(name)
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`.[]"`, r) || r > '~' }) {
		name = strconv.QuoteToASCII(name)
	}
	if key == "" {
		return name
	}
	return key + "." + name
}

// syntaxError adds the line to an error of the decoder.
func syntaxError(b []byte, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("line %d: %w", line(b, syntax.Offset), err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("ends in the middle")
	}
	return err
}

func line(b []byte, offset int64) int {
	return 1 + bytes.Count(b[:min(offset, int64(len(b)))], []byte("\n"))
}
