package federation

import "crypto/rand"

// AccountID names a person inside the hub. It is random, never shown to a
// service and never derived from a card: a renewed card is the same person.
type AccountID string

// NewAccountID returns an id nobody has, of at least 128 random bits.
func NewAccountID() AccountID { return AccountID(rand.Text()) }
