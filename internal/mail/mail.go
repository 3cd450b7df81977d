package mail

import (
	"context"
	"fmt"
	"time"
	"unicode"
)

// Bounds of a message, in bytes.
const (
	maxSubject = 200
	maxText    = 64 << 10
)

// Message is plain text for one person. Its zero fields are errors.
type Message struct {
	// ID is the local part of the Message-ID (RFC 5322 §3.6.4), the same at every try, so that mailboxes and people can tell a
	// repetition: letters, digits, "-" and "_".
	ID      string
	To      Address
	Subject string
	Text    string
	Date    time.Time
}

// Sender hands messages to a mail server. Its errors are *Error.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// Stage is how far a message came, from a closed set.
type Stage string

// The stages.
const (
	StageMessage   Stage = "message"   // the message itself is not fit to be sent
	StageConnect   Stage = "connect"   // no server, no TLS, no greeting, or no permission
	StageSender    Stage = "sender"    // the server does not take our address
	StageRecipient Stage = "recipient" // the server does not take the recipient's
	StageContent   Stage = "content"   // the server does not take the message
)

// Error says where sending ended. It quotes nothing that a server said.
type Error struct {
	Stage Stage
	Code  int // of the server's reply (RFC 5321 §4.2); 0: it gave none
	// Permanent: trying again with the same message is of no use.
	Permanent bool
}

func (e *Error) Error() string {
	if e.Code == 0 {
		return fmt.Sprintf("mail: %s: no answer", e.Stage)
	}
	return fmt.Sprintf("mail: %s: code %d", e.Stage, e.Code)
}

// check refuses what would not be one message with these headers.
func (m Message) check() error {
	bad := &Error{Stage: StageMessage, Permanent: true}
	if m.To.s == "" || m.Date.IsZero() || m.Text == "" || m.Subject == "" || len(m.Subject) > maxSubject || len(m.Text) > maxText || m.ID == "" || len(m.ID) > 64 {
		return bad
	}
	for _, r := range m.ID {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_' {
			return bad
		}
	}
	for _, r := range m.Subject {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar {
			return bad
		}
	}
	return nil
}
