package web

import (
	"fmt"
	"reflect"
	"strings"
)

// constructors are the template functions that make component data. Their argument names are checked by NewSite.
func constructors() map[string]reflect.Type {
	return map[string]reflect.Type{
		"button": reflect.TypeFor[Button](), "banner": reflect.TypeFor[Banner](),
		"errorSummary": reflect.TypeFor[ErrorSummary](), "fieldError": reflect.TypeFor[FieldError](),
		"field": reflect.TypeFor[Field](), "area": reflect.TypeFor[Area](), "select": reflect.TypeFor[Select](), "option": reflect.TypeFor[Option](),
		"steps": reflect.TypeFor[Steps](), "step": reflect.TypeFor[Step](), "statusLine": reflect.TypeFor[StatusLine](),
		"descriptionList": reflect.TypeFor[DescriptionList](), "description": reflect.TypeFor[Description](),
		"table": reflect.TypeFor[Table](), "tile": reflect.TypeFor[Tile](), "hidden": reflect.TypeFor[Hidden](),
		"chip": reflect.TypeFor[Chip](), "explain": reflect.TypeFor[Explain](),
		"confirm": reflect.TypeFor[Confirm](), "empty": reflect.TypeFor[Empty](),
	}
}

func constructor(t reflect.Type) func(pairs ...any) (any, error) {
	return func(pairs ...any) (any, error) {
		if len(pairs)%2 != 0 {
			return nil, fmt.Errorf("%s: %d arguments, want pairs of name and value", t.Name(), len(pairs))
		}
		out := reflect.New(t).Elem()
		for i := 0; i < len(pairs); i += 2 {
			name, _ := pairs[i].(string)
			field, ok := fieldNamed(t, name)
			if !ok {
				return nil, fmt.Errorf("%s has no %q", t.Name(), name)
			}
			if err := assign(out.FieldByIndex(field.Index), reflect.ValueOf(pairs[i+1])); err != nil {
				return nil, fmt.Errorf("%s %s: %w", t.Name(), name, err)
			}
		}
		return out.Interface(), nil
	}
}

// fieldNamed finds the field that a template calls by a name of its own case: "id", "hookValue".
func fieldNamed(t reflect.Type, name string) (reflect.StructField, bool) {
	return t.FieldByNameFunc(func(f string) bool { return strings.EqualFold(f, name) })
}

// assign sets a field to a value of its type, of a named type over the same kind (an identifier for a string), or
// to a list whose elements are such.
func assign(to, from reflect.Value) error {
	if from.IsValid() && from.Kind() == reflect.Interface {
		from = from.Elem()
	}
	switch {
	case !from.IsValid():
		return fmt.Errorf("no value for %s", to.Type())
	case from.Type().AssignableTo(to.Type()):
		to.Set(from)
	case to.Kind() == from.Kind() && to.Kind() != reflect.Slice && from.Type().ConvertibleTo(to.Type()):
		to.Set(from.Convert(to.Type()))
	case to.Kind() == reflect.Slice && from.Kind() == reflect.Slice:
		list := reflect.MakeSlice(to.Type(), from.Len(), from.Len())
		for i := range from.Len() {
			if err := assign(list.Index(i), from.Index(i)); err != nil {
				return err
			}
		}
		to.Set(list)
	default:
		return fmt.Errorf("%s in place of %s", from.Type(), to.Type())
	}
	return nil
}
