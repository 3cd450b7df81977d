package keys

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const word = "correct-horse-battery"

// holder has a Secret where fmt cannot call its methods.
type holder struct {
	Public  Secret
	private Secret
	pointer *Secret
	list    []Secret
	named   map[string]Secret
}

func TestSecretNeverPrints(t *testing.T) {
	s := NewSecret([]byte(word))
	h := holder{Public: s, private: s, pointer: &s, list: []Secret{s}, named: map[string]Secret{"a": s}}
	var out strings.Builder
	for _, v := range []any{s, &s, h, &h, []Secret{s}, fmt.Errorf("wrapped: %w", fmt.Errorf("%v", s))} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%c", "%U", "%p", "%t", "%e"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	for _, v := range []any{s, &s, h, map[string]any{"k": s}} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("m", "secret", s, "pointer", &s, "holder", h, "any", any(s), slog.Group("g", "s", s))
	}
	text := out.String()
	for _, leak := range []string{
		word, fmt.Sprintf("%x", word), fmt.Sprintf("%X", word), strings.Trim(fmt.Sprint([]byte(word)), "[]"), "Y29ycmVjdC1ob3Jz",
	} {
		if strings.Contains(text, leak) {
			t.Errorf("printed %q", leak)
		}
	}
	if !strings.Contains(text, redacted) {
		t.Error("the fixed word is nowhere: the test looks at nothing")
	}
}

func TestSecretEqual(t *testing.T) {
	a := NewSecret([]byte(word))
	for _, c := range []struct {
		name string
		x, y Secret
		want bool
	}{
		{"same bytes", a, NewSecret([]byte(word)), true},
		{"other bytes", a, NewSecret([]byte("correct-horse-batterz")), false},
		{"prefix", a, NewSecret([]byte("correct")), false},
		{"zero values", Secret{}, Secret{}, false},
		{"empty ones", NewSecret(nil), NewSecret([]byte{}), false},
		{"empty and full", Secret{}, a, false},
	} {
		if c.x.Equal(c.y) != c.want || c.y.Equal(c.x) != c.want {
			t.Errorf("%s: not %v", c.name, c.want)
		}
	}
}

func TestSecretKeepsItsBytes(t *testing.T) {
	b := []byte(word)
	s := NewSecret(b)
	b[0] = 'X'
	s.Reveal()[1] = 'X'
	if got := s.Reveal(); !bytes.Equal(got, []byte(word)) {
		t.Errorf("changed from outside: %q", got)
	}
	if (Secret{}).Reveal() != nil || !(Secret{}).Empty() || s.Empty() {
		t.Error("the zero Secret is not the only empty one")
	}
}

func TestRandomSecret(t *testing.T) {
	a, b := RandomSecret(), RandomSecret()
	if len(a.Reveal()) != 43 || a.Equal(b) {
		t.Error("not 43 fresh letters")
	}
}
