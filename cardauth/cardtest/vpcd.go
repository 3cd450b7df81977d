package cardtest

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"time"
)

// ErrSlotTaken says that a reader let us connect and then did not ask: another
// card is in it, or it is no vpcd reader.
var ErrSlotTaken = errors.New("the reader does not ask for the card; is another one in it?")

// errUnnoticed says that the reader did not notice the change of cards.
var errUnnoticed = errors.New("the reader believes that the card before is still there")

const (
	insertTime = 6 * time.Second        // how long a reader may take to notice a card; pcscd polls every 400 ms
	emptyTime  = 900 * time.Millisecond // long enough for it to notice that none is there
	maxPolls   = 3                      // questions for the ATR before the card gets power
)

// What a vpcd reader sends as a message of one byte (vsmartcard, vpcd.h). A
// command of one byte can therefore not be sent at all.
const (
	vpcdOff   = 0
	vpcdOn    = 1
	vpcdReset = 2
	vpcdATR   = 4
)

// Plugged is a card in a vpcd reader, where pcscd and every PC/SC program see
// it. The open connection is the inserted card.
type Plugged struct {
	card     *Card
	conn     net.Conn
	inserted chan struct{} // closed when the reader has given power and asked for the ATR
	ended    chan struct{}
	stop     context.CancelFunc
	pull     sync.Once
	powered  bool // of serve alone, like polls
	polls    int
	err      error // why it ended; set before ended is closed
}

// Plug puts a card into the vpcd reader at addr and returns when the reader
// has noticed it and given it power. A reader that was busy when the last card
// went may not have seen that it went: then the card is taken out and put in
// again, as a hand would. ctx bounds the insertion only; the card stays in until Pull,
// until Card.Pull, or until the reader goes away. Another card, or the same
// one, can be plugged in afterwards.
func Plug(ctx context.Context, card *Card, addr string) (*Plugged, error) {
	ctx, cancel := context.WithTimeout(ctx, insertTime)
	defer cancel()
	for {
		p, err := plug(ctx, card, addr)
		if !errors.Is(err, errUnnoticed) {
			return p, err
		}
		pause := time.NewTimer(emptyTime)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, err
		}
	}
}

func plug(ctx context.Context, card *Card, addr string) (*Plugged, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("insert card: %w", err)
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	p := &Plugged{card: card, conn: conn, inserted: make(chan struct{}), ended: make(chan struct{}), stop: stop}
	go p.serve(life)
	select {
	case <-p.inserted:
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("insert card: %w", p.err)
	case <-ctx.Done():
		p.Pull()
		return nil, fmt.Errorf("insert card: %w", ErrSlotTaken)
	}
}

// Pull takes the card out and waits until it has forgotten what a card without
// power forgets. In the middle of a command its answer is lost.
func (p *Plugged) Pull() {
	p.pull.Do(func() {
		p.stop() // a mute card stops thinking
		_ = p.conn.Close()
	})
	<-p.ended
}

// Ended is closed when the card is no longer in the reader.
func (p *Plugged) Ended() <-chan struct{} { return p.ended }

// Err says why the card is out: nil after Pull, ErrPulled after Card.Pull and
// the like, otherwise what happened to the reader. It is nil until then.
func (p *Plugged) Err() error {
	select {
	case <-p.ended:
		return p.err
	default:
		return nil
	}
}

// serve answers the reader until one of the two goes.
func (p *Plugged) serve(ctx context.Context) {
	defer close(p.ended)
	defer p.card.PowerOff()
	defer p.stop()
	err := p.converse(ctx)
	_ = p.conn.Close()
	if ctx.Err() == nil { // not by Pull
		p.err = err
	}
}

func (p *Plugged) converse(ctx context.Context) error {
	in := bufio.NewReader(p.conn)
	for {
		message, err := p.receive(in)
		if err != nil {
			return err
		}
		var answer []byte
		if len(message) == 1 {
			answer, err = p.control(message[0])
		} else {
			answer, err = p.card.Transmit(ctx, message)
			// No bytes is a card that was pulled out in mid-command. A message
			// without bytes would hang the reader for good.
			if err == nil && len(answer) == 0 {
				err = ErrPulled
			}
		}
		if err == nil && answer != nil {
			err = p.send(answer)
		}
		if err != nil {
			return err
		}
	}
}

// control obeys the reader. Only the question for the ATR has an answer; it is
// also how the reader finds out that the card is still there.
func (p *Plugged) control(what byte) ([]byte, error) {
	switch what {
	case vpcdOff:
		p.card.PowerOff()
	case vpcdOn, vpcdReset:
		p.card.Reset()
		p.powered = true
	case vpcdATR:
		if p.card.isPulled() {
			return nil, ErrPulled
		}
		p.polls++
		select {
		case <-p.inserted:
		default:
			if p.powered {
				close(p.inserted)
			} else if p.polls == maxPolls {
				return nil, errUnnoticed
			}
		}
		return p.card.ATR(), nil
	}
	return nil, nil
}

// receive reads a message: two bytes of length, and the rest.
func (p *Plugged) receive(in *bufio.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return nil, err
	}
	// The reader sends length and body apart and waits for the acknowledgement
	// of the first: 40 ms for each command unless it comes early. The system
	// forgets the wish, so it is said every time.
	acknowledgeNow(p.conn)
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	if len(message) == 0 {
		return nil, errors.New("reader sent an empty message")
	}
	_, err := io.ReadFull(in, message)
	return message, err
}

// send writes an answer as one buffer: half of one is an answer to the reader.
func (p *Plugged) send(answer []byte) error {
	if len(answer) > math.MaxUint16 {
		return errors.New("answer does not fit a message")
	}
	message := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(answer)), uint16(len(answer))) //nolint:gosec // it fits
	_, err := p.conn.Write(append(message, answer...))
	return err
}

func (c *Card) isPulled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pulled
}
