package console

import (
	"slices"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

// widget is how a member is asked for.
type widget int

const (
	asText   widget = iota // one line
	asLines                // a list, one a line
	asNumber               // a whole number
	asFlag                 // yes or no
	asChoice               // one of a few
	asScopes               // what the service is given, each with its purpose
	asKeys                 // public keys, as JSON
	asWhole                // the whole document
)

// input asks for one member of the metadata.
type input struct {
	member  string
	as      widget
	must    bool            // cannot be left out
	code    bool            // an address or the like: full-width letters are made plain
	kinds   []adminapi.Kind // that it is asked of; nil: all
	options []string        // of asChoice; "" is "as the hub does it"
	rows    int
}

// id is the name of the field on the page, and its id.
func (i input) id() string { return fieldID(i.member) }

// section is a page of settings.
type section struct {
	key    string
	kinds  []adminapi.Kind // nil: all
	wizard bool            // one of the steps of a new service
	inputs []input
}

// fits reports whether a kind has it.
func fits(kinds []adminapi.Kind, kind adminapi.Kind) bool {
	return kinds == nil || slices.Contains(kinds, kind)
}

// withPeople are the kinds that people sign in to, and confidential those that can keep a key.
func withPeople() []adminapi.Kind {
	return []adminapi.Kind{adminapi.KindWeb, adminapi.KindBrowser, adminapi.KindNative, adminapi.KindGovernment}
}

func confidential() []adminapi.Kind {
	return []adminapi.Kind{adminapi.KindWeb, adminapi.KindGovernment, adminapi.KindMachine}
}

func withServer() []adminapi.Kind { return []adminapi.Kind{adminapi.KindWeb, adminapi.KindGovernment} }

// sections are all that can be set, in the order in which the wizard asks.
func sections() []section {
	return []section{
		{key: "names", wizard: true, inputs: []input{
			{member: "client_name", must: true},
			{member: "client_name#en"},
			{member: "operator", must: true},
			{member: "description", kinds: withPeople()},
			{member: "description#en", kinds: withPeople()},
			{member: "category", as: asChoice, options: []string{"private", "government"}, kinds: withPeople()},
			{member: "client_uri", code: true, kinds: withPeople()},
			{member: "policy_uri", code: true, kinds: withPeople()},
			{member: "tos_uri", code: true, kinds: withPeople()},
			{member: "contacts", as: asLines, code: true, rows: 2},
		}},
		{key: "addresses", wizard: true, kinds: withPeople(), inputs: []input{
			{member: "redirect_uris", as: asLines, code: true, must: true, rows: 3},
			{member: "post_logout_redirect_uris", as: asLines, code: true, rows: 2},
			{member: "backchannel_logout_uri", code: true, kinds: withServer()},
			{member: "initiate_login_uri", code: true},
			{member: "listed", as: asFlag},
			{member: "development", as: asFlag},
		}},
		{key: "data", wizard: true, inputs: []input{
			{member: "scope", as: asScopes, must: true},
			{member: "refuse_remote_card", as: asFlag, kinds: withPeople()},
			{member: "always_card", as: asFlag, kinds: withPeople()},
			{member: "default_max_age", as: asNumber, kinds: withPeople()},
		}},
		{key: "proof", wizard: true, kinds: confidential(), inputs: []input{
			{member: "token_endpoint_auth_method", as: asChoice, options: []string{"private_key_jwt", "client_secret_basic", "client_secret_post"}, must: true,
				kinds: []adminapi.Kind{adminapi.KindWeb, adminapi.KindMachine}},
			{member: "jwks_uri", code: true},
			{member: "jwks", as: asKeys, rows: 8},
		}},
		{key: "rules", inputs: []input{
			{member: "profile", as: asChoice, options: []string{"oidc", "fapi2"}},
			{member: "id_token_signed_response_alg", as: asChoice, options: []string{"ES256", "PS256", "EdDSA", "RS256"}, kinds: withPeople()},
			{member: "sector_identifier_uri", code: true, kinds: withPeople()},
			{member: "default_acr_values", as: asLines, code: true, rows: 2, kinds: withPeople()},
			{member: "session_idle", as: asNumber, kinds: withPeople()},
			{member: "session_absolute", as: asNumber, kinds: withPeople()},
			{member: "accepts_representatives", as: asFlag, kinds: withPeople()},
			{member: "status_list_logout", as: asFlag, kinds: withPeople()},
			{member: "dpop_bound_access_tokens", as: asFlag},
			{member: "resources", as: asLines, code: true, rows: 2},
		}},
		{key: "whole", inputs: []input{{member: "document", as: asWhole, rows: 24}}},
	}
}

// sectionsOf are the sections that a kind has.
func sectionsOf(kind adminapi.Kind) []section {
	var out []section
	for _, s := range sections() {
		if fits(s.kinds, kind) {
			s.inputs = slices.DeleteFunc(slices.Clone(s.inputs), func(i input) bool { return !fits(i.kinds, kind) })
			out = append(out, s)
		}
	}
	return out
}

// steps are the sections that the wizard asks a kind for.
func steps(kind adminapi.Kind) []section {
	return slices.DeleteFunc(sectionsOf(kind), func(s section) bool { return !s.wizard })
}

// sectionNamed returns nil for one that the kind does not have.
func sectionNamed(kind adminapi.Kind, key string) *section {
	for _, s := range sectionsOf(kind) {
		if s.key == key {
			return &s
		}
	}
	return nil
}

// covers reports whether a member is asked for in the section. Purposes stand beside scopes.
func (s *section) covers(member string) bool {
	return slices.ContainsFunc(s.inputs, func(i input) bool {
		return i.member == member || i.as == asScopes && (member == "purposes" || member == "grant_types") || i.as == asWhole
	})
}

// sectionOf is where a member is asked for; what nobody asks for stands in the whole document.
func sectionOf(kind adminapi.Kind, member string) string {
	for _, s := range sectionsOf(kind) {
		if s.covers(member) {
			return s.key
		}
	}
	return "whole"
}

// scopesOf are the scopes that the console offers a kind. Those a client has beside are kept.
func scopesOf(kind adminapi.Kind) []string {
	if kind == adminapi.KindMachine {
		return []string{"service", "links.own", "ssf.read", "ssf.manage"}
	}
	return []string{
		"openid", "profile", "email", "address", "phone", "verified:name", "verified:address", "verified:birthdate", "verified:gender", "offline_access", "link",
	}
}

// defaults are what a new service of a kind begins with.
func defaults(kind adminapi.Kind) metadata {
	m := metadata{}
	people := func(method, application string) {
		m.set("grant_types", []string{"authorization_code"})
		m.set("response_types", []string{"code"})
		m.set("scope", "openid")
		m.set("subject_type", "pairwise")
		m.set("id_token_signed_response_alg", "ES256")
		m.set("application_type", application)
		m.set("token_endpoint_auth_method", method)
		m.set("category", "private")
		m.set("profile", "oidc")
	}
	switch kind {
	case adminapi.KindWeb:
		people("private_key_jwt", "web")
	case adminapi.KindBrowser:
		people("none", "web")
	case adminapi.KindNative:
		people("none", "native")
	case adminapi.KindGovernment:
		people("private_key_jwt", "web")
		m.set("category", "government")
		m.set("profile", "fapi2")
		m.set("dpop_bound_access_tokens", true)
	case adminapi.KindMachine:
		m.set("grant_types", []string{"client_credentials"})
		m.set("scope", "service")
		m.set("token_endpoint_auth_method", "private_key_jwt")
		m.set("profile", "oidc")
	}
	return m
}

// kinds lists all of them, as the wizard shows them.
func kinds() []adminapi.Kind {
	return []adminapi.Kind{adminapi.KindWeb, adminapi.KindBrowser, adminapi.KindNative, adminapi.KindMachine, adminapi.KindGovernment}
}
