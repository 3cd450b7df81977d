package rp

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"strings"
	"time"
)

//go:embed messages/*.json
var words embed.FS

// Messages lays a site's message files over the words this package has for what can go wrong, for web.SiteConfig.
func Messages(own fs.FS) (fs.FS, error) { return MessagesNamed(own, nil) }

// MessagesNamed is Messages for a site whose name is not known before it is configured: names has site.name by language code.
func MessagesNamed(own fs.FS, names map[string]string) (fs.FS, error) {
	files, err := fs.ReadDir(words, "messages")
	if err != nil {
		return nil, err
	}
	merged := memory{}
	for _, f := range files {
		all := map[string]string{}
		for _, from := range []struct {
			files fs.FS
			name  string
		}{{words, path.Join("messages", f.Name())}, {own, f.Name()}} {
			b, err := fs.ReadFile(from.files, from.name)
			if err != nil {
				return nil, err
			}
			texts := map[string]string{}
			if err := json.Unmarshal(b, &texts); err != nil {
				return nil, fmt.Errorf("%s: %w", from.name, err)
			}
			maps.Copy(all, texts)
		}
		if name := names[strings.TrimSuffix(f.Name(), ".json")]; name != "" {
			all["site.name"] = name
		}
		if merged[f.Name()], err = json.Marshal(all); err != nil {
			return nil, err
		}
	}
	return merged, nil
}

// Words is a file system of message files, LANGUAGE.json each, for a site that keeps its words elsewhere than in such files.
func Words(byLanguage map[string]map[string]string) (fs.FS, error) {
	files := memory{}
	for lang, texts := range byLanguage {
		b, err := json.Marshal(texts)
		if err != nil {
			return nil, err
		}
		files[lang+".json"] = b
	}
	return files, nil
}

// memory is a file system of a few files without folders.
type memory map[string][]byte

// Open implements fs.FS.
func (m memory) Open(name string) (fs.File, error) {
	b, ok := m[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memoryFile{name: name, size: int64(len(b)), Reader: bytes.NewReader(b)}, nil
}

type memoryFile struct {
	*bytes.Reader
	name string
	size int64
}

func (f *memoryFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f *memoryFile) Close() error               { return nil }
func (f *memoryFile) Name() string               { return f.name }
func (f *memoryFile) Size() int64                { return f.size }
func (f *memoryFile) Mode() fs.FileMode          { return 0o444 }
func (f *memoryFile) ModTime() time.Time         { return time.Time{} }
func (f *memoryFile) IsDir() bool                { return false }
func (f *memoryFile) Sys() any                   { return nil }
