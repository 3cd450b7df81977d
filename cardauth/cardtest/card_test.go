package cardtest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSelect(t *testing.T) {
	expect(t, newCard(t, nil), `
		00 A4 02 0C 02 00 0A > 69 86 # a file before an application
		00 A4 00 00 > 6A 86
		00 A4 00 00 02 3F 00 > 6A 82
		`+selectJPKI+` > 90 00
		00 A4 04 00 0A D3 92 F0 00 26 01 00 00 00 01 > 6F 0C 84 0A D3 92 F0 00 26 01 00 00 00 01 90 00
		00 A4 04 00 0A D3 92 F0 00 26 01 00 00 00 01 00 > 6F 0C 84 0A D3 92 F0 00 26 01 00 00 00 01 90 00
		00 A4 04 00 07 62 76 01 FF 00 00 00 > 6A 82 # foreign
		00 A4 04 0C 0A D3 92 10 00 31 00 01 01 04 08 > 6A 82 # the text application is not built
		00 A4 04 0C 04 D3 92 F0 00 > 6A 82 # too short a part
		00 A4 04 0C 05 D3 92 F0 00 26 > 90 00
		00 A4 02 0C 02 00 01 > 90 00
		00 A4 02 0C 02 00 02 > 90 00
		00 A4 02 0C 02 00 06 > 90 00
		00 A4 02 0C 02 00 0A > 90 00
		00 A4 02 0C 02 00 0B > 90 00
		00 A4 02 0C 02 00 17 > 90 00
		00 A4 02 0C 02 00 18 > 90 00
		00 A4 02 0C 02 00 1A > 90 00
		00 A4 02 0C 02 00 1B > 90 00
		00 A4 02 0C 02 00 09 > 6A 82
		00 A4 02 0C 03 00 00 0A > 67 00
		00 A4 08 0C 02 00 0A > 6A 86
		`+selectISD+` > 90 00
		00 A4 02 0C 02 00 0A > 69 86`)
}

func TestClassAndInstruction(t *testing.T) {
	expect(t, newCard(t, nil), `
		00 CB 3F FF 03 5C 01 7E > 6D 00
		00 CA DF 30 05 > 6A 88
		00 CA 5F 51 00 > 3B E0 00 FF 81 31 FE 45 14 90 00
		00 C0 00 00 00 > 69 85
		01 A4 04 0C > 68 81
		04 A4 04 0C > 68 82
		08 B0 00 00 00 > 69 FC
		0C B0 00 00 00 > 69 FC
		90 B0 00 00 00 > 6E 00
		80 A4 04 0C > 6E 00
		00 2A 9E 9A > 6D 00
		00 > 67 00
		00 A4 04 > 67 00
		00 A4 04 0C 0A D3 92 > 67 00 # body cut off
		00 A4 04 0C 01 D3 92 F0 > 67 00 # too much body
		00 A4 04 0C 00 00 > 67 00
		`+selectJPKI+` > 90 00
		00 CA 5F 51 00 > 6D 00`)
}

