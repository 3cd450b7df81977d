package clients

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/tsunagu-id/tsunagu/internal/govcode"
)

// Agency is an office that asks other offices for information about a citizen, or holds such information (番号法 Art 19). Its name is
// what citizens read in the record of exchanges.
type Agency struct {
	Body govcode.Body `json:"body_code"`
	Name string       `json:"name"`
	EN   string       `json:"name#en,omitempty"`
}

// UnmarshalJSON reads exactly the members there are.
func (a *Agency) UnmarshalJSON(b []byte) error {
	o, err := decodeObject(b)
	if err != nil {
		return err
	}
	for name, into := range map[string]any{"body_code": &a.Body, "name": &a.Name, "name#en": &a.EN} {
		raw := o.take(name)
		if raw == nil {
			continue
		}
		if bytes.Equal(raw, []byte("null")) {
			return errors.New("a member is null")
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return err
		}
	}
	if len(o.values) > 0 {
		return errors.New("a member is unknown")
	}
	return nil
}

// Agency returns the office the client is, or false.
func (c *Client) Agency() (Agency, bool) {
	if c.m.Agency == nil {
		return Agency{}, false
	}
	return *c.m.Agency, true
}

// checkAgency wants an office that can be told apart and held to what it signs.
func checkAgency(m *Metadata, faults *FieldErrors) {
	if m.Agency == nil {
		return
	}
	if _, err := govcode.ParseBody(string(m.Agency.Body)); err != nil {
		faults.add("agency.body_code", "is no code of an office", "write a municipality's six digits or a corporate number")
	}
	checkText(faults, "agency.name", m.Agency.Name, maxName, true)
	checkText(faults, "agency.name#en", m.Agency.EN, maxName, false)
	if m.Category != Government {
		faults.add("agency", "stands in the registration of a private service", "write category government, or leave it out")
	}
	if m.has(GrantTokenExchange) && m.JWKS == nil && m.JWKSURI == "" {
		faults.add("agency", "asks about citizens, but has no keys", "give jwks or jwks_uri: the office signs whom it asks about")
	}
}
