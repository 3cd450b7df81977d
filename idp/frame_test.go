package idp

import (
	"strings"
	"testing"
	"time"
)

// TestFrameLife: a picture works from the second it was drawn to the last of its life, and in no other.
func TestFrameLife(t *testing.T) {
	began := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	f := newFrame(strings.Repeat("p", 22), []byte("key"), 30)
	for after, want := range map[time.Duration]bool{29 * time.Second: false, 30 * time.Second: true, 45 * time.Second: true, 46 * time.Second: false} {
		if f.fresh(began, began.Add(after)) != want {
			t.Errorf("after %v: %v", after, !want)
		}
	}
}

// TestFrameIsBound: to its pairing, its count and the key, each of which alone makes another MAC; and no key makes none.
func TestFrameIsBound(t *testing.T) {
	one, two := strings.Repeat("p", 22), strings.Repeat("q", 22)
	f := newFrame(one, []byte("key"), 5)
	if !f.genuine([]byte("key")) || f.genuine([]byte("kez")) || f.genuine(nil) || newFrame(one, nil, 5).genuine(nil) {
		t.Error("the key does not decide")
	}
	for _, other := range []frame{{two, 5, f.mac}, {one, 6, f.mac}} {
		if other.genuine([]byte("key")) {
			t.Errorf("%s passes", other)
		}
	}
}

// TestPairingMoves: every pair of states; nothing leads back, or on from an end.
func TestPairingMoves(t *testing.T) {
	order := []pairingState{pairingShown, pairingScanned, pairingMatched, pairingSigned, pairingSpent, pairingEnded}
	allowed := 0
	for i, from := range order {
		for j, to := range order {
			pr := &pairing{State: from}
			if pr.move(to) != nil {
				continue
			}
			allowed++
			if to != pairingEnded && j != i+1 && !(from == pairingMatched && to == pairingMatched) {
				t.Errorf("%s to %s", from, to)
			}
		}
	}
	if allowed != 9 || len(pairingMoves) != len(order) {
		t.Errorf("%d moves among %d states; a new one needs a thought and a new number here", allowed, len(pairingMoves))
	}
}

// TestNumbers: two digits that a phone cannot guess better than one in ninety; what people type for them.
func TestNumbers(t *testing.T) {
	seen := map[string]int{}
	for range 9000 {
		n := newNumber()
		if parsed, ok := parseNumber(n); !ok || parsed != n || n < "10" {
			t.Fatalf("number %q", n)
		}
		seen[n]++
	}
	for n, times := range seen {
		if times > 200 { // 100 expected; ten deviations away
			t.Errorf("%s came %d times", n, times)
		}
	}
	if len(seen) != 90 {
		t.Errorf("%d numbers of 90", len(seen))
	}
	for in, want := range map[string]string{"42": "42", " 42 ": "42", "４２": "42", "": "", "4": "", "421": "", "4２": "42", "4a": "", "-4": "", "4 2": "", strings.Repeat("4", 1000): ""} {
		if got, ok := parseNumber(in); got != want || ok != (want != "") {
			t.Errorf("parseNumber(%q) = %q, %v", in, got, ok)
		}
	}
}

// TestQRCodeIsWhole: square, with its three finder patterns and a margin of four modules.
func TestQRCodeIsWhole(t *testing.T) {
	v, err := drawQR("https://id.example.go.jp/phone/" + strings.Repeat("x", maxFrame))
	if err != nil {
		t.Fatal(err)
	}
	n := v.Size - 2*quietZone
	if n < 21 || (n-17)%4 != 0 || n > 57 {
		t.Errorf("%d modules", n)
	}
	for _, want := range []string{"M4 4h7v1h-7z", "M4 10h7v1h-7z"} {
		if !strings.Contains(v.Path, want) {
			t.Errorf("no %s in %.200s", want, v.Path)
		}
	}
}

// FuzzParseFrame: what is read is written the same, is bounded, and passes under no key but the one it was made with.
func FuzzParseFrame(f *testing.F) {
	f.Add(newFrame(strings.Repeat("p", 22), []byte("key"), 7).String())
	f.Add(strings.Repeat("p", 22) + ".07." + strings.Repeat("A", 22))
	f.Add("..")
	f.Fuzz(func(t *testing.T, s string) {
		parsed, ok := parseFrame(s)
		if !ok {
			return
		}
		if parsed.String() != s || len(s) > maxFrame || parsed.second < 0 || parsed.second > 9999 {
			t.Errorf("%q became %q", s, parsed)
		}
		if parsed.genuine([]byte("a key that nobody drew with")) {
			t.Errorf("%q is genuine", s)
		}
	})
}

// FuzzParseNumber: two digits or nothing.
func FuzzParseNumber(f *testing.F) {
	f.Add("42")
	f.Add("４２")
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := parseNumber(s); ok != (len(n) == 2) {
			t.Errorf("%q became %q", s, n)
		}
	})
}
