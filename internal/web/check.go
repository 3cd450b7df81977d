package web

import (
	"fmt"
	"html/template"
	"reflect"
	"text/template/parse"
)

// checkTemplates walks what was parsed and judges every call of "t" and of a component with literal words: does
// the message exist, are its placeholders the ones given, does the component have that field. Keys computed at run
// time are found by tests that render the page.
func (b *bundle) checkTemplates(t *template.Template) error {
	for _, one := range t.Templates() {
		if one.Tree == nil || one.Tree.Root == nil {
			continue
		}
		if err := b.checkNode(reflect.ValueOf(one.Tree.Root)); err != nil {
			return fmt.Errorf("%s: %w", one.Name(), err)
		}
	}
	return nil
}

// checkNode visits a parse tree through reflection: the node types have no common list of children, and a type
// switch over all of them would silently miss the next one.
func (b *bundle) checkNode(v reflect.Value) error {
	kind := v.Kind()
	if kind == reflect.Interface || kind == reflect.Pointer {
		if v.IsNil() || v.Type() == reflect.TypeFor[*parse.Tree]() { // nodes point back to their tree
			return nil
		}
		if command, ok := v.Interface().(*parse.CommandNode); ok && kind == reflect.Pointer {
			if err := b.checkCall(command.Args); err != nil {
				return err
			}
		}
		return b.checkNode(v.Elem())
	}
	if kind == reflect.Struct {
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				continue
			}
			if err := b.checkNode(v.Field(i)); err != nil {
				return err
			}
		}
	}
	if kind == reflect.Slice {
		for i := range v.Len() {
			if err := b.checkNode(v.Index(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bundle) checkCall(args []parse.Node) error {
	function, ok := args[0].(*parse.IdentifierNode)
	if !ok {
		return nil
	}
	if function.Ident == "t" && len(args) > 1 {
		key, ok := args[1].(*parse.StringNode)
		if !ok {
			return nil
		}
		names, err := argumentNames(args[2:])
		if err != nil {
			return fmt.Errorf("t %q: %w", key.Text, err)
		}
		return b.texts.checkUse(key.Text, names)
	}
	component, ok := constructors()[function.Ident]
	if !ok {
		return nil
	}
	names, err := argumentNames(args[1:])
	if err != nil {
		return fmt.Errorf("%s: %w", function.Ident, err)
	}
	for _, name := range names {
		if _, ok := fieldNamed(component, name); !ok {
			return fmt.Errorf("%s has no %q", function.Ident, name)
		}
	}
	return nil
}

// argumentNames takes the first of each pair; names have to be literal.
func argumentNames(args []parse.Node) ([]string, error) {
	if len(args)%2 != 0 {
		return nil, fmt.Errorf("%d arguments, want pairs of name and value", len(args))
	}
	var names []string
	for i := 0; i < len(args); i += 2 {
		name, ok := args[i].(*parse.StringNode)
		if !ok {
			return nil, fmt.Errorf("argument %d is no literal name", i)
		}
		names = append(names, name.Text)
	}
	return names, nil
}
