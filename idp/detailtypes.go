package idp

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tsunagu-id/tsunagu/cardauth/ades"
)

// Bounds of an authorization_details parameter.
const (
	maxDetailsBytes = 8 << 10
	maxDetails      = 8
	maxDetailList   = 16  // values of one member
	maxDetailCode   = 64  // bytes of a code
	maxDetailURI    = 512 // bytes of a location
	maxDetailText   = 100 // characters a citizen reads
)

// detail is one element of authorization_details (RFC 9396 §2) of a type that this hub knows. Only what stands here exists: a member that
// nobody can show to the citizen is refused, not ignored.
type detail struct {
	Type       string   `json:"type"`
	Locations  []string `json:"locations,omitempty"`
	Actions    []string `json:"actions,omitempty"`
	Identifier string   `json:"identifier,omitempty"`
	DataTypes  []string `json:"datatypes,omitempty"`
	Purpose    string   `json:"purpose,omitempty"`

	Document *ades.Document `json:"document,omitempty"`
}

// detailType says what an element of one type may and must have.
type detailType struct {
	may  []string
	must []string
}

// detailTypes is the registry of types.
var detailTypes = map[string]detailType{
	// An application to an agency: one procedure, and what the service may do with it.
	"application": {may: []string{"locations", "actions", "identifier", "datatypes"}, must: []string{"actions", "identifier"}},
	// Information that one agency asks of another: items, and what for.
	"exchange": {may: []string{"locations", "datatypes", "purpose"}, must: []string{"datatypes", "purpose"}},
	// A signature over one document. What is granted has the identifier of the signature that was made.
	detailSignature: {may: []string{"locations", "document"}, must: []string{"document"}},
}

// detailTypeNames are the types as the discovery document lists them (RFC 9396 §10).
func (p *Provider) detailTypeNames() []string {
	names := []string{"application", "exchange"}
	if p.signing != nil {
		names = append(names, detailSignature)
	}
	return names
}

// detailActions are what a service may do with an application.
var detailActions = []string{"read", "submit", "withdraw"}

var errDetails = errors.New("authorization details malformed")

// parseDetails reads the parameter: a list of objects, each of a known type, with no member that the type does not have.
func parseDetails(s string) ([]detail, error) {
	var list []json.RawMessage
	if len(s) > maxDetailsBytes || !strings.HasPrefix(strings.TrimLeft(s, " \t\r\n"), "[") || json.Unmarshal([]byte(s), &list) != nil {
		return nil, errDetails
	}
	if len(list) == 0 || len(list) > maxDetails {
		return nil, errDetails
	}
	out := make([]detail, len(list))
	for i, raw := range list {
		all, err := members(raw)
		if err != nil {
			return nil, errDetails
		}
		if out[i], err = parseDetail(all); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func parseDetail(all map[string]json.RawMessage) (detail, error) {
	var d detail
	var ok bool
	if d.Type, ok = stringOf(all["type"]); !ok {
		return d, errDetails
	}
	kind, known := detailTypes[d.Type]
	if !known {
		return d, errDetails
	}
	for _, name := range kind.must {
		if _, there := all[name]; !there {
			return d, errDetails
		}
	}
	for name, raw := range all {
		if name != "type" && (!slices.Contains(kind.may, name) || !d.set(name, raw)) {
			return d, errDetails
		}
	}
	return d, nil
}

// set reads one member, and says whether it could be.
func (d *detail) set(name string, raw json.RawMessage) (ok bool) {
	switch name {
	case "locations":
		d.Locations, ok = detailList(raw, func(s string) bool { return len(s) <= maxDetailURI })
	case "actions":
		d.Actions, ok = detailList(raw, func(s string) bool { return slices.Contains(detailActions, s) })
	case "datatypes":
		d.DataTypes, ok = detailList(raw, isDetailCode)
	case "identifier":
		d.Identifier, ok = stringOf(raw)
		ok = ok && isDetailCode(d.Identifier)
	case "purpose":
		d.Purpose, ok = stringOf(raw)
		ok = ok && isPlainText(d.Purpose, maxDetailText)
	case "document":
		d.Document, ok = documentOf(raw)
	}
	return ok
}

// documentOf reads the description of a document, with the members that it has and no other.
func documentOf(raw json.RawMessage) (*ades.Document, bool) {
	all, err := members(raw)
	if err != nil {
		return nil, false
	}
	for name := range all {
		if !slices.Contains([]string{"name", "digest_alg", "digest", "media_type", "size"}, name) {
			return nil, false
		}
	}
	d := new(ades.Document)
	return d, json.Unmarshal(raw, d) == nil && d.Check() == nil
}

// detailList reads a list of at least one string, none twice.
func detailList(raw json.RawMessage, good func(string) bool) ([]string, bool) {
	list, ok := stringsOf(raw)
	if !ok || len(list) == 0 || len(list) > maxDetailList {
		return nil, false
	}
	for i, s := range list {
		if !good(s) || slices.Contains(list[:i], s) {
			return nil, false
		}
	}
	return list, true
}

// isDetailCode says whether s is the code of a procedure or an item: letters, digits and a few marks.
func isDetailCode(s string) bool {
	if s == "" || len(s) > maxDetailCode {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._:", c) >= 0) {
			return false
		}
	}
	return true
}

// isPlainText refuses what would let a text look like another, or like none, or break a line.
func isPlainText(s string, most int) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, unseen)
}

// checkDetails: RFC 9396 §5. Each type is one that the client registered, and each location one that it may name as a resource.
func checkDetails(p *Provider, _ context.Context, d *draft) error {
	text := d.form.Get("authorization_details")
	if text == "" {
		return nil
	}
	refused := func(description string) *oauthError {
		return &oauthError{code: "invalid_authorization_details", description: description}
	}
	details, err := parseDetails(text)
	if err != nil {
		return refused("authorization_details is not a list of at most 8 objects of the types and members this hub knows")
	}
	types, places := d.client.DetailTypes(), append(d.client.Resources(), p.issuer)
	documents := 0
	for _, one := range details {
		if !slices.Contains(types, one.Type) || one.Type == detailSignature && p.signing == nil {
			return refused("this client is not registered for one of the types").of("authorization_details_types")
		}
		if one.Type == detailSignature {
			documents++
		}
		if documents > 1 {
			return refused("one signature is asked for at a time")
		}
		if slices.ContainsFunc(one.Locations, func(s string) bool { return !slices.Contains(places, s) }) {
			return refused("this client is not registered for one of the locations").of("resources")
		}
	}
	d.out.Details, err = json.Marshal(details)
	return err
}

// checkResources: RFC 8707 §2.
func checkResources(p *Provider, _ context.Context, d *draft) error {
	known := append(d.client.Resources(), p.issuer)
	for _, r := range d.form["resource"] {
		switch {
		case r == "" || slices.Contains(d.out.Resources, r):
		case len(d.out.Resources) == maxResources:
			return invalidTarget("too many resources")
		case !slices.Contains(known, r): // registered ones are absolute and without a fragment
			return invalidTarget("this client is not registered for one of the resources").of("resources")
		default:
			d.out.Resources = append(d.out.Resources, r)
		}
	}
	return nil
}

// checkNoSignature: what a device asks for is decided on at another device, where nobody sees what the first one shows. A document is
// signed where it was shown, or not at all.
func checkNoSignature(_ *Provider, _ context.Context, d *draft) error {
	document, err := d.out.wantedDocument()
	if err != nil || document == nil {
		return err
	}
	return &oauthError{code: "invalid_authorization_details", description: "a signature cannot be asked for by a device"}
}
