package clients

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// ownMembers are those of our members that say what the hub's operator knows or
// wants, or what a citizen is to read as explained. A client that registers itself
// cannot set them; to it they are members that this endpoint does not know, which
// RFC 7591 §2 wants ignored.
func ownMembers() []string {
	return []string{"client_id", "operator", "description", "category", "purposes", "verified", "listed", "first_party", "development", "resources", "serves", "agency", "session_class", "logo"}
}

// Members that are no metadata.
const (
	memberStatement = "software_statement"
	memberSecret    = "client_secret"
)

// registrationRequest is the body of a registration or of an update.
type registrationRequest struct {
	m         Metadata
	id        string // client_id, if given
	secret    string // client_secret, if given
	statement string
}

// parseRegistration reads a body: members it does not know are ignored, known ones
// of another type are faults. The metadata is not complete and not checked.
func parseRegistration(body []byte) (registrationRequest, error) {
	var out registrationRequest
	var faults FieldErrors
	o, err := decodeObject(body)
	if err != nil || len(body) > MaxMetadata {
		faults.add("(document)", "is not one JSON object", "write one JSON object with each member once")
		return out, faults.orNil()
	}
	text := func(name string, into *string) {
		if raw := o.take(name); raw != nil && (string(raw) == "null" || json.Unmarshal(raw, into) != nil) {
			faults.add(name, "is not a string", "write a string")
		}
	}
	text("client_id", &out.id)
	text(memberSecret, &out.secret)
	text(memberStatement, &out.statement)
	issued := []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"}
	for _, name := range issued { // RFC 7592 §2.2
		if o.take(name) != nil {
			faults.add(name, "is the hub's to say", "leave it out")
		}
	}
	for _, name := range ownMembers() {
		o.take(name)
	}
	localName(&o)
	for _, f := range fields() {
		raw := o.take(f.name)
		if raw == nil || string(raw) == "null" { // null means left out (RFC 7592 §2.2)
			continue
		}
		if f.read(&out.m, raw) != nil {
			faults.add(f.name, "is not "+f.kind, "write "+f.kind)
		}
	}
	return out, faults.orNil()
}

// localName keeps the two languages of a client_name that the hub shows (RFC 7591
// §2.2): those tagged ja and en, whatever the region. A name without tag stands in
// for a missing one.
func localName(o *object) {
	const name, english = "client_name", "client_name#en"
	for _, tagged := range slices.Clone(o.names) {
		base, tag, ok := strings.Cut(tagged, "#")
		if !ok || base != name {
			continue
		}
		language, _, _ := strings.Cut(strings.ToLower(tag), "-")
		value := o.values[tagged]
		switch {
		case value == nil || tagged == english:
		case language == "ja":
			if _, both := o.values[english]; !both && o.values[name] != nil {
				o.put(english, o.values[name])
			}
			o.put(name, value)
		case language == "en" && o.values[english] == nil:
			o.put(english, value)
		}
	}
	if o.values[name] == nil && o.values[english] != nil {
		o.put(name, o.values[english])
	}
}

// put adds or replaces a member.
func (o *object) put(name string, value json.RawMessage) {
	if _, there := o.values[name]; !there {
		o.names = append(o.names, name)
	}
	o.values[name] = value
}

// identify fills in what is said of a client that nobody vouches for: the host that
// its answers go to is who runs it, and its name if it has none. The answers of a
// device go to whoever asked, so the addresses it names prove nothing: it goes by its
// id.
func (m *Metadata) identify(id ID) {
	m.ClientID = id
	m.Verified, m.Listed, m.FirstParty, m.Category = false, false, false, Private
	host := string(id)
	if len(m.RedirectURIs) > 0 && !m.has(GrantDeviceCode) {
		if u, err := url.Parse(m.RedirectURIs[0]); err == nil && u.Host != "" && len(u.Host) <= maxName && plain(u.Host) {
			host = u.Host
		}
	}
	m.Operator = host
	if m.ClientName == (Text{}) {
		m.ClientName.JA = host
	}
}

// judge completes and checks a request by a policy. Every fault is reported.
func (p Policy) judge(m Metadata, id ID) (Metadata, error) {
	m.identify(id)
	p.complete(&m)
	m = m.withDefaults()
	var faults FieldErrors
	if err := m.check(); err != nil {
		if list, ok := asFaults(err); ok {
			faults.List = list.List
		}
	}
	p.allows(&m, &faults)
	return m, faults.orNil()
}

// redirectsRefused reports whether a redirect address is refused by itself, which
// has an error code of its own (RFC 7591 §3.2.2). That several belong to different
// sectors, or are not listed where they should be, is a fault of the metadata.
func (m *Metadata) redirectsRefused() bool {
	var faults FieldErrors
	checkRedirects(m, &faults, "redirect_uris", m.RedirectURIs)
	return len(faults.List) > 0 || len(m.RedirectURIs) == 0 && (m.GrantTypes == nil || m.has(GrantAuthorizationCode))
}

// registered returns the members of the answer to a registration: all that was
// registered, defaults included (RFC 7591 §3.2.1), but what ownMembers hides.
func registered(c *Client) map[string]any {
	out := make(map[string]any)
	for _, f := range fields() {
		if slices.Contains(ownMembers(), f.name) && f.name != "client_id" {
			continue
		}
		if v := f.write(&c.m); v != nil {
			out[f.name] = v
		}
	}
	if c.RequirePAR() {
		out["require_pushed_authorization_requests"] = true
	}
	if c.DPoPBound() {
		out["dpop_bound_access_tokens"] = true
	}
	return out
}

// fieldNames lists the members that faults are about, for an answer: ASCII, of our
// own vocabulary, and not too many.
func (e *FieldErrors) fieldNames() string {
	const most = 8
	var out []string
	for _, f := range e.List {
		name := f.Field
		if bytes.ContainsFunc([]byte(name), func(r rune) bool { return r > '~' || r < ' ' || r == '"' || r == '\\' }) {
			continue
		}
		if !slices.Contains(out, name) && len(out) < most {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}
