package etax

import (
	"testing"
	"time"
)

// FuzzSignature: whatever comes, it is refused in words, and nothing that nobody signed is believed.
func FuzzSignature(f *testing.F) {
	s := newSigners(f)
	rules, err := newSignatureRules(s.pem, "https://hub.example", "etax", "https://etax.example")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "..", "a.b.c", "e30.e30.", "eyJhbGciOiJub25lIn0.e30."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, compact string) {
		now := time.Unix(1_800_000_000, 0)
		if _, err := rules.check(compact, []byte("document"), now, now); err == nil {
			t.Error("believed")
		}
	})
}

// FuzzYen: what is read is written again as the same amount.
func FuzzYen(f *testing.F) {
	for _, seed := range []string{"0", "1,234", "１２３円", "-1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		y, ok := ParseYen(s)
		if again, good := ParseYen(y.String()); ok && (!good || again != y || y < 0) {
			t.Errorf("%q: %d, then %d", s, y, again)
		}
	})
}
