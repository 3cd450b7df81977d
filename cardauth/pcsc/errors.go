package pcsc

// Reason says why a reader could not be used.
type Reason int

// The reasons. There are no others. What happens once a card is connected is a *jpki.Error.
const (
	_              Reason = iota
	NotBuilt              // this program was built without PC/SC
	ServiceMissing        // the PC/SC service does not run, or does not answer
	ReaderMissing         // no reader is connected, or not the one that was named
	CardMissing           // the reader holds no card
	ReaderBusy            // another program has the card and does not let go
	CardMute              // what is in the reader does not answer: upside down, moved, or no chip card
	Fault                 // PC/SC said something else
)

// String returns a word for logs.
func (r Reason) String() string {
	switch r {
	case NotBuilt:
		return "not_built"
	case ServiceMissing:
		return "service_missing"
	case ReaderMissing:
		return "reader_missing"
	case CardMissing:
		return "card_missing"
	case ReaderBusy:
		return "reader_busy"
	case CardMute:
		return "card_mute"
	case Fault:
		return "fault"
	}
	return "fault"
}

// Error is every error of Open, Slots and Connect.
type Error struct {
	Reason Reason
	Detail string // for operators
	Err    error  // what PC/SC said, if it did
}

// Error describes the failure for a log.
func (e *Error) Error() string {
	s := "readers: " + e.Reason.String()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns what PC/SC said.
func (e *Error) Unwrap() error { return e.Err }
