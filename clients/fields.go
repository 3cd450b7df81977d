package clients

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
)

// field reads and writes one member of the JSON form of Metadata.
type field struct {
	name string
	kind string // what the value has to be, for people
	read func(m *Metadata, raw json.RawMessage) error
	// write returns nil for a member that is left out.
	write func(m *Metadata) any
}

// member is a field whose JSON is that of a Go value.
func member[T any](name, kind string, at func(m *Metadata) *T) field {
	return field{
		name: name, kind: kind,
		read: func(m *Metadata, raw json.RawMessage) error { return json.Unmarshal(raw, at(m)) },
		write: func(m *Metadata) any {
			if v := at(m); !reflect.ValueOf(v).Elem().IsZero() {
				return v
			}
			return nil
		},
	}
}

const (
	aString  = "a string"
	aList    = "a list of strings"
	aBoolean = "true or false"
)

// ParseMetadata reads and checks a metadata document. All faults are reported
// together, as *FieldErrors. A member that this package does not know is a fault:
// in a file written by an operator it is a slip of the pen.
func ParseMetadata(b []byte) (Metadata, error) {
	o, err := decodeDocument(b)
	if err != nil {
		return Metadata{}, err
	}
	return parseMembers(o)
}

// parseMembers reads, completes and checks.
func parseMembers(o object) (Metadata, error) {
	m, err := readMembers(o)
	if err != nil {
		return Metadata{}, err // what could not be read cannot be checked
	}
	m = m.withDefaults()
	if err := m.check(); err != nil {
		return Metadata{}, err
	}
	return m, nil
}

func readMembers(o object) (Metadata, error) {
	var m Metadata
	var faults FieldErrors
	for _, f := range fields() {
		raw := o.take(f.name)
		if raw == nil {
			continue
		}
		if string(raw) == "null" || f.read(&m, raw) != nil {
			faults.add(f.name, "is not "+f.kind, "write "+f.kind)
		}
	}
	for _, name := range o.names {
		if _, unread := o.values[name]; unread {
			faults.add(printable(name), "is not a member of client metadata", "check the spelling, or leave it out")
		}
	}
	if err := faults.orNil(); err != nil {
		return Metadata{}, err
	}
	return m, nil
}

// printable shortens a name that a stranger chose, for showing it back.
func printable(name string) string {
	out := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '?'
		}
		return r
	}, name)
	return out[:min(len(out), 60)]
}

// MarshalJSON writes the document that ParseMetadata reads back as the same
// Metadata.
func (m Metadata) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for _, f := range fields() {
		value := f.write(&m)
		if value == nil {
			continue
		}
		b, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		out.WriteString(`"` + f.name + `":`)
		out.Write(b)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func readScope(m *Metadata, raw json.RawMessage) error {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	m.Scopes = strings.Split(s, " ") // RFC 6749 §3.3: one space between two
	return nil
}

func writeScope(m *Metadata) any {
	if m.Scopes == nil {
		return nil
	}
	return strings.Join(m.Scopes, " ")
}

func readJWKS(m *Metadata, raw json.RawMessage) error {
	if raw[0] != '{' {
		return errNotObject
	}
	normal, err := canonical(raw, maxDepth)
	m.JWKS = normal
	return err
}

func writeJWKS(m *Metadata) any {
	if m.JWKS == nil {
		return nil
	}
	return m.JWKS
}

func readPurposes(m *Metadata, raw json.RawMessage) error {
	o, err := decodeObject(raw)
	if err != nil {
		return err
	}
	if len(o.names) == 0 {
		return nil
	}
	m.Purposes = make(map[string]Text)
	for _, name := range o.names {
		var s string
		if err := json.Unmarshal(o.values[name], &s); err != nil {
			return err
		}
		scope, english := strings.CutSuffix(name, "#en")
		t := m.Purposes[scope]
		if english {
			t.EN = s
		} else {
			t.JA = s
		}
		m.Purposes[scope] = t
	}
	return nil
}

func writePurposes(m *Metadata) any {
	if len(m.Purposes) == 0 {
		return nil
	}
	out := make(map[string]string)
	for scope, t := range m.Purposes {
		if t.JA != "" {
			out[scope] = t.JA
		}
		if t.EN != "" {
			out[scope+"#en"] = t.EN
		}
	}
	return out
}
