package federation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// maxBody is the largest document that names one thing, in bytes; the ones the API knows are under two hundred. maxTies is that of a list of
// maxPage ties.
const (
	maxBody = 4 << 10
	maxTies = 256 << 10
)

// decode reads the document {"name":"value"} and returns the value: the right
// media type, exactly this member, spelled exactly so, and nothing after the
// object. What two parsers could read differently is refused.
func decode(r *http.Request, name string) (string, error) {
	all, err := decodeMembers(r, name, "")
	return all[name], err
}

// decodeMembers is decode for a document that may have a second member.
func decodeMembers(r *http.Request, name, other string) (map[string]string, error) {
	d, err := document(r, maxBody)
	if err != nil {
		return nil, err
	}
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, malformed("the body must be one object with the member " + name)
	}
	all := map[string]string{}
	for d.More() {
		key, err := member(d, all, name, other)
		if err != nil {
			return nil, err
		}
		t, err := d.Token()
		value, ok := t.(string)
		if err != nil || !ok {
			return nil, malformed(key + " must be a string")
		}
		all[key] = value
	}
	if _, ok := all[name]; !ok {
		return nil, malformed("the body must be one object with the member " + name)
	}
	if err := closed(d); err != nil {
		return nil, err
	}
	return all, nil
}

// member reads the next name of an object, one of those that are known, and each once.
func member(d *json.Decoder, had map[string]string, known ...string) (string, error) {
	t, err := d.Token()
	key, ok := t.(string)
	if err != nil || !ok {
		return "", malformed("the body must be one object")
	}
	for _, k := range known {
		if _, again := had[key]; key == k && k != "" && !again {
			return key, nil
		}
	}
	return "", malformed("the body has a member that is unknown or comes twice")
}

// closed reads the end of an object, after which nothing may follow.
func closed(d *json.Decoder) error {
	if t, err := d.Token(); err != nil || t != json.Delim('}') {
		return malformed("the object is not closed")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return malformed("nothing may follow the object")
	}
	return nil
}

// document reads a bounded JSON body.
func document(r *http.Request, most int64) (*json.Decoder, error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return nil, malformed("the content type must be application/json")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err != nil {
		return nil, malformed("the body could not be read")
	}
	if int64(len(body)) > most {
		return nil, malformed(fmt.Sprintf("the body must not exceed %d bytes", most))
	}
	return json.NewDecoder(bytes.NewReader(body)), nil
}

// saidTie is what a service says of a link: its state, linked or broken, and which tie it speaks of; empty: it names none.
type saidTie struct {
	state State
	tie   string
}

func decodeTie(r *http.Request) (saidTie, error) {
	all, err := decodeMembers(r, "state", "tie")
	if err != nil {
		return saidTie{}, err
	}
	s := saidTie{state: State(all["state"]), tie: all["tie"]}
	if s.state != Linked && s.state != Broken {
		return saidTie{}, malformed("state must be linked or broken")
	}
	if _, given := all["tie"]; given && !named(s.tie, maxTie) {
		return saidTie{}, malformed("tie must be 1 to 64 letters, digits, _ or -")
	}
	return s, nil
}

// tieOf is one tie of a census.
type tieOf struct {
	Sub string
	Tie string
}

// decodeTies reads {"ties":[{"sub":"…","tie":"…"},…]}: at most maxPage, each person once, and nothing else.
func decodeTies(r *http.Request) ([]tieOf, error) {
	d, err := document(r, maxTies)
	if err != nil {
		return nil, err
	}
	for _, want := range []json.Token{json.Delim('{'), "ties", json.Delim('[')} {
		if t, err := d.Token(); err != nil || t != want {
			return nil, malformed("the body must be one object with the member ties, an array")
		}
	}
	var all []tieOf
	seen := map[string]bool{}
	for d.More() {
		t, err := decodeTieOf(d)
		if err != nil {
			return nil, err
		}
		if seen[t.Sub] || len(all) == maxPage {
			return nil, malformed(fmt.Sprintf("ties must hold each person once, and at most %d", maxPage))
		}
		seen[t.Sub] = true
		all = append(all, t)
	}
	if t, err := d.Token(); err != nil || t != json.Delim(']') {
		return nil, malformed("ties is not closed")
	}
	if err := closed(d); err != nil {
		return nil, err
	}
	return all, nil
}

func decodeTieOf(d *json.Decoder) (tieOf, error) {
	bad := malformed("a tie must be an object with sub and tie")
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return tieOf{}, bad
	}
	all := map[string]string{}
	for d.More() {
		key, err := member(d, all, "sub", "tie")
		if err != nil {
			return tieOf{}, err
		}
		t, err := d.Token()
		value, ok := t.(string)
		if err != nil || !ok {
			return tieOf{}, bad
		}
		all[key] = value
	}
	if t, err := d.Token(); err != nil || t != json.Delim('}') {
		return tieOf{}, bad
	}
	// A name that cannot be one of ours is nobody's, which is an answer and no error.
	if all["sub"] == "" || all["tie"] != "" && !named(all["tie"], maxTie) {
		return tieOf{}, bad
	}
	return tieOf{all["sub"], all["tie"]}, nil
}

func malformed(detail string) error { return &Error{Reason: RequestMalformed, Detail: detail} }
