package postbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// maxLetters is how many letters the list shows.
const maxLetters = 200

// letter is one in a box.
type letter struct {
	id, sub string
	content content
	arrived time.Time
	read    bool
}

// content is what is sealed. A letter of the house has a Template instead of words: it is read in whichever language its reader has
// chosen by then.
type content struct {
	Template string `json:"template,omitempty"` // prefix of message keys
}

type sealedLetter struct {
	letter
	sealed string
}

// newLetter is a letter of the house.
func newLetter(sub, template string, now time.Time) letter {
	return letter{id: rand.Text(), sub: sub, content: content{Template: template}, arrived: now}
}

// store puts a letter into its box; it joins the transaction in ctx.
func (s *Site) store(ctx context.Context, l letter) error {
	plain, err := json.Marshal(l.content)
	if err != nil {
		return fmt.Errorf("encode letter: %w", err)
	}
	if err := insertLetter(ctx, s.db, l, s.party.Seal(l.id, rp.NewSecret(string(plain)))); err != nil {
		return fmt.Errorf("store letter: %w", err)
	}
	return nil
}

// unseal opens what insertLetter was given.
func (s *Site) unseal(l sealedLetter) (letter, error) {
	plain, err := s.party.Open(l.id, l.sealed)
	if err != nil {
		return letter{}, fmt.Errorf("open letter: %w", err)
	}
	if err := json.Unmarshal([]byte(plain.Reveal()), &l.content); err != nil {
		return letter{}, fmt.Errorf("decode letter: %w", err)
	}
	return l.letter, nil
}
