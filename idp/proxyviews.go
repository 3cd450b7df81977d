package idp

import (
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// chooseView is the data of represent.html.
type chooseView struct {
	Tx      string
	Service serviceView
	Options []chooseOption
	Ended   bool // the choice that was made is none any more
}

type chooseOption struct {
	ID, Name string
	Until    time.Time
}

// mandateView is what one of the two sees of a mandate: Name is the note to the principal, and to the representative what the principal
// wants to be called.
type mandateView struct {
	ID, State, Name, Number string
	Services                []string
	Since, Until, AnswerBy  time.Time
	History                 []mandateMoveView
	Uses                    []mandateUseView
}

type mandateMoveView struct {
	To, By, Why string
	At          time.Time
}

type mandateUseView struct {
	Service string
	At      time.Time
}

// givenView is the data of representatives.html.
type givenView struct {
	Done      string
	Live, Old []mandateView
}

// givenNewView is the data of representative-new.html.
type givenNewView struct {
	ID, Name, Note string
	Months, Most   int
	Services       []delegableView
	Periods        []web.Option
	Problems       []web.FieldError

	chosen []clients.ID
}

// Problem is what is wrong with a field, empty for nothing.
func (v givenNewView) Problem(field string) string {
	for _, p := range v.Problems {
		if p.Field == field {
			return p.Text
		}
	}
	return ""
}

type delegableView struct {
	ID, Name, Operator string
	Chosen             bool
}

// inviteView is the data of representative-code.html.
type inviteView struct {
	Code, Note, Issuer, Path string
	AnswerBy                 time.Time
}

// confirmMandateView is the data of representative-confirm.html.
type confirmMandateView struct {
	Mandate        mandateView
	Value, Problem string
}

// mandateEndView is the data of representative-end.html.
type mandateEndView struct {
	Mandate mandateView
	List    string // where the reader came from
	Mine    bool   // the reader gave it
}

// heldView is the data of representing.html.
type heldView struct {
	Done, Value, Problem string
	Hours                int
	Live, Old            []mandateView
}

// acceptView is the data of representing-accept.html.
type acceptView struct {
	Mandate mandateView
	Code    string
}
