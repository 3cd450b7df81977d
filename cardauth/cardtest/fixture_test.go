package cardtest

import (
	"encoding/hex"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

const address = "http://localhost:8406/ocsp"

var shared struct {
	once       sync.Once
	dir        string
	pki        *PKI
	auth, sign *Leaf
	err        error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

func testPKI(t testing.TB) *PKI {
	t.Helper()
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "cardtest"); shared.err != nil {
			return
		}
		if shared.pki, shared.err = LoadOrCreatePKI(shared.dir, clock, address); shared.err != nil {
			return
		}
		p := Profile{Person: drawerContents()[0].person, NotBefore: noon.AddDate(0, 0, -1), NotAfter: noon.AddDate(4, 0, 0)}
		if shared.auth, shared.err = shared.pki.auth.IssueAuth(p); shared.err != nil {
			return
		}
		p.Key = shared.auth.Key
		shared.sign, shared.err = shared.pki.sign.IssueSign(p)
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.pki
}

func newCard(t testing.TB, adjust func(*Config)) *Card {
	t.Helper()
	pki := testPKI(t)
	c := Config{Auth: shared.auth, Sign: shared.sign, AuthCA: pki.auth.cert.Raw, SignCA: pki.sign.cert.Raw}
	if adjust != nil {
		adjust(&c)
	}
	card, err := NewCard(c)
	if err != nil {
		t.Fatal(err)
	}
	return card
}

// send transmits a command in hex, blanks ignored.
func send(t testing.TB, c *Card, command string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(strings.ReplaceAll(command, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Transmit(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// expect runs "command > answer" lines; an answer that ends in … is a prefix.
func expect(t testing.TB, c *Card, lines string) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		command, want, _ := strings.Cut(line, ">")
		want, comment, _ := strings.Cut(want, "#")
		want = strings.ToUpper(strings.ReplaceAll(want, " ", ""))
		got := strings.ToUpper(hex.EncodeToString(send(t, c, strings.TrimSpace(command))))
		if prefix, open := strings.CutSuffix(want, "…"); open {
			if !strings.HasPrefix(got, prefix) {
				t.Errorf("%s: got %.40s, want %s (%s)", command, got, want, comment)
			}
		} else if got != want {
			t.Errorf("%s: got %.40s, want %s (%s)", command, got, want, comment)
		}
	}
}

const (
	selectJPKI = "00 A4 04 0C 0A D3 92 F0 00 26 01 00 00 00 01"
	selectISD  = "00 A4 04 0C 07 A0 00 00 01 51 00 00"
)
