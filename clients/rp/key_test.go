package rp_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

func TestKeyIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	var wg sync.WaitGroup
	published := make([][]byte, 8)
	for i := range published {
		wg.Go(func() {
			k, err := rp.OpenKey(path)
			if err != nil {
				t.Error(err)
				return
			}
			published[i] = k.JWKS()
		})
	}
	wg.Wait()
	for _, p := range published {
		if p == nil || !bytes.Equal(p, published[0]) {
			t.Fatal("two programs that start at once use two keys")
		}
	}
	if strings.Contains(string(published[0]), `"d"`) {
		t.Error("the private half is published")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files left, %v", len(left), err)
	}
}

func TestKeyRefusals(t *testing.T) {
	good := filepath.Join(t.TempDir(), "key.pem")
	if _, err := rp.OpenKey(good); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		content []byte
		mode    os.FileMode
	}{
		"readable by others": {content, 0o644},
		"empty":              {nil, 0o600},
		"not PEM":            {[]byte("key"), 0o600},
		"two keys":           {append(append([]byte{}, content...), content...), 0o600},
		"cut off":            {content[:len(content)/2], 0o600},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key.pem")
			if err := os.WriteFile(path, tt.content, tt.mode); err != nil {
				t.Fatal(err)
			}
			if _, err := rp.OpenKey(path); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	const text = "hunter2"
	s := rp.NewSecret(text)
	holder := struct{ inner rp.Secret }{s}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s, "holder", holder)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "s", s, "holder", holder)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb+verb, s, holder)
	}
	if strings.Contains(log.String(), text) || strings.Contains(log.String(), fmt.Sprintf("%x", text)) {
		t.Error(log.String())
	}
	if s.Reveal() != text || s.IsZero() || !rp.NewSecret("").IsZero() || rp.NewSecret("").Reveal() != "" {
		t.Error("Reveal or IsZero")
	}
}
