package cardtest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

var _ jpki.Transmitter = (*Card)(nil)

// ErrPulled is what a reader says after the card has gone.
var ErrPulled = errors.New("card was pulled out of the reader")

// Config is a card as it leaves the factory.
type Config struct {
	Auth, Sign     *Leaf  // nil: a card without that certificate
	AuthCA, SignCA []byte // DER
	PIN            string // empty: DemoPIN
	Password       string // empty: DemoPassword
	Phone          bool   // a phone's token: the authentication certificate is behind the PIN
	Label          string // of the token; empty: the one that fits
	Filler         int    // bytes FF after each certificate
	State          string // file for PINs and counters; empty: they last as long as the Card
}

// Quirks are the ways in which cards differ, and fail. The zero value is a
// plastic card in order.
type Quirks struct {
	ATR              []byte        // nil: the contact card's
	BlockedSW        uint16        // answer to VERIFY when blocked; 0: 6984. Others report 6983 and 63C0
	Schemes          bool          // P1 01–05 of COMPUTE DIGITAL SIGNATURE
	ForgetOnReselect bool          // selecting the same application again drops the PIN
	Delay            time.Duration // per command
	Mute             bool          // never answers
	// FailAfter pulls the card out in the middle of the n-th command from now:
	// the command is executed, its answer is lost, and pcscd reports success
	// with no bytes. 0: does not.
	FailAfter int
	// Trace is told every command and answer, secrets masked.
	Trace func(command, answer []byte)
}

// Card is a virtual My Number Card. It is safe for concurrent use, one command
// at a time.
type Card struct {
	files map[uint16]file

	turn   sync.Mutex // held for one command
	mu     sync.Mutex // guards what follows
	quirks Quirks
	pins   memory
	state  security
	pulled bool
}

// security is what a card forgets without power.
type security struct {
	application application
	current     uint16          // the selected file; 0: none
	verified    map[uint16]bool // PIN files
}

// NewCard makes a card, or takes up the one whose PINs are in c.State.
func NewCard(c Config) (*Card, error) {
	if c.PIN == "" {
		c.PIN = DemoPIN
	}
	if c.Password == "" {
		c.Password = DemoPassword
	}
	card := &Card{files: makeFiles(c), pins: memory{path: c.State, own: freshPINs(c.PIN, c.Password)}, state: poweredOn()}
	_, err := card.pins.load()
	return card, err
}

func poweredOn() security { return security{application: issuerDomain, verified: map[uint16]bool{}} }

// ATR returns the answer to reset.
func (c *Card) ATR() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quirks.ATR != nil {
		return append([]byte(nil), c.quirks.ATR...)
	}
	return []byte{0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x31, 0xFE, 0x45, 0x14}
}

// Reset is a warm reset: the selected application and file and every verified
// PIN are forgotten, the counters stay.
func (c *Card) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = poweredOn()
}

// PowerOff forgets what Reset forgets.
func (c *Card) PowerOff() { c.Reset() }

// Pull takes the card out of the reader: every command fails until Put.
func (c *Card) Pull() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulled = true
}

// Put puts the card back, freshly powered.
func (c *Card) Put() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulled = false
	c.state = poweredOn()
}

// Behave changes the card's quirks.
func (c *Card) Behave(q Quirks) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quirks = q
}

// Transmit executes one command. The error is never about the command: that
// is what status words are for.
func (c *Card) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.mu.Lock()
	quirks := c.quirks
	c.mu.Unlock()
	if err := quirks.wait(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pulled {
		return nil, ErrPulled
	}
	answer := c.execute(command)
	if c.quirks.Trace != nil {
		c.quirks.Trace(masked(command), answer)
	}
	if c.quirks.FailAfter > 0 {
		if c.quirks.FailAfter--; c.quirks.FailAfter == 0 {
			c.pulled = true
			return nil, nil
		}
	}
	return answer, nil
}

// wait is the card thinking.
func (q Quirks) wait(ctx context.Context) error {
	if q.Mute {
		<-ctx.Done()
	}
	if q.Delay > 0 {
		t := time.NewTimer(q.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// masked hides the body of commands that carry a secret.
func masked(command []byte) []byte {
	out := append([]byte(nil), command...)
	if len(out) > 5 && (out[1] == insVerify || out[1] == insChange) {
		for i := 5; i < len(out); i++ {
			out[i] = '*'
		}
	}
	return out
}
