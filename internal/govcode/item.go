package govcode

import "errors"

// Item is a 特定個人情報名コード: what is exchanged, TM and fourteen digits. The zero value is unusable.
type Item string

// Procedure is a 手続コード: what it is exchanged for, JT and fourteen digits. The zero value is unusable.
type Procedure string

// Faults of a code.
var (
	ErrNotItem      = errors.New("govcode: an item is TM and 14 digits")
	ErrNotProcedure = errors.New("govcode: a procedure is JT and 14 digits")
)

// ParseItem reads the sixteen characters.
func ParseItem(s string) (Item, error) {
	if !lettered(s, "TM") {
		return "", ErrNotItem
	}
	return Item(s), nil
}

// ParseProcedure reads the sixteen characters.
func ParseProcedure(s string) (Procedure, error) {
	if !lettered(s, "JT") {
		return "", ErrNotProcedure
	}
	return Procedure(s), nil
}

func lettered(s, letters string) bool {
	return len(s) == 16 && s[:2] == letters && digits(s[2:])
}

// String returns the sixteen characters.
func (i Item) String() string { return string(i) }

// String returns the sixteen characters.
func (p Procedure) String() string { return string(p) }
