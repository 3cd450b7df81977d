package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// pairingStep is how long each step of a login through a phone may take: until the code is read, until the number is given, until the card
// has signed, until the computer says yes. All four together are less than a login may take.
const pairingStep = 2 * time.Minute

// pairingState is where a pairing of a computer and a phone stands.
type pairingState string

// The states of a pairing.
const (
	pairingShown   pairingState = "shown"   // the computer shows the QR code
	pairingScanned pairingState = "scanned" // one phone's browser has it, and is asked for the number on the computer
	pairingMatched pairingState = "matched" // the number was right; from here on a card may be asked
	pairingSigned  pairingState = "signed"  // a good card signed; the computer is asked whether it is hers
	pairingSpent   pairingState = "spent"   // the login went on
	pairingEnded   pairingState = "ended"
)

// pairingMoves is the whole state machine.
var pairingMoves = map[pairingState][]pairingState{
	pairingShown:   {pairingScanned, pairingEnded},
	pairingScanned: {pairingMatched, pairingEnded},
	pairingMatched: {pairingMatched, pairingSigned, pairingEnded}, // again: another card, after one was refused
	pairingSigned:  {pairingSpent, pairingEnded},
	pairingSpent:   {},
	pairingEnded:   {},
}

// pairingEnd is why a pairing ended, as pages carry it in data-error.
type pairingEnd string

// The ends of a pairing.
const (
	endExpired      pairingEnd = "pairing_expired"
	endNumberWrong  pairingEnd = "number_wrong"
	endByPhone      pairingEnd = "stopped_by_phone"
	endByComputer   pairingEnd = "stopped_by_computer"
	endNotMine      pairingEnd = "not_mine" // the computer's user does not know the card
	endOfOtherLogin pairingEnd = "pairing_replaced"
)

// pairing is one login on a computer that a phone makes. Its id is in addresses and opens nothing: the computer proves itself by its login's
// cookie, the phone by its own.
type pairing struct {
	ID      string            `json:"-"`
	version ephemeral.Version // of the stored record

	State    pairingState         `json:"s"`
	Tx       string               `json:"t"`
	Key      []byte               `json:"k"`            // of the frames' MACs
	Number   string               `json:"n"`            // two digits, shown on the computer only
	Began    int64                `json:"b"`            // Unix seconds; frames count from here
	Until    int64                `json:"u"`            // when the next step must have been made
	Computer string               `json:"c,omitempty"`  // what it is, in words
	Phone    string               `json:"p,omitempty"`  // digest of the cookie of the browser that read the code first
	Device   string               `json:"d,omitempty"`  // what the phone is, in words
	Again    bool                 `json:"a,omitempty"`  // another phone read the code too
	Proof    *cardProof           `json:"pr,omitempty"` // of the card that signed
	Owner    federation.AccountID `json:"o,omitempty"`  // the folder that card will be tied to, if it opens none yet
	End      pairingEnd           `json:"e,omitempty"`
}

func (pr *pairing) move(to pairingState) error {
	if !slices.Contains(pairingMoves[pr.State], to) {
		return fmt.Errorf("pairing %s to %s: %w", pr.State, to, errMove)
	}
	pr.State = to
	return nil
}

// step moves on and gives the next step its time.
func (pr *pairing) step(to pairingState, now time.Time) error {
	if pr.over(now) {
		return fmt.Errorf("pairing is over: %w", errMove)
	}
	pr.Until = now.Add(pairingStep).Unix()
	return pr.move(to)
}

// over says whether nothing more can come of it.
func (pr *pairing) over(now time.Time) bool {
	return pr.State == pairingEnded || pr.State == pairingSpent || pr.Until <= now.Unix()
}

// end is why it is over without success; empty if it is not.
func (pr *pairing) end(now time.Time) pairingEnd {
	switch {
	case pr.State == pairingEnded:
		return pr.End
	case pr.State != pairingSpent && pr.Until <= now.Unix():
		return endExpired
	}
	return ""
}

