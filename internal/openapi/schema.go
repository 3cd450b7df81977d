package openapi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Schema is as much of JSON Schema 2020-12 as Go types need.
type Schema struct {
	Ref                  string             `json:"$ref,omitempty"`
	Type                 string             `json:"type,omitempty"`
	Description          string             `json:"description,omitempty"`
	Format               string             `json:"format,omitempty"`
	Enum                 []string           `json:"enum,omitempty"`
	Pattern              string             `json:"pattern,omitempty"`
	MinLength            *int64             `json:"minLength,omitempty"`
	MaxLength            *int64             `json:"maxLength,omitempty"`
	Minimum              *int64             `json:"minimum,omitempty"`
	Maximum              *int64             `json:"maximum,omitempty"`
	Items                *Schema            `json:"items,omitempty"`
	MinItems             *int64             `json:"minItems,omitempty"`
	MaxItems             *int64             `json:"maxItems,omitempty"`
	UniqueItems          bool               `json:"uniqueItems,omitempty"`
	Properties           map[string]*Schema `json:"properties,omitempty"`
	Required             []string           `json:"required,omitempty"`
	AdditionalProperties any                `json:"additionalProperties,omitempty"` // false, or *Schema
	ReadOnly             bool               `json:"readOnly,omitempty"`
	Examples             []any              `json:"examples,omitempty"`

	pattern *regexp.Regexp
}

var (
	rawType  = reflect.TypeFor[json.RawMessage]()
	timeType = reflect.TypeFor[time.Time]()
)

const componentPrefix = "#/components/schemas/"

// Schemas are the described types by name. Two types of one name are a mistake of ours and panic when the API is put together.
type Schemas struct {
	byName map[string]*Schema
	types  map[string]reflect.Type
}

// NewSchemas returns none.
func NewSchemas() *Schemas {
	return &Schemas{byName: make(map[string]*Schema), types: make(map[string]reflect.Type)}
}

// Of returns the schema of a type: of a struct a reference to it.
func (s *Schemas) Of(t reflect.Type) *Schema {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == rawType:
		return &Schema{}
	case t == timeType:
		return &Schema{Type: "string", Format: "date-time"}
	}
	switch t.Kind() { //nolint:exhaustive // the others cannot be described
	case reflect.String:
		return &Schema{Type: "string"}
	case reflect.Bool:
		return &Schema{Type: "boolean"}
	case reflect.Int, reflect.Int64:
		return &Schema{Type: "integer", Format: "int64"}
	case reflect.Slice:
		return &Schema{Type: "array", Items: s.Of(t.Elem())}
	case reflect.Map:
		return &Schema{Type: "object", AdditionalProperties: s.Of(t.Elem())}
	case reflect.Struct:
		return s.ofStruct(t)
	}
	panic(fmt.Sprintf("openapi: no schema for %s", t))
}

func (s *Schemas) ofStruct(t reflect.Type) *Schema {
	name := t.Name()
	ref := &Schema{Ref: componentPrefix + name}
	if known, ok := s.types[name]; ok {
		if known != t {
			panic(fmt.Sprintf("openapi: %s and %s have one name", known, t))
		}
		return ref
	}
	out := &Schema{Type: "object", Properties: make(map[string]*Schema), AdditionalProperties: false}
	s.types[name], s.byName[name] = t, out
	s.members(t, out)
	return ref
}

// members adds those of an embedded struct as its own, as encoding/json does.
func (s *Schemas) members(t reflect.Type, out *Schema) {
	for f := range t.Fields() {
		if f.Anonymous && f.Tag.Get("json") == "" {
			s.members(f.Type, out)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			panic(fmt.Sprintf("openapi: %s.%s has no json name", t, f.Name))
		}
		out.Properties[name] = s.OfField(f)
		if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
			out.Required = append(out.Required, name)
		}
	}
}

// OfField is the schema of a struct's field with what its tags say.
func (s *Schemas) OfField(f reflect.StructField) *Schema {
	out := s.Of(f.Type)
	text := out
	if out.Items != nil && out.Items.Ref == "" {
		text = out.Items
	}
	out.Description = f.Tag.Get("doc")
	out.ReadOnly = f.Tag.Get("readOnly") == "true"
	out.UniqueItems = f.Tag.Get("uniqueItems") == "true"
	out.MinItems, out.MaxItems = number(f, "minItems"), number(f, "maxItems")
	text.MinLength, text.MaxLength = number(f, "minLength"), number(f, "maxLength")
	text.Minimum, text.Maximum = number(f, "minimum"), number(f, "maximum")
	if list := f.Tag.Get("enum"); list != "" {
		text.Enum = strings.Split(list, ",")
	}
	if p := f.Tag.Get("pattern"); p != "" {
		text.Pattern, text.pattern = p, regexp.MustCompile(p)
	}
	if word := f.Tag.Get("type"); word != "" {
		out.Type = word
	}
	if e := f.Tag.Get("example"); e != "" {
		out.Examples = []any{e}
	}
	return out
}

// Number returns what a tag of a field says; a field without it is a mistake of ours.
func Number(f reflect.StructField, tag string) int64 {
	n := number(f, tag)
	if n == nil {
		panic(fmt.Sprintf("openapi: %s has no %s", f.Name, tag))
	}
	return *n
}

func number(f reflect.StructField, tag string) *int64 {
	text := f.Tag.Get(tag)
	if text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("openapi: %s of %s is no number", tag, f.Name))
	}
	return &n
}

// resolve follows a reference.
func (s *Schemas) resolve(c *Schema) *Schema {
	if c.Ref == "" {
		return c
	}
	return s.byName[strings.TrimPrefix(c.Ref, componentPrefix)]
}