func TestReadBinary(t *testing.T) {
	card := newCard(t, func(c *Config) { c.Filler = 3 })
	der := shared.auth.Certificate.Raw
	expect(t, card, selectJPKI+` > 90 00
		00 B0 00 00 04 > 69 86 # no file selected
		00 A4 02 0C 02 00 18 > 90 00
		00 B0 00 00 04 > 69 81 # a PIN is not read
		00 A4 02 0C 02 00 17 > 90 00
		00 B0 00 00 04 > 69 81 # nor a key
		00 A4 02 0C 02 00 01 > 90 00
		00 B0 00 00 04 > 69 82 # the signature certificate is behind its password
		00 A4 02 0C 02 00 0A > 90 00
		00 B0 00 00 04 > `+hex.EncodeToString(der[:4])+`9000
		00 B0 00 00 > 67 00
		00 B0 00 00 01 00 > 67 00
		00 B0 7F FF 01 > 6B 00 # past the end
		00 B0 8A 00 04 > `+hex.EncodeToString(der[:4])+`9000 # by short identifier
		00 B0 8A 10 04 > `+hex.EncodeToString(der[16:20])+`9000
		00 B0 89 00 04 > 6A 82
		00 B0 CA 00 04 > 6A 86
		00 B0 80 00 04 > 6A 86
		00 B0 88 00 00 > 8F 8F 00 90 00 # availability
		00 B0 86 00 20 > 4A 50 4B 49 41 50 49 43 43 54 4F 4B 45 4E 32 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 90 00`)
	send(t, card, "00 A4 02 0C 02 00 0A")
	whole := send(t, card, "00 B0 00 00 00 00 00") // extended: all of it
	if want := append(append(bytes.Clone(der), 0xFF, 0xFF, 0xFF), 0x90, 0x00); !bytes.Equal(whole, want) {
		t.Errorf("%d bytes, want %d", len(whole), len(want))
	}
	size := len(der) + 3
	last := []byte{0x00, 0xB0, byte((size - 1) >> 8), byte(size - 1), 0x00}
	if got := send(t, card, hex.EncodeToString(last)); !bytes.Equal(got, []byte{0xFF, 0x90, 0x00}) {
		t.Errorf("last byte: %X", got)
	}
	last = []byte{0x00, 0xB0, byte(size >> 8), byte(size), 0x00}
	if got := send(t, card, hex.EncodeToString(last)); !bytes.Equal(got, []byte{0x6B, 0x00}) {
		t.Errorf("after the last byte: %X", got)
	}
}

// The digest was taken of the record of a card of the real test environment.
func TestTokenInfo(t *testing.T) {
	sum := sha256.Sum256(tokenInfo(labelCard))
	if got := hex.EncodeToString(sum[:]); got != "857e27933c5f71aff9da72529d2d3a3e433f01bff240304eff4ce4bbc92a0cd4" {
		t.Errorf("file 0006 is %s", got)
	}
}

func TestPINCounters(t *testing.T) {
	expect(t, newCard(t, nil), `
		00 20 00 80 > 69 86
		`+selectJPKI+` > 90 00
		00 20 00 80 > 69 86
		00 A4 02 0C 02 00 0A > 90 00
		00 20 00 80 > 69 81
		00 A4 02 0C 02 00 18 > 90 00
		00 20 00 80 > 63 C3
		00 20 00 80 00 > 63 C3 # as a T=0 reader asks
		00 20 00 80 04 39 39 39 39 > 63 C2
		00 20 00 80 > 63 C2
		00 20 00 80 04 31 32 33 34 > 90 00 # the right one restores
		00 20 00 80 > 63 C3 # also when verified
		00 20 01 80 > 6A 86
		00 20 00 00 > 6A 86
		00 20 00 80 05 31 32 33 34 35 > 63 C2 # compared, however long
		00 20 00 80 11 31 31 31 31 31 31 31 31 31 31 31 31 31 31 31 31 31 > 67 00 # longer than any
		00 20 00 98 > 63 C2 # by short identifier
		00 20 00 9B > 63 C5 # the other is untouched
		00 20 00 98 04 30 30 30 30 > 63 C1
		00 20 00 98 04 30 30 30 30 > 63 C0
		00 20 00 98 04 31 32 33 34 > 69 84 # even the right one
		00 20 00 98 > 63 C0
		00 20 00 9B 06 61 62 63 31 32 33 > 63 C4 # lower case is another password
		00 20 00 9B 06 41 42 43 31 32 33 > 90 00
		00 20 00 9B > 63 C5`)
}

func TestBlockedStatusIsConfigurable(t *testing.T) {
	for _, sw := range []uint16{0x6983, 0x6984, 0x63C0} {
		card := newCard(t, nil)
		card.Behave(Quirks{BlockedSW: sw})
		send(t, card, selectJPKI)
		for range 3 {
			send(t, card, "00 20 00 98 04 30 30 30 30")
		}
		if got := send(t, card, "00 20 00 98 04 31 32 33 34"); !bytes.Equal(got, status(sw)) {
			t.Errorf("%X, want %X", got, sw)
		}
	}
}

