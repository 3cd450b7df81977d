package idp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
)

// decodeDetails returns the elements of an authorization_details array, numbers as they were written.
func decodeDetails(raw []byte) ([]map[string]any, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var out []map[string]any
	if err := d.Decode(&out); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || out == nil {
		return nil, errNotDetails
	}
	if slices.ContainsFunc(out, func(m map[string]any) bool { return m == nil }) {
		return nil, errNotDetails
	}
	return out, nil
}

var errNotDetails = &oauthError{code: "invalid_authorization_details", description: "authorization_details is not an array of objects"}

// narrowDetails returns the authorization details a token is to have: those asked for, each of which must be one that was granted, member
// for member (RFC 9396 §6). One that is asked for again is there once: each access token's record keeps what comes out. Nothing asked means
// all: the result is nil.
func narrowDetails(granted json.RawMessage, asked string) (json.RawMessage, error) {
	if asked == "" {
		return nil, nil
	}
	have, err := decodeDetails(granted)
	if err != nil {
		return nil, err // ours, and corrupt
	}
	want, err := decodeDetails([]byte(asked))
	if err != nil {
		return nil, errNotDetails
	}
	among := func(list []map[string]any, w map[string]any) bool {
		return slices.ContainsFunc(list, func(h map[string]any) bool { return reflect.DeepEqual(h, w) })
	}
	once := []map[string]any{}
	for _, w := range want {
		if !among(have, w) {
			return nil, &oauthError{code: "invalid_authorization_details", description: "authorization_details goes beyond what was granted"}
		}
		if !among(once, w) {
			once = append(once, w)
		}
	}
	return json.Marshal(once)
}

// detailsFor leaves out the details that are meant for other resources than these (RFC 9396 §2.2, locations).
func detailsFor(granted json.RawMessage, resources []string) json.RawMessage {
	all, err := decodeDetails(granted)
	if err != nil || len(all) == 0 {
		return nil
	}
	kept := slices.DeleteFunc(all, func(m map[string]any) bool {
		places, limited := m["locations"].([]any)
		return limited && !slices.ContainsFunc(places, func(at any) bool {
			s, ok := at.(string)
			return ok && slices.Contains(resources, s)
		})
	})
	if len(kept) == 0 {
		return nil
	}
	out, err := json.Marshal(kept)
	if err != nil {
		return nil
	}
	return out
}

// detailsOf returns the authorization details of an access token of the grant.
func (g *grant) detailsOf(a *accessRecord) json.RawMessage {
	if a.Details != nil {
		return a.Details
	}
	return g.Details
}
