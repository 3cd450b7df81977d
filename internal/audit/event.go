package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// maxText bounds each text of an event, in bytes. What is longer is cut: an event is not lost because a stranger sent a
	// long client id.
	maxText = 256
	// maxFacts bounds the number of facts. More are a mistake of ours and an error.
	maxFacts = 16
)

// Kind says what happened, "login.succeeded". The package that owns the event declares it as a constant.
type Kind string

var (
	kindPattern = regexp.MustCompile(`^[a-z]+(\.[a-z_]+)+$`)
	factPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
)

// Event is one thing that happened. It carries no personal data and no secrets: identifiers and closed words only. Every field
// but Kind may be empty.
type Event struct {
	Kind    Kind
	Account string // internal id of the person it is about
	Client  string // client id
	Session string // public id of a session, never its secret
	Actor   string // who caused it, if not the person: an operator, a client, a program
	Reason  string // why, a word of the owner's closed set
	Trace   string // id of the request, as the citizen sees it on an error page
	// Facts are a few short details. Keys look like "source", values are cut at 256 bytes.
	Facts map[string]string
}

// Row is an event in the log.
type Row struct {
	Seq int64     // from 1, without gaps
	At  time.Time // UTC, to the microsecond
	Event
	Hash, Prev [32]byte
}

// stored is an event in the spelling that is written and hashed.
type stored struct {
	seq   int64
	at    int64 // Unix microseconds
	texts [numTexts]string
	prev  [32]byte
}

// The texts of a row, in the order in which they are hashed.
const (
	textKind = iota
	textAccount
	textClient
	textSession
	textActor
	textReason
	textTrace
	textFacts
	numTexts
)

// encode judges an event and cuts it to size. Sequence, time and previous hash are filled in later.
func encode(e Event) (stored, error) {
	if !kindPattern.MatchString(string(e.Kind)) || len(e.Kind) > maxText {
		return stored{}, fmt.Errorf("audit: malformed kind %q", e.Kind)
	}
	if len(e.Facts) > maxFacts {
		return stored{}, fmt.Errorf("audit: %s with %d facts", e.Kind, len(e.Facts))
	}
	facts := make(map[string]string, len(e.Facts))
	for k, v := range e.Facts {
		if !factPattern.MatchString(k) {
			return stored{}, fmt.Errorf("audit: %s with malformed fact %q", e.Kind, k)
		}
		facts[k] = clean(v)
	}
	text, err := json.Marshal(facts) // sorts the keys
	if err != nil {
		return stored{}, err
	}
	return stored{texts: [numTexts]string{
		textKind:    string(e.Kind),
		textAccount: clean(e.Account),
		textClient:  clean(e.Client),
		textSession: clean(e.Session),
		textActor:   clean(e.Actor),
		textReason:  clean(e.Reason),
		textTrace:   clean(e.Trace),
		textFacts:   string(text),
	}}, nil
}

// decode is the reverse of encode, for reading.
func (s stored) decode(hash [32]byte) (Row, error) {
	r := Row{
		Seq: s.seq,
		At:  time.UnixMicro(s.at).UTC(),
		Event: Event{
			Kind:    Kind(s.texts[textKind]),
			Account: s.texts[textAccount],
			Client:  s.texts[textClient],
			Session: s.texts[textSession],
			Actor:   s.texts[textActor],
			Reason:  s.texts[textReason],
			Trace:   s.texts[textTrace],
		},
		Hash: hash,
		Prev: s.prev,
	}
	if err := json.Unmarshal([]byte(s.texts[textFacts]), &r.Facts); err != nil {
		return Row{}, errors.New("facts are not an object of strings")
	}
	return r, nil
}

// clean makes a text storable on both databases and harmless on a terminal: valid UTF-8, no control or format characters, cut.
func clean(s string) string {
	if len(s) > 2*maxText {
		s = s[:2*maxText] // bounds the work; the rest is cut below anyway
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return '\uFFFD'
		}
		return r
	}, s)
	if len(s) <= maxText {
		return s
	}
	end := maxText - len("…")
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
