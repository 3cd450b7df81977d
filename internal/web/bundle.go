package web

import (
	"crypto/sha256"
	"fmt"
	"html/template"
	"io/fs"
	"sync"
)

// bundle is what a site says: its words and pages, judged and ready to render. It never changes.
type bundle struct {
	texts catalogue
	pages map[string]map[string]*template.Template // language → page name
}

// bundles are those that this process has made, by the digest of their files. Parsing is most of what it takes to open a site, and a
// process opens the few there are again and again when it tests them.
var bundles sync.Map

func bundleOf(messages, pages fs.FS) (*bundle, error) {
	key, err := digestOf(messages, pages)
	if err != nil {
		return nil, err
	}
	known, _ := bundles.Load(key)
	if b, ok := known.(*bundle); ok {
		return b, nil
	}
	b := new(bundle)
	if b.texts, err = loadCatalogue(messages); err != nil {
		return nil, fmt.Errorf("messages: %w", err)
	}
	if b.pages, err = b.parsePages(pages); err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	bundles.Store(key, b)
	return b, nil
}

// digestOf covers what loadCatalogue and parsePages read.
func digestOf(messages, pages fs.FS) (key [sha256.Size]byte, err error) {
	h := sha256.New()
	add := func(files fs.FS, path string) error {
		b, err := fs.ReadFile(files, path)
		_, _ = fmt.Fprintf(h, "%q %d\n", path, len(b)) // a hash takes everything
		_, _ = h.Write(b)
		return err
	}
	for _, l := range Languages() {
		if err := add(messages, l.Code+".json"); err != nil {
			return key, fmt.Errorf("messages: %w", err)
		}
	}
	err = fs.WalkDir(pages, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return add(pages, path)
	})
	if err != nil {
		return key, fmt.Errorf("pages: %w", err)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
