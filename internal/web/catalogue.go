package web

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// catalogue holds language → key → text.
type catalogue map[string]map[string]string

var placeholder = regexp.MustCompile(`\{([a-z_]+)\}`)

// loadCatalogue lays a site's messages over the common ones and compares the languages.
func loadCatalogue(site fs.FS) (catalogue, error) {
	all := catalogue{}
	for _, l := range Languages() {
		common, err := readMessages(embedded, "messages/"+l.Code+".json")
		if err != nil {
			return nil, err
		}
		own, err := readMessages(site, l.Code+".json")
		if err != nil {
			return nil, err
		}
		maps.Copy(common, own)
		all[l.Code] = common
	}
	return all, all.compare()
}

func readMessages(files fs.FS, name string) (map[string]string, error) {
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	if err := json.Unmarshal(b, &texts); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for key, text := range texts {
		if strings.TrimSpace(text) == "" {
			return nil, fmt.Errorf("%s: %s is empty", name, key)
		}
	}
	return texts, nil
}

// compare demands the same keys, and the same placeholders per key, in every language.
func (c catalogue) compare() error {
	first := Languages()[0].Code
	for _, l := range Languages()[1:] {
		for key := range c[l.Code] {
			if _, ok := c[first][key]; !ok {
				return fmt.Errorf("%s has %q, %s has not", l.Code, key, first)
			}
		}
		for key, text := range c[first] {
			other, ok := c[l.Code][key]
			if !ok {
				return fmt.Errorf("%s has %q, %s has not", first, key, l.Code)
			}
			if a, b := placeholders(text), placeholders(other); !slices.Equal(a, b) {
				return fmt.Errorf("%q: placeholders %v in %s, %v in %s", key, a, first, b, l.Code)
			}
		}
	}
	return nil
}

// placeholders returns the distinct names in a text, sorted.
func placeholders(text string) []string {
	var names []string
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// text fills args (name, value, …) into the message. Names the message does not have are allowed, because titles
// and texts of one page share their arguments; a placeholder left without a value is an error.
func (c catalogue) text(lang, key string, args ...string) (string, error) {
	text, ok := c[lang][key]
	if !ok {
		return "", fmt.Errorf("no message %q", key)
	}
	if len(args)%2 != 0 {
		return "", fmt.Errorf("message %q: %d arguments, want pairs of name and value", key, len(args))
	}
	var missing string
	filled := placeholder.ReplaceAllStringFunc(text, func(m string) string {
		for i := 0; i < len(args); i += 2 {
			if args[i] == m[1:len(m)-1] {
				return args[i+1]
			}
		}
		missing = m
		return m
	})
	if missing != "" {
		return "", fmt.Errorf("message %q: no value for %s", key, missing)
	}
	return filled, nil
}

// checkUse compares a use found in a template, with literal argument names, with the message.
func (c catalogue) checkUse(key string, names []string) error {
	text, ok := c[Languages()[0].Code][key]
	if !ok {
		return fmt.Errorf("no message %q", key)
	}
	slices.Sort(names)
	if want := placeholders(text); !slices.Equal(want, slices.Compact(names)) {
		return fmt.Errorf("message %q: placeholders %v, given %v", key, want, names)
	}
	return nil
}
