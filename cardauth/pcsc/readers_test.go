//go:build pcsc && linux

package pcsc

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ebfe/scard"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
	"github.com/tsunagu-id/tsunagu/cardauth/pcsc/pcsctest"
)

var digest = sha256.Sum256([]byte("what the card signs"))

// verified checks a login's signature against the certificate that came with it.
func verified(der, signature []byte) error {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	key, ok := leaf.PublicKey.(*rsa.PublicKey)
	if !ok {
		return errors.New("not an RSA key")
	}
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature)
}

func TestLogin(t *testing.T) {
	d, r := pcsctest.Start(t), open(t)
	plug(t, newCard(t, "taro"), d.Addresses[0])
	untilPresent(t, r, d.Readers[0], true)
	der, signature, err := login(t.Context(), r, d.Readers[0], pin(t, cardtest.DemoPIN), digest)
	if err == nil {
		err = verified(der, signature)
	}
	if err != nil {
		t.Fatal(err)
	}
	// The PIN does not outlast the session, not even for whoever comes at once.
	_, card := session(t, r, d.Readers[0])
	_, err = card.SignAuth(t.Context(), digest)
	wantCard(t, err, jpki.PINRequired)
}

func TestReadersAndCardsComeAndGo(t *testing.T) {
	d, r := pcsctest.Absent(t), open(t)
	_, err := r.Slots(t.Context())
	wantReader(t, err, ServiceMissing)
	_, err = r.Connect(t.Context(), d.Readers[0])
	wantReader(t, err, ServiceMissing)

	d.Start()
	slots, err := r.Slots(t.Context())
	if err != nil || len(slots) != 2 || slots[0] != (Slot{Reader: d.Readers[0]}) || slots[1] != (Slot{Reader: d.Readers[1]}) {
		t.Fatalf("%+v, %v", slots, err)
	}
	_, err = r.Connect(t.Context(), d.Readers[0])
	wantReader(t, err, CardMissing)
	_, err = r.Connect(t.Context(), "no such reader")
	wantReader(t, err, ReaderMissing)

	certificate := func(reader string) []byte {
		t.Helper()
		s, card := session(t, r, reader)
		defer s.Close()
		der, err := card.AuthCertificate(t.Context())
		if err != nil {
			t.Error(err)
		}
		return der
	}
	taro := plug(t, newCard(t, "taro"), d.Addresses[0])
	plug(t, newCard(t, "hanako"), d.Addresses[1])
	untilPresent(t, r, d.Readers[0], true)
	untilPresent(t, r, d.Readers[1], true)
	first, second := certificate(d.Readers[0]), certificate(d.Readers[1])
	if bytes.Equal(first, second) {
		t.Error("two readers, one certificate")
	}
	taro.Pull()
	untilPresent(t, r, d.Readers[0], false)
	untilPresent(t, r, d.Readers[1], true)
	plug(t, newCard(t, "taro-renewed"), d.Addresses[0])
	untilPresent(t, r, d.Readers[0], true)
	if bytes.Equal(first, certificate(d.Readers[0])) {
		t.Error("another card, the same certificate")
	}

	d.Stop()
	_, err = r.Slots(t.Context())
	wantReader(t, err, ServiceMissing)
	d.Start()
	plug(t, newCard(t, "taro"), d.Addresses[0])
	untilPresent(t, r, d.Readers[0], true)
	if !bytes.Equal(first, certificate(d.Readers[0])) {
		t.Error("the same card, another certificate")
	}
}

func TestNoReader(t *testing.T) {
	pcsctest.StartWithoutReaders(t)
	_, err := open(t).Slots(t.Context())
	wantReader(t, err, ReaderMissing)
}

// other is a second program at the same card.
func other(t *testing.T, reader string, mode scard.ShareMode) *scard.Card {
	t.Helper()
	c, err := scard.EstablishContext()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Release() })
	card, err := c.Connect(reader, mode, scard.ProtocolAny)
	if err != nil {
		t.Fatal(err)
	}
	return card
}

func TestReaderInUse(t *testing.T) {
	d, r := pcsctest.Start(t), open(t)
	plug(t, newCard(t, "taro"), d.Addresses[0])
	untilPresent(t, r, d.Readers[0], true)

	alone := other(t, d.Readers[0], scard.ShareExclusive)
	_, err := r.Connect(t.Context(), d.Readers[0])
	wantReader(t, err, ReaderBusy)
	if slots, err := r.Slots(t.Context()); err != nil || !slots[0].Card {
		t.Errorf("a card in use is not listed: %+v, %v", slots, err)
	}
	if err := alone.Disconnect(scard.LeaveCard); err != nil {
		t.Fatal(err)
	}

	busy := other(t, d.Readers[0], scard.ShareShared)
	if err := busy.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = r.Connect(short, d.Readers[0])
	wantReader(t, err, ReaderBusy)
	start := time.Now()
	_, err = r.Connect(t.Context(), d.Readers[0]) // not a second thread that hangs
	wantReader(t, err, ReaderBusy)
	if waited := time.Since(start); waited > time.Second {
		t.Errorf("waited %v", waited)
	}
	if err := busy.EndTransaction(scard.LeaveCard); err != nil {
		t.Fatal(err)
	}
	until(t, "the reader to be free", func() bool { return r.isFree(t.Context(), d.Readers[0]) })
	der, signature, err := login(t.Context(), r, d.Readers[0], pin(t, cardtest.DemoPIN), digest)
	if err == nil {
		err = verified(der, signature)
	}
	if err != nil {
		t.Error(err)
	}
}

