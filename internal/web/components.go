package web

import "time"

// The data of the components, one struct each. In a template a component is written
//
//	{{template "button" (button "label" (t "login.card.button") "id" "card-login")}}
//
// or handed a struct made in Go. All fields are text in the reader's language unless they say otherwise.

// Button acts (in a form) or, with Href, moves.
type Button struct {
	Label     string
	Kind      string // main (default), line, danger, text
	Size      string // "" or small (in lists)
	ID        string
	Href      string // makes it a link
	Name      string
	Value     string
	Context   string // read out after the label where several buttons say the same
	Hook      string // data-<Hook>="<HookValue>" for scripts and robots
	HookValue string
	Current   bool // the button of the page one is on
}

// Banner tells the outcome of an act, or something to know first.
type Banner struct {
	Kind    string // ok, info, warn, error, quiet
	Title   string
	Body    string
	Lines   []string // further paragraphs
	Status  bool     // read out at once (role=status), after an act
	Buttons []Button
	Level   int // heading level; 0 means 2
}

// ErrorSummary stands above the h1 of a form that was refused.
type ErrorSummary struct{ Items []FieldError }

// FieldError links to a field with the words that stand at it.
type FieldError struct{ Field, Text string }

// Field is a labelled input.
type Field struct {
	ID           string // also the name, unless Name is set
	Name         string
	Label        string
	Hint         string
	Error        string
	Type         string // "" means text
	Value        string // never filled in for type=password
	Autocomplete string
	Inputmode    string
	MaxLength    int
	Mark         string // "", required or optional, in words
	Width        string // "" full, or short
}

// Area is a labelled input of several lines.
type Area struct {
	ID, Name, Label, Hint, Error string
	Value                        string
	Mark                         string // "", required or optional
	Rows                         int    // 0 means 4
	Code                         bool   // addresses, keys: not prose
	MaxLength                    int
}

// Select is a labelled choice from a list.
type Select struct {
	ID, Name, Label, Hint, Error string
	Mark                         string // "", required or optional
	Options                      []Option
}

// Option is one line of a Select.
type Option struct {
	Value, Label string
	Selected     bool
}

// Steps is a numbered way with a place marked on it.
type Steps struct {
	Label string // what the list is
	Items []Step
}

// Step is one of them.
type Step struct {
	Label string
	Text  string
	State string // done, current, todo, error
}

// StatusLine is one line that is read out when it changes.
type StatusLine struct {
	ID, Text string
	Busy     bool
}

// DescriptionList is terms and values.
type DescriptionList struct{ Items []Description }

// Description is one row.
type Description struct {
	Term   string
	Values []string
	Value  string // in place of Values, for one
	Button Button
}

// Table scrolls sideways in its own box. Empty stands in its place when there are no rows.
type Table struct {
	ID, Caption, Empty string
	Cols               []string
	Rows               [][]string
}

// Tile is a card with one action.
type Tile struct {
	ID, Badge, Title, Text, Note string
	Chip, ChipKind               string
	Action                       string // POST address; empty: the Button is a link or there is none
	Hidden                       []Hidden
	Button                       Button
	Level                        int // heading level; 0 means 2
	Hook, HookValue              string
	Down                         time.Time // since when it does not answer; zero: it does, or nobody knows
}

// Hidden is a hidden field.
type Hidden struct{ Name, Value string }

// Chip is a state in a word or two.
type Chip struct {
	Text string
	Kind string // ok, warn, error, info, quiet (default)
}

// Explain is the fold that makes a manual unnecessary.
type Explain struct {
	Title  string
	Points []string
	Open   bool
	Link   Button
}

// Confirm is a page's body that asks before something that cannot be undone.
type Confirm struct {
	Title     string
	Text      string
	Points    []string // what will happen
	Action    string   // POST address
	Hidden    []Hidden
	Submit    Button
	BackLabel string
	BackHref  string
	BackID    string
}

// Empty says why there is nothing and what fills it.
type Empty struct {
	Title, Text string
	Button      Button
}
