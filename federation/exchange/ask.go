package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"

	"github.com/tsunagu-id/tsunagu/internal/govcode"
)

// Type is the type of authorization details (RFC 9396 §2) of an exchange.
const Type = "urn:tsunagu:exchange"

// Ground is why a citizen must not read of an exchange, or 0.
type Ground int

// The two grounds of 番号法 Art 23(2).
const (
	Disclosed     Ground = 0
	PersonalInfo  Ground = 1 // 個人情報保護法 Art 78(1)
	NumberActRead Ground = 2 // the same as applied by 番号法 Art 31(3)
)

// ParseGround reads 0, 1 or 2.
func ParseGround(n int) (Ground, error) {
	if n < int(Disclosed) || n > int(NumberActRead) {
		return 0, malformed("nondisclosure must be 0, 1 or 2")
	}
	return Ground(n), nil
}

// Ask is what an office asks for: one item, for one procedure, on one basis.
type Ask struct {
	Basis   BasisName
	Purpose govcode.Procedure
	Item    govcode.Item
	Ground  Ground // that the requester knows of
}

// maxAsk is the longest list of authorization details that is looked at, in bytes.
const maxAsk = 2 << 10

// ParseAsk reads authorization_details (RFC 9396 §2): a list of one object with exactly the members there are, each once.
func ParseAsk(raw string) (Ask, error) {
	var a Ask
	if len(raw) > maxAsk {
		return a, malformed("authorization_details is longer than 2 KiB")
	}
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(raw), &list); err != nil || len(list) != 1 {
		return a, malformed("authorization_details must be a list of one object")
	}
	o, err := members(list[0])
	if err != nil {
		return a, err
	}
	var typ, basis, purpose string
	var items []string
	ground := 0
	for name, into := range map[string]any{"type": &typ, "basis": &basis, "purpose": &purpose, "items": &items} {
		value, ok := o[name]
		if !ok || bytes.Equal(value, []byte("null")) || json.Unmarshal(value, into) != nil {
			return a, malformed(name + " is missing, or of another kind")
		}
		delete(o, name)
	}
	if value, ok := o["nondisclosure"]; ok {
		if ground, err = strconv.Atoi(string(value)); err != nil {
			return a, malformed("nondisclosure must be 0, 1 or 2")
		}
		delete(o, "nondisclosure")
	}
	switch {
	case len(o) > 0:
		return a, malformed("a member is unknown")
	case typ != Type:
		return a, malformed("type must be " + Type)
	case len(items) != 1:
		return a, malformed("items must name one item")
	}
	if a.Ground, err = ParseGround(ground); err != nil {
		return a, err
	}
	if a.Basis, err = ParseBasisName(basis); err != nil {
		return a, malformed(err.Error())
	}
	if a.Purpose, err = govcode.ParseProcedure(purpose); err != nil {
		return a, malformed("purpose must be JT and 14 digits")
	}
	if a.Item, err = govcode.ParseItem(items[0]); err != nil {
		return a, malformed("an item must be TM and 14 digits")
	}
	return a, nil
}

// members reads exactly one JSON object, each member once.
func members(raw []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, malformed("must be one object")
	}
	out := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, malformed("must be one object")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, malformed("must be one object")
		}
		if _, twice := out[name]; twice {
			return nil, malformed("a member appears twice")
		}
		out[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed("must be one object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed("nothing may follow the object")
	}
	return out, nil
}

// Details is what was granted, as tokens carry it (RFC 9396 §9): what was asked for, and which office asks by which law.
func (a Ask) Details(p Permit) json.RawMessage {
	b, err := json.Marshal([]struct {
		Type      string            `json:"type"`
		Basis     BasisName         `json:"basis"`
		Purpose   govcode.Procedure `json:"purpose"`
		Items     []govcode.Item    `json:"items"`
		Requester govcode.Body      `json:"requester"`
		Law       string            `json:"law"`
	}{{Type, a.Basis, a.Purpose, []govcode.Item{a.Item}, p.Basis.Requester, p.Basis.Law}})
	if err != nil {
		return nil // strings only: there is nothing to fail
	}
	return b
}