const (
	prefixSHA256 = "30 31 30 0D 06 09 60 86 48 01 65 03 04 02 01 05 00 04 20"
	zeros32      = "00000000000000000000000000000000 00000000000000000000000000000000"
	signAuth     = "80 2A 00 97 33 " + prefixSHA256 + zeros32 + "00"
	signSign     = "80 2A 00 9A 33 " + prefixSHA256 + zeros32 + "00"
)

func TestSigningNeedsTheKeysOwnPIN(t *testing.T) {
	expect(t, newCard(t, nil), selectJPKI+` > 90 00
		`+signAuth+` > 69 82
		`+signSign+` > 69 82
		00 20 00 98 04 31 32 33 34 > 90 00
		`+signSign+` > 69 82
		00 B0 81 00 04 > 69 82
		00 20 00 9B 06 41 42 43 31 32 33 > 90 00
		00 B0 81 00 02 > 30 82 90 00
		00 A4 02 0C 02 00 18 > 90 00
		80 2A 00 80 01 00 00 > 69 81 # a PIN does not sign
		80 2A 00 97 > 67 00
		80 2A 06 97 01 00 00 > 6A 86
		80 2A 01 97 01 00 00 > 6A 86 # schemes are off`)
}

func TestSchemes(t *testing.T) {
	card := newCard(t, nil)
	card.Behave(Quirks{Schemes: true})
	send(t, card, selectJPKI)
	send(t, card, "00 20 00 98 04 31 32 33 34")
	key := &shared.auth.Key.PublicKey
	message := []byte("a message")
	sum := sha256.Sum256(message)
	info := append(unhex(t, prefixSHA256), sum[:]...)
	for _, c := range []struct {
		name   string
		p1     byte
		input  []byte
		verify func(signature []byte) error
	}{
		{"pad DigestInfo", 0, info, func(s []byte) error { return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], s) }},
		{"pad anything", 0, message, func(s []byte) error { return rsa.VerifyPKCS1v15(key, 0, message, s) }},
		{"hash and pad", 1, message, func(s []byte) error { return rsa.VerifyPKCS1v15(key, 0, sum[:], s) }},
		{"hash given", 2, sum[:], func(s []byte) error { return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], s) }},
		{"message given", 3, message, func(s []byte) error { return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], s) }},
		{"PSS of a hash", 4, sum[:], func(s []byte) error { return rsa.VerifyPSS(key, crypto.SHA256, sum[:], s, nil) }},
		{"PSS of a message", 5, message, func(s []byte) error { return rsa.VerifyPSS(key, crypto.SHA256, sum[:], s, nil) }},
	} {
		command := append([]byte{0x80, 0x2A, c.p1, 0x97, byte(len(c.input))}, c.input...)
		for _, le := range [][]byte{{0x00}, nil} { // a T=0 reader leaves Le out
			answer := send(t, card, hex.EncodeToString(append(bytes.Clone(command), le...)))
			if len(answer) != 258 {
				t.Fatalf("%s: %X", c.name, answer)
			}
			if err := c.verify(answer[:256]); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
	expect(t, card, `
		80 2A 02 97 01 00 00 > 69 85 # not a hash
		80 2A 04 97 01 00 00 > 69 85`)
	long := "80 2A 00 97 F6 " + strings.Repeat("00", 246) + "00"
	if got := send(t, card, long); !bytes.Equal(got, status(swConditions)) {
		t.Errorf("246 bytes: %X", got)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhatForgetsThePIN(t *testing.T) {
	for name, c := range map[string]struct {
		event   func(*Card)
		forgets bool
	}{
		"nothing":              {func(*Card) {}, false},
		"reset":                {(*Card).Reset, true},
		"power off":            {(*Card).PowerOff, true},
		"other application":    {func(c *Card) { send(t, c, selectISD) }, true},
		"same application":     {func(c *Card) { send(t, c, selectJPKI) }, false},
		"same, strict card":    {func(c *Card) { c.Behave(Quirks{ForgetOnReselect: true}); send(t, c, selectJPKI) }, true},
		"foreign application":  {func(c *Card) { send(t, c, "00 A4 04 0C 05 A0 00 00 03 08") }, false},
		"wrong PIN":            {func(c *Card) { send(t, c, "00 20 00 98 04 30 30 30 30") }, true},
		"wrong other password": {func(c *Card) { send(t, c, "00 20 00 9B 06 30 30 30 30 30 30") }, false},
		"out and in again":     {func(c *Card) { c.Pull(); c.Put() }, true},
		"malformed":            {func(c *Card) { send(t, c, "00 20 00 98 04 30") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			card := newCard(t, nil)
			send(t, card, selectJPKI)
			send(t, card, "00 20 00 98 04 31 32 33 34")
			c.event(card)
			send(t, card, selectJPKI)
			got := send(t, card, signAuth)
			if forgot := bytes.Equal(got, status(swSecurity)); forgot != c.forgets {
				t.Errorf("forgot: %v, want %v (%X)", forgot, c.forgets, got[len(got)-2:])
			}
		})
	}
}

func TestChangePIN(t *testing.T) {
	card := newCard(t, nil)
	expect(t, card, selectJPKI+` > 90 00
		00 A4 02 0C 02 00 18 > 90 00
		00 24 01 80 04 35 36 37 38 > 69 82
		00 20 00 80 04 31 32 33 34 > 90 00
		00 24 00 80 04 35 36 37 38 > 6A 86
		00 24 01 80 05 35 36 37 38 39 > 6A 80
		00 24 01 80 04 35 36 37 41 > 6A 80
		00 24 01 80 04 35 36 37 38 > 90 00
		00 20 00 80 04 31 32 33 34 > 63 C2
		00 20 00 80 04 35 36 37 38 > 90 00
		00 20 00 9B 06 41 42 43 31 32 33 > 90 00
		00 24 01 9B 05 41 42 43 31 32 > 6A 80
		00 24 01 9B 06 61 62 63 31 32 33 > 6A 80
		00 24 01 9B 07 58 59 5A 37 38 39 30 > 90 00`)
}

func TestGetChallenge(t *testing.T) {
	card := newCard(t, nil)
	for le, want := range map[string]int{"01": 1, "08": 8, "00": 256} {
		a, b := send(t, card, "00 84 00 00"+le), send(t, card, "00 84 00 00"+le)
		if len(a) != want+2 || want > 4 && bytes.Equal(a, b) {
			t.Errorf("Le %s: %d bytes", le, len(a))
		}
	}
	expect(t, card, `
		00 84 00 00 > 67 00
		00 84 00 00 00 01 00 > 69 85
		00 84 01 00 08 > 6A 86`)
}

// PINs and counters outlast the card's owner program; nothing else does.
func TestCountersPersist(t *testing.T) {
	state := filepath.Join(t.TempDir(), "pins.json")
	first := newCard(t, func(c *Config) { c.State = state })
	expect(t, first, selectJPKI+` > 90 00
		00 20 00 98 04 30 30 30 30 > 63 C2
		00 20 00 9B 06 30 30 30 30 30 30 > 63 C4
		00 20 00 9B 06 41 42 43 31 32 33 > 90 00
		00 24 01 9B 06 58 59 5A 37 38 39 > 90 00`)
	second := newCard(t, func(c *Config) { c.State = state })
	expect(t, second, selectJPKI+` > 90 00
		00 20 00 98 > 63 C2
		`+signSign+` > 69 82
		00 20 00 9B 06 41 42 43 31 32 33 > 63 C4
		00 20 00 9B 06 58 59 5A 37 38 39 > 90 00
		00 20 00 98 04 30 30 30 30 > 63 C1`)
	expect(t, first, "00 20 00 98 > 63 C1 # one counter for both")
	info, err := os.Stat(state)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// A counter that cannot be stored must not let anybody try for nothing.
func TestUnwritableCounterRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	card := newCard(t, func(c *Config) { c.State = filepath.Join(dir, "pins.json") })
	expect(t, card, selectJPKI+` > 90 00
		00 20 00 98 04 31 32 33 34 > 64 00
		`+signAuth+` > 69 82`)
}

func TestPulledCard(t *testing.T) {
	card := newCard(t, nil)
	card.Behave(Quirks{FailAfter: 2})
	send(t, card, selectJPKI)
	if answer := send(t, card, "00 20 00 98"); len(answer) != 0 {
		t.Errorf("answered %X", answer)
	}
	if _, err := card.Transmit(t.Context(), unhex(t, selectJPKI)); !errors.Is(err, ErrPulled) {
		t.Errorf("got %v", err)
	}
	card.Put()
	expect(t, card, selectJPKI+" > 90 00")
}

// A card that is silent or slow must not keep anybody from pulling it out.
func TestSlowCard(t *testing.T) {
	card := newCard(t, nil)
	for _, q := range []Quirks{{Mute: true}, {Delay: time.Hour}} {
		card.Behave(q)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := card.Transmit(ctx, unhex(t, selectJPKI))
			done <- err
		}()
		card.Pull()
		card.Put()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}

func TestTraceMasksSecrets(t *testing.T) {
	card := newCard(t, nil)
	var trace []byte
	card.Behave(Quirks{Trace: func(command, answer []byte) { trace = append(append(trace, command...), answer...) }})
	send(t, card, selectJPKI)
	send(t, card, "00 20 00 98 04 31 32 33 34")
	send(t, card, "00 24 01 98 04 35 36 37 38")
	if bytes.Contains(trace, []byte("1234")) || bytes.Contains(trace, []byte("5678")) || !bytes.Contains(trace, []byte("****")) {
		t.Errorf("trace %X", trace)
	}
}

func TestATR(t *testing.T) {
	card := newCard(t, nil)
	atr := card.ATR()
	if hex.EncodeToString(atr) != "3be000ff8131fe4514" {
		t.Errorf("%X", atr)
	}
	card.Behave(Quirks{ATR: unhex(t, "3B 88 80 01 00 00 05 E0 B3 81 A1 00 7F")})
	check := byte(0)
	for _, b := range card.ATR()[1:] {
		check ^= b
	}
	if check != 0 {
		t.Error("check byte")
	}
}

// FuzzCommand sends one arbitrary command to a card that has both PINs
// verified. The card always answers with a status word, the counters change
// only by a VERIFY that has a body, and a command that cannot be parsed
// changes nothing.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{
		selectJPKI, selectISD, signAuth, "00B0000000", "00B08A0004", "00B000000000FF", "00200098", "0020009804313233340", "00200098043030303000",
		"0024019804353637380", "0084000000", "00CA5F5100", "00C0000000", "00A4020C02000A", "00A40400000AD392F000260100000001", "0020009800000431323334",
	} {
		if raw, err := hex.DecodeString(strings.ReplaceAll(s, " ", "")); err == nil {
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		card := newCard(t, nil)
		card.Behave(Quirks{Schemes: true})
		for _, c := range []string{selectJPKI, "00 20 00 98 04 31 32 33 34", "00 20 00 9B 06 41 42 43 31 32 33"} {
			send(t, card, c)
		}
		before := card.pins.own
		answer, err := card.Transmit(t.Context(), raw)
		if err != nil || len(answer) < 2 || len(answer) > 65536+2 {
			t.Fatalf("%d bytes, %v", len(answer), err)
		}
		cmd, fits := parseCommand(raw)
		if !fits && !bytes.Equal(answer, status(swWrongLength)) {
			t.Errorf("malformed, but answered %X", answer)
		}
		changes := fits && cmd.cla == 0 && cmd.data != nil && (cmd.ins == insVerify || cmd.ins == insChange)
		if !changes && card.pins.own != before {
			t.Errorf("PINs changed by %X", raw)
		}
	})
}