// counter counts the commands of an instruction that reach a card.
type counter struct{ verify, sign atomic.Int32 }

func (c *counter) trace(command, _ []byte) {
	switch {
	case command[1] == insVerify && len(command) > shortHeader:
		c.verify.Add(1)
	case command[1] == 0x2A:
		c.sign.Add(1)
	}
}

// interrupt lets another program reset the card in the middle of a session. Our own transaction would keep it out.
func interrupt(t *testing.T, s *Session) {
	t.Helper()
	if err := s.handle.card.EndTransaction(scard.LeaveCard); err != nil {
		t.Fatal(err)
	}
	if err := other(t, s.reader, scard.ShareShared).Disconnect(scard.ResetCard); err != nil {
		t.Fatal(err)
	}
}

func TestResetByAnotherProgram(t *testing.T) {
	d, r := pcsctest.Start(t), open(t)
	var n counter
	virtual := newCard(t, "taro")
	virtual.Behave(cardtest.Quirks{Trace: n.trace})
	plug(t, virtual, d.Addresses[0])
	untilPresent(t, r, d.Readers[0], true)

	s, card := session(t, r, d.Readers[0])
	interrupt(t, s)
	if left, err := card.AuthPINTries(t.Context()); err != nil || left != 3 { // its own selection comes first
		t.Errorf("%d, %v", left, err)
	}
	interrupt(t, s)
	// A question in the selected file: the selections are repeated before it.
	if answer, err := s.Transmit(t.Context(), []byte{0x00, 0x20, 0x00, 0x80}); err != nil || !bytes.Equal(answer, []byte{0x63, 0xC3}) {
		t.Errorf("% X, %v", answer, err)
	}
	if err := card.Unlock(t.Context(), pin(t, cardtest.DemoPIN)); err != nil {
		t.Fatal(err)
	}
	interrupt(t, s)
	_, err := card.SignAuth(t.Context(), digest)
	wantCard(t, err, jpki.CardRemoved)
	if n.verify.Load() != 1 || n.sign.Load() != 0 {
		t.Errorf("%d VERIFY and %d signatures after a reset", n.verify.Load(), n.sign.Load())
	}
}

// A program that resets the card and tries to sign all the time neither stops our logins nor meets a given PIN.
func TestLoginsBesideARestlessProgram(t *testing.T) {
	d, r := pcsctest.Start(t), open(t)
	plug(t, newCard(t, "taro"), d.Addresses[0])
	untilPresent(t, r, d.Readers[0], true)
	ctx, stop := context.WithCancel(t.Context())
	var rounds, signed int
	var restless sync.WaitGroup
	restless.Go(func() {
		for ; ctx.Err() == nil; rounds++ {
			if stealSignature(d.Readers[0]) {
				signed++
			}
		}
	})
	for i := range 40 {
		time.Sleep(20 * time.Millisecond) // whoever waits asks every 100 ms
		der, signature, err := login(t.Context(), r, d.Readers[0], pin(t, cardtest.DemoPIN), digest)
		if err == nil {
			err = verified(der, signature)
		}
		if err != nil {
			t.Errorf("login %d: %v", i, err)
		}
	}
	stop()
	restless.Wait()
	if rounds < 10 || signed != 0 {
		t.Errorf("the other program got %d signatures in %d rounds", signed, rounds)
	}
}

// stealSignature connects, asks for a signature without a PIN, and resets the card.
func stealSignature(reader string) bool {
	c, err := scard.EstablishContext()
	if err != nil {
		return false
	}
	defer func() { _ = c.Release() }()
	card, err := c.Connect(reader, scard.ShareShared, scard.ProtocolAny)
	if err != nil {
		return false
	}
	defer func() { _ = card.Disconnect(scard.ResetCard) }()
	sign := append([]byte{0x80, 0x2A, 0x00, 0x80, 0x20}, digest[:]...)
	answer, err := card.Transmit(append(sign, 0))
	return err == nil && succeeded(answer)
}

