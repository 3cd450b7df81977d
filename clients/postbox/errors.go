package postbox

// Reason is why this service refused.
type Reason int

// The reasons.
const (
	_             Reason = iota
	LetterUnknown        // there is no such letter in this person's box
	PersonChanged        // the form was shown to somebody else than is signed in now
)

// String is the word for data-error.
func (r Reason) String() string {
	switch r {
	case LetterUnknown:
		return "letter_unknown"
	case PersonChanged:
		return "person_changed"
	}
	return "unknown"
}

// Error is every refusal of this package.
type Error struct{ Reason Reason }

// Error is for logs.
func (e *Error) Error() string { return "postbox: " + e.Reason.String() }
