package openapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Fault says what is wrong with one field, and what to do.
type Fault struct{ Field, Problem, Remedy string }

// maxFaults bounds what one document can make us say.
const maxFaults = 50

// Check returns what a decoded value has that its schema does not allow. field names the value; empty for a whole document.
func (s *Schemas) Check(c *Schema, field string, v any) []Fault {
	k := checker{schemas: s}
	k.check(c, field, v)
	return k.faults
}

type checker struct {
	schemas *Schemas
	faults  []Fault
}

func (k *checker) add(field, problem, remedy string) {
	if field == "" {
		field = "(body)"
	}
	if len(k.faults) < maxFaults {
		k.faults = append(k.faults, Fault{field, problem, remedy})
	}
}

func (k *checker) check(c *Schema, field string, v any) {
	c = k.schemas.resolve(c)
	if len(k.faults) == maxFaults {
		return
	}
	switch c.Type {
	case "":
	case "boolean":
		if _, ok := v.(bool); !ok {
			k.add(field, "is not true or false", "write true or false")
		}
	case "integer":
		k.integer(c, field, v)
	case "string":
		if text, ok := v.(string); ok {
			k.text(c, field, text)
		} else {
			k.add(field, "is not a text", "write a JSON string")
		}
	case "array":
		k.list(c, field, v)
	case "object":
		k.object(c, field, v)
	}
}

func (k *checker) integer(c *Schema, field string, v any) {
	number, _ := v.(json.Number)
	n, err := strconv.ParseInt(number.String(), 10, 64)
	switch {
	case err != nil:
		k.add(field, "is not a whole number", "write digits alone, at most 9223372036854775807")
	case c.Minimum != nil && n < *c.Minimum:
		k.add(field, fmt.Sprintf("is less than %d", *c.Minimum), fmt.Sprintf("write %d or more", *c.Minimum))
	case c.Maximum != nil && n > *c.Maximum:
		k.add(field, fmt.Sprintf("is more than %d", *c.Maximum), fmt.Sprintf("write %d or less", *c.Maximum))
	}
}

func (k *checker) text(c *Schema, field, text string) {
	length := int64(utf8.RuneCountInString(text))
	switch {
	case strings.ContainsFunc(text, forbidden):
		k.add(field, "contains control characters", "write plain text")
	case c.MinLength != nil && length < *c.MinLength:
		k.add(field, fmt.Sprintf("is shorter than %d characters", *c.MinLength), "write more")
	case c.MaxLength != nil && length > *c.MaxLength:
		k.add(field, fmt.Sprintf("is longer than %d characters", *c.MaxLength), "shorten it")
	case c.Enum != nil && !slices.Contains(c.Enum, text):
		k.add(field, "is not a value that is known here", "write one of "+strings.Join(c.Enum, ", "))
	case c.pattern != nil && !c.pattern.MatchString(text):
		k.add(field, "does not have the form that it needs", "write what matches "+c.Pattern)
	case c.Format == "date-time":
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			k.add(field, "is not a time", "write it as 2006-01-02T15:04:05Z")
		}
	}
}

// forbidden are the characters that no database keeps or no terminal should show. Lines and tabs are what people write.
func forbidden(r rune) bool { return unicode.Is(unicode.Cc, r) && r != '\n' && r != '\r' && r != '\t' }

func (k *checker) list(c *Schema, field string, v any) {
	list, ok := v.([]any)
	n := int64(len(list))
	switch {
	case !ok:
		k.add(field, "is not a list", "write a JSON array")
		return
	case c.MinItems != nil && n < *c.MinItems:
		k.add(field, fmt.Sprintf("has fewer than %d elements", *c.MinItems), "list more")
	case c.MaxItems != nil && n > *c.MaxItems:
		k.add(field, fmt.Sprintf("has more than %d elements", *c.MaxItems), fmt.Sprintf("list at most %d", *c.MaxItems))
		return
	}
	seen := make(map[string]bool)
	for i, e := range list {
		at := field + "[" + strconv.Itoa(i) + "]"
		k.check(c.Items, at, e)
		if text, ok := e.(string); ok && c.UniqueItems {
			if seen[text] {
				k.add(at, "is listed twice", "list it once")
			}
			seen[text] = true
		}
	}
}

func (k *checker) object(c *Schema, field string, v any) {
	members, ok := v.(map[string]any)
	if !ok {
		k.add(field, "is not an object", "write a JSON object")
		return
	}
	under := func(name string) string {
		if field == "" {
			return name
		}
		return field + "." + name
	}
	for _, name := range c.Required {
		if _, there := members[name]; !there && !c.Properties[name].ReadOnly {
			k.add(under(name), "is missing", "give it")
		}
	}
	each, _ := c.AdditionalProperties.(*Schema)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		switch p := c.Properties[name]; {
		case p != nil:
			k.check(p, under(name), members[name])
		case each != nil:
			k.check(each, under(name), members[name])
		case c.AdditionalProperties == false:
			k.add(under(Printable(name)), "is not known here", "leave it out")
		}
	}
}

// Printable keeps a stranger's name of a member short and harmless where it is repeated.
func Printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return '�'
		}
		return r
	}, name)
	if len(name) > 60 {
		end := 60
		for !utf8.RuneStart(name[end]) {
			end--
		}
		name = name[:end] + "…"
	}
	return name
}

// Plain says whether a text is valid UTF-8 without characters that Check refuses.
func Plain(text string) bool { return utf8.ValidString(text) && !strings.ContainsFunc(text, forbidden) }
