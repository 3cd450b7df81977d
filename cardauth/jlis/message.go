package jlis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
	"unicode/utf8"
)

// The questions, each at its own path below the service's address.
const (
	questionStatus       = "status"
	questionPredecessors = "predecessors"
	questionSigningOf    = "signing-of"
	questionAuthOf       = "auth-of"
	questionAttributes   = "attributes"
)

// question is what is posted.
type question struct {
	Reference   string  `json:"reference"` // random, base64url
	Certificate subject `json:"certificate"`
}

// subject is a certificate on the wire.
type subject struct {
	Authority string `json:"authority"`
	Serial    string `json:"serial"`
}

func (c Certificate) wire() subject { return subject{c.Authority, c.serial()} }

// answer is what comes back with status 200. Result says which of the members
// after it is there: one, or with "none" no one.
type answer struct {
	Reference   string  `json:"reference"`
	Certificate subject `json:"certificate"`
	AsOf        int64   `json:"as_of"` // Unix seconds
	Result      string  `json:"result"`

	Standing     string        `json:"standing,omitempty"`
	Reason       int           `json:"reason,omitempty"`
	Predecessors []subject     `json:"predecessors,omitempty"`
	Linked       *subject      `json:"linked,omitempty"`
	Attributes   *wireIdentity `json:"attributes,omitempty"`
}

type wireIdentity struct {
	Name      string `json:"name"`
	Address   string `json:"address"`
	Birthdate string `json:"birthdate"`
	Sex       string `json:"sex"`
}

// How far an answer's time may be from ours.
const (
	maxAge  = 48 * time.Hour // the authority's own data is renewed daily
	maxSkew = 2 * time.Minute
)

// parseAnswer reads an answer to q, or says why it is none. A sound answer that
// there is nothing is *Error with None.
func parseAnswer(body []byte, q question, now time.Time) (*answer, error) {
	bad := func(detail string) error { return &Error{Reason: Untrusted, Detail: detail} }
	if err := unambiguous(body); err != nil {
		return nil, &Error{Reason: Untrusted, Err: err}
	}
	a := new(answer)
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(a); err != nil {
		return nil, bad("answer is not of the expected form")
	}
	if a.Reference != q.Reference {
		return nil, bad("answer to another question")
	}
	if a.Certificate != q.Certificate {
		return nil, bad("answer about another certificate")
	}
	if at := time.Unix(a.AsOf, 0); at.After(now.Add(maxSkew)) || at.Before(now.Add(-maxAge)) {
		return nil, bad("answer is not of now")
	}
	switch a.Result {
	case "answered":
		return a, nil
	case "none":
		return nil, &Error{Reason: None}
	}
	return nil, bad("result unknown")
}

func (a *answer) status() (Status, error) {
	s := Status{AsOf: time.Unix(a.AsOf, 0), Reason: a.Reason}
	switch a.Standing {
	case "good":
		s.Standing = Good
	case "revoked":
		s.Standing = Revoked
	case "unknown":
		s.Standing = Unknown
	default:
		return Status{}, &Error{Reason: Untrusted, Detail: "standing unknown"}
	}
	if a.Reason < 0 || a.Reason > 10 || (a.Reason != 0 && s.Standing != Revoked) {
		return Status{}, &Error{Reason: Untrusted, Detail: "revocation reason"}
	}
	return s, nil
}

// predecessors reads the list. A list that names a certificate twice, or the
// one that was asked about, is not one that the authority would write.
func (a *answer) predecessors(of Certificate) ([]Certificate, error) {
	if len(a.Predecessors) == 0 || len(a.Predecessors) > MaxPredecessors {
		return nil, &Error{Reason: Untrusted, Detail: "number of predecessors"}
	}
	out := make([]Certificate, 0, len(a.Predecessors))
	for _, w := range a.Predecessors {
		c, err := ParseCertificate(w.Authority, w.Serial)
		if err != nil {
			return nil, &Error{Reason: Untrusted, Err: err}
		}
		if c == of || slices.Contains(out, c) {
			return nil, &Error{Reason: Untrusted, Detail: "a certificate twice"}
		}
		out = append(out, c)
	}
	return out, nil
}

// linked reads the other certificate of a card, which is not the one that was asked about.
func (a *answer) linked(of Certificate) (Certificate, error) {
	if a.Linked == nil {
		return Certificate{}, &Error{Reason: Untrusted, Detail: "no linked certificate"}
	}
	c, err := ParseCertificate(a.Linked.Authority, a.Linked.Serial)
	if err != nil {
		return Certificate{}, &Error{Reason: Untrusted, Err: err}
	}
	if c == of {
		return Certificate{}, &Error{Reason: Untrusted, Detail: "a certificate linked to itself"}
	}
	return c, nil
}

func (a *answer) identity() (Attributes, error) {
	if a.Attributes == nil {
		return Attributes{}, &Error{Reason: Untrusted, Detail: "no attributes"}
	}
	out := Attributes(*a.Attributes)
	if err := out.check(); err != nil {
		return Attributes{}, &Error{Reason: Untrusted, Err: err}
	}
	return out, nil
}

// maxDepth bounds the nesting of an answer.
const maxDepth = 4

// unambiguous refuses JSON that two readers could understand differently: a
// member twice, or in another spelling of its name, bytes that are not UTF-8,
// anything after the object.
func unambiguous(b []byte) error {
	if !utf8.Valid(b) {
		return errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("not a JSON object")
	}
	if err := members(d, 1); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something after the object")
	}
	return nil
}

// members reads an object up to its end.
func members(d *json.Decoder, depth int) error {
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok || seen[name] || !plainName(name) {
			return fmt.Errorf("member twice or misspelt")
		}
		seen[name] = true
		if err := value(d, depth); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func value(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if _, opens := t.(json.Delim); opens && depth == maxDepth {
		return errors.New("nested too deeply")
	}
	switch t {
	case json.Delim('{'):
		return members(d, depth+1)
	case json.Delim('['):
		for d.More() {
			if err := value(d, depth+1); err != nil {
				return err
			}
		}
		_, err := d.Token()
		return err
	case nil:
		return errors.New("null")
	}
	return nil
}

// plainName: package json matches names without regard to case; ours have none.
func plainName(s string) bool {
	for i := range len(s) {
		if s[i] != '_' && (s[i] < 'a' || s[i] > 'z') {
			return false
		}
	}
	return s != ""
}