// frame is what the QR code holds at the given time.
func (pr *pairing) frame(now time.Time) frame {
	return newFrame(pr.ID, pr.Key, max(0, now.Unix()-pr.Began))
}

// pairings keeps pairings in the ephemeral store.
type pairings struct {
	store ephemeral.Store
	now   func() time.Time
}

func pairingKey(id string) string { return "pairing:1:" + id }

// create begins a pairing for a login.
func (s pairings) create(ctx context.Context, tx, computer string) (*pairing, error) {
	now := s.now()
	pr := &pairing{
		ID: newID(), State: pairingShown, Tx: tx, Key: []byte(newSecret()), Number: newNumber(), Computer: computer,
		Began: now.Unix(), Until: now.Add(pairingStep).Unix(),
	}
	b, err := json.Marshal(pr)
	if err != nil {
		return nil, fmt.Errorf("encode pairing: %w", err)
	}
	if err := s.store.Create(ctx, pairingKey(pr.ID), b, transactionLife); err != nil {
		return nil, fmt.Errorf("store pairing: %w", err)
	}
	return pr, nil
}

// get returns the pairing, or ephemeral.ErrNotFound.
func (s pairings) get(ctx context.Context, id string) (*pairing, error) {
	if !wellFormedID(id) {
		return nil, ephemeral.ErrNotFound
	}
	rec, err := s.store.Get(ctx, pairingKey(id))
	if err != nil {
		return nil, err
	}
	pr := &pairing{ID: id, version: rec.Version}
	if err := json.Unmarshal(rec.Value, pr); err != nil {
		return nil, fmt.Errorf("decode pairing: %w", err)
	}
	return pr, nil
}

// change reads, decides and swaps until nobody came between: computer and phone act at once, and every decision is made on what is so.
func (s pairings) change(ctx context.Context, id string, decide func(*pairing) error) (*pairing, error) {
	for range 200 {
		pr, err := s.get(ctx, id)
		if err != nil {
			return nil, err
		}
		if err := decide(pr); err != nil {
			return pr, err
		}
		b, err := json.Marshal(pr)
		if err != nil {
			return nil, fmt.Errorf("encode pairing: %w", err)
		}
		err = s.store.Swap(context.WithoutCancel(ctx), pairingKey(id), pr.version, b, ephemeral.KeepLife)
		if err == nil {
			return pr, nil
		}
		if !errors.Is(err, ephemeral.ErrConflict) {
			return nil, fmt.Errorf("store pairing: %w", err)
		}
	}
	return nil, fmt.Errorf("pairing: %w", ephemeral.ErrConflict)
}

// stop ends a pairing that is not over; one that is stays as it is.
func (s pairings) stop(ctx context.Context, id string, why pairingEnd) (stopped bool, err error) {
	_, err = s.change(ctx, id, func(pr *pairing) error {
		if pr.over(s.now()) {
			return errMove
		}
		pr.End, pr.Proof, pr.Owner = why, nil, ""
		return pr.move(pairingEnded)
	})
	if errors.Is(err, errMove) || errors.Is(err, ephemeral.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// newNumber returns two digits from 10 to 99, each as likely: a phone that does not see the computer guesses one time in ninety, and has
// one guess.
func newNumber() string {
	for {
		if b := randomBytes(1)[0]; b < 180 {
			return fmt.Sprint(10 + b%90)
		}
	}
}

// parseNumber reads two digits as people type them; not ok is a slip of the finger and no guess.
func parseNumber(s string) (string, bool) {
	if len(s) > 40 {
		return "", false
	}
	s = strings.Map(func(r rune) rune {
		if r >= '０' && r <= '９' {
			return r - '０' + '0'
		}
		return r
	}, strings.TrimSpace(s))
	if len(s) != 2 || s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9' {
		return "", false
	}
	return s, true
}
