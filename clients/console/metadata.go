package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"strings"
)

// metadata is a client's metadata by member. What the console does not know it leaves as it is.
type metadata map[string]json.RawMessage

var errNotObject = errors.New("console: not one JSON object")

// parseMetadata reads a document; nothing is an empty one.
func parseMetadata(raw json.RawMessage) (metadata, error) {
	m := metadata{}
	if len(raw) == 0 {
		return m, nil
	}
	if err := json.Unmarshal(raw, &m); err != nil || m == nil {
		return nil, errNotObject
	}
	return m, nil
}

// repeats reports whether a member stands twice in an object. Only one of the two would be kept.
func repeats(object string) bool {
	d := json.NewDecoder(strings.NewReader(object))
	if _, err := d.Token(); err != nil {
		return false
	}
	for seen := map[string]bool{}; d.More(); {
		name, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return false
		}
		key, _ := name.(string)
		if seen[key] {
			return true
		}
		seen[key] = true
	}
	return false
}

// text is a member that is a string; another kind of value reads as "".
func (m metadata) text(name string) string {
	var s string
	if json.Unmarshal(m[name], &s) != nil {
		return ""
	}
	return s
}

func (m metadata) list(name string) []string {
	var l []string
	if json.Unmarshal(m[name], &l) != nil {
		return nil
	}
	return l
}

func (m metadata) flag(name string) bool {
	var b bool
	return json.Unmarshal(m[name], &b) == nil && b
}

// number is a member that is a whole number, as it stands there.
func (m metadata) number(name string) string {
	var n json.Number
	if json.Unmarshal(m[name], &n) != nil {
		return ""
	}
	return n.String()
}

// scopes are the words of the member scope.
func (m metadata) scopes() []string { return strings.Fields(m.text("scope")) }

// purposes are why the service asks, by scope.
func (m metadata) purposes() map[string]string {
	var o map[string]string
	if json.Unmarshal(m["purposes"], &o) != nil || o == nil {
		return map[string]string{}
	}
	return o
}

// set writes a member; a zero value takes it out.
func (m metadata) set(name string, value any) {
	switch v := value.(type) {
	case string:
		if v == "" {
			delete(m, name)
			return
		}
	case []string:
		if len(v) == 0 {
			delete(m, name)
			return
		}
	case bool:
		if !v {
			delete(m, name)
			return
		}
	case map[string]string:
		if len(v) == 0 {
			delete(m, name)
			return
		}
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(value) == nil { // strings, numbers and lists of them always encode
		m[name] = bytes.TrimSpace(out.Bytes())
	}
}

// raw is the document.
func (m metadata) raw() json.RawMessage {
	b, err := json.Marshal(m)
	if err != nil { // every value came out of a document, or out of set
		return json.RawMessage("{}")
	}
	return b
}

// clone is a copy that can be changed.
func (m metadata) clone() metadata { return maps.Clone(m) }

// shown is the value of a member for people: a string as it is, a list line by line, the rest as JSON.
func shown(raw json.RawMessage) []string {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return []string{s}
	}
	var l []string
	if json.Unmarshal(raw, &l) == nil {
		return l
	}
	return strings.Split(pretty(raw), "\n")
}

// pretty is JSON with a line for each value.
func pretty(raw json.RawMessage) string {
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return string(raw)
	}
	return out.String()
}

// indexed splits the name of a faulty field: redirect_uris[1] is the second line of redirect_uris.
func indexed(field string) (member string, line int) {
	name, rest, ok := strings.Cut(field, "[")
	if !ok {
		return field, 0
	}
	digits, _, ok := strings.Cut(rest, "]")
	if !ok || digits == "" || len(digits) > 6 {
		return name, 0
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return name, 0
		}
		line = line*10 + int(c-'0')
	}
	return name, line + 1
}
