package pcsc

// Slot is a reader as it was when it was looked at.
type Slot struct {
	Reader string // the name PC/SC gives it
	Card   bool   // something is in it
	// Insertion counts how often cards came and went, where the system counts it: another number is perhaps another card.
	Insertion uint16
}