func TestCardPulledOutInMidCommand(t *testing.T) {
	d, r := pcsctest.Start(t), open(t)
	for n := 1; n <= 13; n += 3 {
		virtual := newCard(t, "taro")
		p := plug(t, virtual, d.Addresses[0])
		untilPresent(t, r, d.Readers[0], true)
		virtual.Behave(cardtest.Quirks{FailAfter: n})
		_, _, err := login(t.Context(), r, d.Readers[0], pin(t, cardtest.DemoPIN), digest)
		wantCard(t, err, jpki.CardRemoved)
		<-p.Ended()
	}
	plug(t, newCard(t, "taro"), d.Addresses[0])
	untilPresent(t, r, d.Readers[0], true)
	if _, _, err := login(t.Context(), r, d.Readers[0], pin(t, cardtest.DemoPIN), digest); err != nil {
		t.Error(err)
	}
}

func TestServiceEndsInMidLogin(t *testing.T) {
	d, r := pcsctest.Start(t), open(t)
	plug(t, newCard(t, "taro"), d.Addresses[0])
	untilPresent(t, r, d.Readers[0], true)
	s, card := session(t, r, d.Readers[0])
	d.Stop()
	_, err := card.AuthPINTries(t.Context())
	wantCard(t, err, jpki.CardRemoved)
	s.Close()
}

func TestCardThatNeverAnswers(t *testing.T) {
	d, r := pcsctest.Start(t), open(t)
	virtual := newCard(t, "taro")
	p := plug(t, virtual, d.Addresses[0])
	plug(t, newCard(t, "hanako"), d.Addresses[1])
	untilPresent(t, r, d.Readers[0], true)
	untilPresent(t, r, d.Readers[1], true)
	s, card := session(t, r, d.Readers[0])
	virtual.Behave(cardtest.Quirks{Mute: true})
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := card.AuthPINTries(short)
	wantCard(t, err, jpki.CardFault)
	_, err = s.Transmit(t.Context(), []byte{0x00, 0x20, 0x00, 0x80}) // at once
	wantCard(t, err, jpki.CardFault)
	s.Close()
	_, err = r.Connect(t.Context(), d.Readers[0])
	wantReader(t, err, ReaderBusy)
	// The other reader works all the while.
	if _, _, err := login(t.Context(), r, d.Readers[1], pin(t, cardtest.DemoPIN), digest); err != nil {
		t.Error(err)
	}
	p.Pull()
	until(t, "the reader to be free", func() bool { return r.isFree(t.Context(), d.Readers[0]) })
	plug(t, newCard(t, "taro"), d.Addresses[0])
	untilPresent(t, r, d.Readers[0], true)
	if _, _, err := login(t.Context(), r, d.Readers[0], pin(t, cardtest.DemoPIN), digest); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoCommandIsNotSent(t *testing.T) {
	d, r := pcsctest.Start(t), open(t)
	plug(t, newCard(t, "taro"), d.Addresses[0])
	untilPresent(t, r, d.Readers[0], true)
	s, _ := session(t, r, d.Readers[0])
	for _, command := range [][]byte{nil, {}, {4}, {0, 0x20, 0}} {
		_, err := s.Transmit(t.Context(), command)
		wantCard(t, err, jpki.CardFault)
	}
}

func TestWrongPINCountsOnceEach(t *testing.T) {
	d, r := pcsctest.Start(t), open(t)
	var n counter
	virtual := newCard(t, "taro")
	virtual.Behave(cardtest.Quirks{Trace: n.trace})
	plug(t, virtual, d.Addresses[0])
	untilPresent(t, r, d.Readers[0], true)
	for left := jpki.Tries(2); left >= 1; left-- {
		_, _, err := login(t.Context(), r, d.Readers[0], pin(t, "0000"), digest)
		if e, ok := errors.AsType[*jpki.Error](err); !ok || e.Reason != jpki.WrongPIN || e.Left != left {
			t.Errorf("got %v, want %d left", err, left)
		}
	}
	_, _, err := login(t.Context(), r, d.Readers[0], pin(t, cardtest.DemoPIN), digest)
	wantCard(t, err, jpki.LastTry)
	if n.verify.Load() != 2 {
		t.Errorf("VERIFY was sent %d times", n.verify.Load())
	}
	_, card := session(t, r, d.Readers[0])
	if err := card.UnlockLastTry(t.Context(), pin(t, cardtest.DemoPIN)); err != nil { // puts the shared card in order again
		t.Error(err)
	}
}

func BenchmarkLogin(b *testing.B) {
	d, r := pcsctest.Start(b), open(b)
	plug(b, newCard(b, "taro"), d.Addresses[0])
	untilPresent(b, r, d.Readers[0], true)
	code := pin(b, cardtest.DemoPIN)
	for b.Loop() {
		if _, _, err := login(b.Context(), r, d.Readers[0], code, digest); err != nil {
			b.Fatal(err)
		}
	}
}
