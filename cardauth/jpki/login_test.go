package jpki_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

var shared struct {
	once sync.Once
	dir  string
	auth *cardtest.Leaf
	ca   []byte
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

// newCard makes a virtual card with a fresh PIN; making keys is slow, so all
// cards have the same.
func newCard(t testing.TB, adjust func(*cardtest.Config)) *cardtest.Card {
	t.Helper()
	shared.once.Do(func() {
		var pki *cardtest.PKI
		if shared.dir, shared.err = os.MkdirTemp("", "jpki"); shared.err != nil {
			return
		}
		now := time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)
		pki, shared.err = cardtest.LoadOrCreatePKI(shared.dir, func() time.Time { return now }, "http://localhost:8406/ocsp")
		if shared.err != nil {
			return
		}
		shared.ca = pki.Auth().Certificate().Raw
		shared.auth, shared.err = pki.Auth().IssueAuth(cardtest.Profile{NotBefore: now, NotAfter: now.AddDate(5, 0, 0)})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	c := cardtest.Config{Auth: shared.auth, AuthCA: shared.ca}
	if adjust != nil {
		adjust(&c)
	}
	card, err := cardtest.NewCard(c)
	if err != nil {
		t.Fatal(err)
	}
	return card
}

func pin(t testing.TB, digits string) jpki.PIN {
	t.Helper()
	p, err := jpki.ParsePIN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wantError asserts the reason and returns the error.
func wantError(t testing.TB, err error, want jpki.Reason) *jpki.Error {
	t.Helper()
	card, ok := errors.AsType[*jpki.Error](err)
	if !ok {
		t.Fatalf("got %v, want %v", err, want)
	}
	if card.Reason != want {
		t.Fatalf("got %v (%v), want %v", card.Reason, err, want)
	}
	return card
}

func open(t testing.TB, r jpki.Transmitter) *jpki.Card {
	t.Helper()
	c, err := jpki.Open(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// log is a reader that writes down what passes, PINs masked.
type log struct {
	card     jpki.Transmitter
	commands []string
	verifies int
}

func (l *log) Transmit(ctx context.Context, apdu []byte) ([]byte, error) {
	shown := append([]byte(nil), apdu...)
	if apdu[1] == 0x20 && len(apdu) > 5 {
		l.verifies++
		clear(shown[5:])
	}
	l.commands = append(l.commands, strings.ToUpper(hex.EncodeToString(shown)))
	return l.card.Transmit(ctx, apdu)
}

// The login's commands, byte for byte.
func TestLoginTranscript(t *testing.T) {
	reader := &log{card: newCard(t, nil)}
	card := open(t, reader)
	if left, err := card.AuthPINTries(t.Context()); err != nil || left != 3 {
		t.Fatalf("%d tries left, %v", left, err)
	}
	if err := card.Unlock(t.Context(), pin(t, "1234")); err != nil {
		t.Fatal(err)
	}
	der, err := card.AuthCertificate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("destination"))
	signature, err := card.SignAuth(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	if err = card.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if err = rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], signature); err != nil {
		t.Error(err)
	}
	rest := len(der) - 6*256
	want := []string{
		"00A4040C0AD392F000260100000001", // SELECT JPKI
		"00A4020C020018", "00200080",     // tries left, for the page
		"00A4020C020018", "00200080", "0020008004" + "00000000", // tries left, VERIFY
		"00A4020C02000A", "00B0000004", // certificate: its length
		"00B0000000", "00B0010000", "00B0020000", "00B0030000", "00B0040000", "00B0050000", "00B00600" + strings.ToUpper(hex.EncodeToString([]byte{byte(rest)})),
		"00A4020C020017", // key
		"802A008033" + "3031300D060960864801650304020105000420" + strings.ToUpper(hex.EncodeToString(digest[:])) + "00",
		"00A4040C07A0000001510000", // leave
	}
	if got := strings.Join(reader.commands, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("commands:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func TestWrongPINTellsTriesLeftAndStopsBeforeTheLast(t *testing.T) {
	reader := &log{card: newCard(t, nil)}
	card := open(t, reader)
	wrong := pin(t, "0000")
	if e := wantError(t, card.Unlock(t.Context(), wrong), jpki.WrongPIN); e.Left != 2 {
		t.Errorf("%d left, want 2", e.Left)
	}
	if e := wantError(t, card.Unlock(t.Context(), wrong), jpki.WrongPIN); e.Left != 1 {
		t.Errorf("%d left, want 1", e.Left)
	}
	// Even the right PIN is not sent without confirmation.
	if e := wantError(t, card.Unlock(t.Context(), pin(t, "1234")), jpki.LastTry); e.Left != 1 {
		t.Errorf("%d left, want 1", e.Left)
	}
	if reader.verifies != 2 {
		t.Fatalf("%d VERIFY sent, want 2", reader.verifies)
	}
	wantError(t, card.UnlockLastTry(t.Context(), wrong), jpki.PINBlocked)
	// Blocked: nothing is sent any more.
	wantError(t, card.UnlockLastTry(t.Context(), pin(t, "1234")), jpki.PINBlocked)
	if reader.verifies != 3 {
		t.Errorf("%d VERIFY sent, want 3", reader.verifies)
	}
	if left, err := card.AuthPINTries(t.Context()); err != nil || left != 0 {
		t.Errorf("%d left, %v", left, err)
	}
}

func TestLastTryWithTheRightPINRestoresTheCounter(t *testing.T) {
	card := open(t, newCard(t, nil))
	for range 2 {
		wantError(t, card.Unlock(t.Context(), pin(t, "9999")), jpki.WrongPIN)
	}
	if err := card.UnlockLastTry(t.Context(), pin(t, "1234")); err != nil {
		t.Fatal(err)
	}
	if left, err := card.AuthPINTries(t.Context()); err != nil || left != 3 {
		t.Errorf("%d left, %v", left, err)
	}
}

func TestForeignCard(t *testing.T) {
	for _, sw := range []string{"6A82", "6D00", "6E00", "6999", "6F00"} {
		_, err := jpki.Open(t.Context(), &script{answers: []string{sw}})
		wantError(t, err, jpki.NotJPKI)
	}
}

func TestCardWithoutCertificate(t *testing.T) {
	card := open(t, newCard(t, func(c *cardtest.Config) { c.Auth = nil }))
	_, err := card.AuthCertificate(t.Context())
	wantError(t, err, jpki.NoCertificate)
	for _, answers := range [][]string{
		{"9000", "9000", "00000000" + "9000"},
		{"9000", "9000", "FFFFFFFF" + "9000"},
		{"9000", "9000", "6B00"},
	} {
		_, err := open(t, &script{answers: answers}).AuthCertificate(t.Context())
		wantError(t, err, jpki.NoCertificate)
	}
}

func TestPhoneTokenHidesItsCertificateBehindThePIN(t *testing.T) {
	card := open(t, newCard(t, func(c *cardtest.Config) { c.Phone = true }))
	_, err := card.AuthCertificate(t.Context())
	wantError(t, err, jpki.PINRequired)
	if err = card.Unlock(t.Context(), pin(t, "1234")); err != nil {
		t.Fatal(err)
	}
	if _, err = card.AuthCertificate(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestFillerAfterTheCertificateIsLeftOut(t *testing.T) {
	for _, filler := range []int{0, 1, 300} {
		card := open(t, newCard(t, func(c *cardtest.Config) { c.Filler = filler }))
		der, err := card.AuthCertificate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err = x509.ParseCertificate(der); err != nil {
			t.Errorf("%d bytes of filler: %v", filler, err)
		}
	}
}

func TestSigningNeedsThePINAndClosingForgetsIt(t *testing.T) {
	virtual := newCard(t, nil)
	card := open(t, virtual)
	_, err := card.SignAuth(t.Context(), [32]byte{})
	wantError(t, err, jpki.PINRequired)
	if err = card.Unlock(t.Context(), pin(t, "1234")); err != nil {
		t.Fatal(err)
	}
	if _, err = card.SignAuth(t.Context(), [32]byte{}); err != nil {
		t.Fatal(err)
	}
	if err = card.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = open(t, virtual).SignAuth(t.Context(), [32]byte{})
	wantError(t, err, jpki.PINRequired)
}

// The card is pulled out in the middle of every command of a login in turn.
func TestCardPulledOutAnywhere(t *testing.T) {
	const commands = 18
	for n := 1; n <= commands+1; n++ {
		virtual := newCard(t, nil)
		virtual.Behave(cardtest.Quirks{FailAfter: n})
		reader := &log{card: virtual}
		err := login(t.Context(), reader, pin(t, "1234"))
		if n > commands {
			if err != nil {
				t.Errorf("a login takes more than %d commands: %v", commands, err)
			}
			continue
		}
		wantError(t, err, jpki.CardRemoved)
		if len(reader.commands) != n {
			t.Errorf("pulled in command %d, but %d were sent", n, len(reader.commands))
		}
		if reader.verifies > 1 {
			t.Errorf("pulled in command %d: VERIFY repeated", n)
		}
	}
}

// login is the whole conversation, as the card app has it.
func login(ctx context.Context, r jpki.Transmitter, p jpki.PIN) error {
	card, err := jpki.Open(ctx, r)
	if err != nil {
		return err
	}
	if _, err = card.AuthPINTries(ctx); err != nil {
		return err
	}
	if err = card.Unlock(ctx, p); err != nil {
		return err
	}
	der, err := card.AuthCertificate(ctx)
	if err != nil {
		return err
	}
	if len(der) > 8<<10 {
		return errors.New("certificate longer than the bound")
	}
	signature, err := card.SignAuth(ctx, [32]byte{})
	if err != nil {
		return err
	}
	if len(signature) != 256 {
		return errors.New("signature of the wrong length")
	}
	return card.Close(ctx)
}

func TestMuteCardEndsWithTheContext(t *testing.T) {
	virtual := newCard(t, nil)
	virtual.Behave(cardtest.Quirks{Mute: true})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := jpki.Open(ctx, virtual)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	wantError(t, err, jpki.CardRemoved)
}
