package web

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"strings"
)

// parsePages makes one template per language and page, so that "t" needs no language argument.
func (b *bundle) parsePages(own fs.FS) (map[string]map[string]*template.Template, error) {
	all := map[string]map[string]*template.Template{}
	for _, l := range Languages() {
		base, err := template.New("").Funcs(b.functions(l)).ParseFS(embedded, "templates/*.html")
		if err != nil {
			return nil, err
		}
		pages, err := b.parseLanguage(l, base, own)
		if err != nil {
			return nil, err
		}
		all[l.Code] = pages
	}
	return all, nil
}

func (b *bundle) parseLanguage(l Language, base *template.Template, files fs.FS) (map[string]*template.Template, error) {
	pages := map[string]*template.Template{}
	// Every file is judged once, alone: pages share most of their templates.
	check := func(files fs.FS, names ...string) error {
		t, err := template.New("").Funcs(b.functions(l)).ParseFS(files, names...)
		if err != nil {
			return err
		}
		return b.checkTemplates(t)
	}
	if err := check(embedded, "templates/*.html"); err != nil {
		return nil, err
	}
	add := func(from *template.Template, files fs.FS, file string) error {
		t, err := from.Clone()
		if err != nil {
			return err
		}
		if t, err = t.ParseFS(files, file); err != nil {
			return err
		}
		if t.Lookup("main") == nil {
			return fmt.Errorf(`%s defines no "main"`, file)
		}
		name := strings.TrimSuffix(file[strings.LastIndex(file, "/")+1:], ".html")
		pages[name] = t
		if err := check(files, file); err != nil {
			return err
		}
		return escapes(t)
	}
	common, err := fs.Glob(embedded, "templates/pages/*.html")
	if err != nil {
		return nil, err
	}
	for _, file := range common {
		if err := add(base, embedded, file); err != nil {
			return nil, err
		}
	}
	shared, err := base.Clone()
	if err != nil {
		return nil, err
	}
	if parts, err := fs.Glob(files, "parts/*.html"); err != nil {
		return nil, err
	} else if len(parts) > 0 {
		if shared, err = shared.ParseFS(files, parts...); err != nil {
			return nil, err
		}
		if err := check(files, parts...); err != nil {
			return nil, err
		}
	}
	own, err := fs.Glob(files, "*.html")
	if err != nil {
		return nil, err
	}
	if len(own) == 0 {
		return nil, errors.New("no *.html at the root of Pages")
	}
	for _, file := range own {
		if err := add(shared, files, file); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// escapes makes html/template do now what it would do at the first render: find every template that is called, and how
// to escape at each place. The run itself has no data and may stop anywhere.
func escapes(t *template.Template) error {
	err := t.ExecuteTemplate(io.Discard, "layout", view{})
	if _, ok := errors.AsType[*template.Error](err); ok {
		return err
	}
	return nil
}

func (b *bundle) functions(l Language) template.FuncMap {
	funcs := template.FuncMap{
		"t": func(key any, args ...any) (string, error) {
			words := make([]string, len(args))
			for i, a := range args {
				words[i] = fmt.Sprint(a)
			}
			return b.texts.text(l.Code, fmt.Sprint(key), words...)
		},
		"message": func(key string, args []string) (string, error) {
			return b.texts.text(l.Code, key, args...)
		},
		"has":      func(key string) bool { _, ok := b.texts[l.Code][key]; return ok },
		"asset":    asset,
		"date":     l.date,
		"datetime": l.datetime,
		"clock":    clock,
		"list":     func(items ...any) []any { return items },
		"lines":    func(text string) []string { return strings.Split(text, "\n") },
		"add":      func(a, b int) int { return a + b },
	}
	for name, t := range constructors() {
		funcs[name] = constructor(t)
	}
	return funcs
}
