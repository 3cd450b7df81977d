package cardtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// reader is the other side of a vpcd slot.
type reader struct {
	t    *testing.T
	l    net.Listener
	conn net.Conn
}

func newReader(t *testing.T) *reader {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &reader{t: t, l: l}
}

// plug inserts a card; the reader sees it, gives it power and asks for its ATR.
func (r *reader) plug(card *Card) *Plugged {
	r.t.Helper()
	done := make(chan *Plugged)
	go func() {
		p, err := Plug(r.t.Context(), card, r.l.Addr().String())
		if err != nil {
			r.t.Error(err)
		}
		done <- p
	}()
	var err error
	if r.conn, err = r.l.Accept(); err != nil {
		r.t.Fatal(err)
	}
	for range 2 {
		if atr := r.ask(vpcdATR); !bytes.Equal(atr, card.ATR()) {
			r.t.Errorf("ATR % X", atr)
		}
		r.tell(vpcdOn)
	}
	p := <-done
	if p == nil {
		r.t.FailNow()
	}
	r.t.Cleanup(p.Pull)
	return p
}

// tell sends a message in two writes, like Debian's driver. A card that has
// gone does not hear it.
func (r *reader) tell(message ...byte) {
	var length [2]byte
	binary.BigEndian.PutUint16(length[:], uint16(len(message)))
	for _, part := range [][]byte{length[:], message} {
		_, _ = r.conn.Write(part)
	}
}

// ask sends a message and returns the answer, nil for a card that has gone.
func (r *reader) ask(message ...byte) []byte {
	r.t.Helper()
	r.tell(message...)
	_ = r.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	var length [2]byte
	if _, err := io.ReadFull(r.conn, length[:]); err != nil {
		return nil
	}
	answer := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(r.conn, answer); err != nil {
		r.t.Fatal(err)
	}
	return answer
}

func vpcdCard(t *testing.T) *Card {
	t.Helper()
	card, err := NewCard(Config{})
	if err != nil {
		t.Fatal(err)
	}
	return card
}

var (
	rawSelectJPKI = []byte{0x00, 0xA4, 0x04, 0x0C, 0x0A, 0xD3, 0x92, 0xF0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01}
	rawSelectPIN  = []byte{0x00, 0xA4, 0x02, 0x0C, 0x02, 0x00, 0x18}
	rawVerifyPIN  = []byte{0x00, 0x20, 0x00, 0x80, 0x04, '1', '2', '3', '4'}
	rawAskTries   = []byte{0x00, 0x20, 0x00, 0x80}
)

func TestVPCDCarriesCommandsAndPower(t *testing.T) {
	t.Parallel()
	r := newReader(t)
	p := r.plug(vpcdCard(t))
	for _, power := range []byte{vpcdOn, vpcdReset, vpcdOff} {
		r.tell(power)
		if got := r.ask(rawSelectPIN...); bytes.Equal(got, []byte{0x90, 0x00}) {
			t.Errorf("after %d the application is still selected", power)
		}
		for _, command := range [][]byte{rawSelectJPKI, rawSelectPIN, rawVerifyPIN} {
			if got := r.ask(command...); !bytes.Equal(got, []byte{0x90, 0x00}) {
				t.Errorf("% X: % X", command, got)
			}
		}
		if got := r.ask(vpcdATR); len(got) != 9 { // the presence poll between two commands
			t.Errorf("ATR % X", got)
		}
		if got := r.ask(rawAskTries...); !bytes.Equal(got, []byte{0x63, 0xC3}) {
			t.Errorf("tries: % X", got)
		}
	}
	if err := p.Err(); err != nil {
		t.Error(err)
	}
	p.Pull()
	if got := r.ask(rawAskTries...); got != nil || p.Err() != nil {
		t.Errorf("pulled out: % X, %v", got, p.Err())
	}
}

func TestVPCDSwapsCards(t *testing.T) {
	t.Parallel()
	r, one, other := newReader(t), vpcdCard(t), vpcdCard(t)
	other.Behave(Quirks{ATR: []byte{0x3B, 0x88, 0x80, 0x01, 0, 0, 5, 0xE0, 0xB3, 0x81, 0xA1, 0, 0x7F}})
	r.plug(one).Pull()
	r.plug(other).Pull()
	p := r.plug(one)
	one.Pull() // by hand: noticed at the next poll
	if got := r.ask(vpcdATR); got != nil {
		t.Errorf("a card that was pulled out answered % X", got)
	}
	<-p.Ended()
	if !errors.Is(p.Err(), ErrPulled) {
		t.Error(p.Err())
	}
	one.Put()
	r.plug(one)
}

func TestVPCDLosesTheAnswerOfACardPulledInMidCommand(t *testing.T) {
	t.Parallel()
	r, card := newReader(t), vpcdCard(t)
	p := r.plug(card)
	card.Behave(Quirks{FailAfter: 2})
	if got := r.ask(rawSelectJPKI...); len(got) != 2 {
		t.Errorf("% X", got)
	}
	if got := r.ask(rawSelectPIN...); got != nil {
		t.Errorf("% X", got)
	}
	<-p.Ended()
	if !errors.Is(p.Err(), ErrPulled) {
		t.Error(p.Err())
	}
}

// A reader that believes that the card before is still there polls and gives no power.
func TestVPCDComesAgainWhenItIsNotNoticed(t *testing.T) {
	t.Parallel()
	r := newReader(t)
	done := make(chan error)
	go func() {
		_, err := Plug(t.Context(), vpcdCard(t), r.l.Addr().String())
		done <- err
	}()
	var err error
	if r.conn, err = r.l.Accept(); err != nil {
		t.Fatal(err)
	}
	for range maxPolls - 1 {
		if r.ask(vpcdATR) == nil {
			t.Error("gone too soon")
		}
	}
	if r.ask(vpcdATR) != nil {
		t.Error("still there")
	}
	if r.conn, err = r.l.Accept(); err != nil {
		t.Fatal(err)
	}
	r.tell(vpcdOn)
	if r.ask(vpcdATR) == nil {
		t.Error("no ATR")
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestVPCDPullsAMuteCard(t *testing.T) {
	t.Parallel()
	r, card := newReader(t), vpcdCard(t)
	p := r.plug(card)
	card.Behave(Quirks{Mute: true})
	r.tell(rawSelectJPKI...)
	p.Pull()
}

func TestVPCDEndsWithItsReader(t *testing.T) {
	t.Parallel()
	r := newReader(t)
	p := r.plug(vpcdCard(t))
	if err := r.conn.Close(); err != nil {
		t.Fatal(err)
	}
	<-p.Ended()
	if p.Err() == nil {
		t.Error("no reason")
	}
	r.plug(vpcdCard(t))
	r.tell() // an empty message
	buf := make([]byte, 1)
	if _, err := r.conn.Read(buf); err == nil {
		t.Error("an empty message was answered")
	}
}

func TestPlugIntoNothing(t *testing.T) {
	t.Parallel()
	r := newReader(t) // accepts nobody: the queue does
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Plug(ctx, vpcdCard(t), r.l.Addr().String()); !errors.Is(err, ErrSlotTaken) {
		t.Errorf("taken: %v", err)
	}
	_ = r.l.Close()
	if _, err := Plug(t.Context(), vpcdCard(t), r.l.Addr().String()); err == nil || errors.Is(err, ErrSlotTaken) {
		t.Errorf("nobody there: %v", err)
	}
}
