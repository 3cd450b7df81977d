package clients

import (
	"net/url"
	"slices"
	"time"
)

func checkGrants(m *Metadata, faults *FieldErrors) {
	checkList(faults, "grant_types", m.GrantTypes, grants()...)
	switch code, device := m.has(GrantAuthorizationCode), m.has(GrantDeviceCode); {
	case m.has(GrantRefreshToken) && !code && !device:
		faults.add("grant_types", "has refresh_token, but nothing that yields one", "add authorization_code")
	case m.TokenEndpointAuthMethod == None && (m.has(GrantClientCredentials) || m.has(GrantTokenExchange)):
		faults.add("grant_types", "has a grant that a public client may not use", // RFC 6749 §4.4, RFC 8693 §5
			"leave out client_credentials and token exchange, or let the client authenticate")
	}
	checkResponseTypes(m, faults)
	checkScopes(m, faults)
	if m.DefaultMaxAge != nil && (*m.DefaultMaxAge < 0 || *m.DefaultMaxAge > int64(maxDefaultMaxAge/time.Second)) {
		faults.add("default_max_age", "is not between 0 and 31536000 seconds", "write a number of seconds in that range")
	}
	if m.DefaultACRValues != nil {
		checkList(faults, "default_acr_values", m.DefaultACRValues, "phrh", "phr", "urn:tsunagu:acr:card-remote")
	}
	if m.RequirePKCE != nil && !*m.RequirePKCE && m.TokenEndpointAuthMethod == None {
		faults.add("require_pkce", "is false for a public client", "leave it out: nothing but PKCE protects the code of a public client (RFC 9700 §2.1.1)")
	}
}

// checkResponseTypes keeps them in step with the grant types (RFC 7591 §2.1).
func checkResponseTypes(m *Metadata, faults *FieldErrors) {
	if m.has(GrantAuthorizationCode) {
		checkList(faults, "response_types", m.ResponseTypes, "code")
	} else if len(m.ResponseTypes) > 0 && len(m.GrantTypes) > 0 {
		faults.add("response_types", "has a value, but grant_types has no authorization_code", "leave it out, or add authorization_code")
	}
}

func checkScopes(m *Metadata, faults *FieldErrors) {
	if len(m.Scopes) == 0 && !m.meetsCitizens() && !m.has(GrantClientCredentials) {
		return // no grant to have a scope for, which is reported already
	}
	checkList(faults, "scope", m.Scopes, append(citizenScopes(), append(OwnScopes(), ScopeAdmin)...)...)
	if slices.Contains(m.Scopes, ScopeAdmin) && !m.FirstParty && (m.meetsCitizens() || !m.has(GrantClientCredentials)) {
		faults.add("scope", "has admin, but the client is neither the hub's own nor a machine", "leave admin out, or have client_credentials as the only grant type")
	}
	if slices.Contains(m.Scopes, ScopeOfflineAccess) && !m.has(GrantRefreshToken) {
		faults.add("scope", "has offline_access, but grant_types has no refresh_token", "add refresh_token to grant_types")
	}
	for _, own := range OwnScopes() {
		if slices.Contains(m.Scopes, own) && !m.has(GrantClientCredentials) {
			faults.add("scope", "has "+own+", but grant_types has no client_credentials", "leave it out, or add client_credentials to grant_types")
		}
	}
	citizens := slices.ContainsFunc(m.Scopes, func(s string) bool { return slices.Contains(citizenScopes(), s) })
	if citizens && !m.meetsCitizens() && m.has(GrantClientCredentials) {
		faults.add("scope", "has a scope about citizens, but no grant type of the client involves one", "write service")
	}
}

// maxDetailType bounds the name of a type of authorization details, in bytes.
const maxDetailType = 100

// checkResources judges what tokens may be meant for: RFC 8707 §2, RFC 9396 §10.
func checkResources(m *Metadata, faults *FieldErrors) {
	indicator := func(s string) (problem, remedy string) {
		u, err := url.Parse(s)
		if err != nil || len(s) > maxAddress || !u.IsAbs() || u.Host == "" && u.Opaque == "" || u.User != nil || !printableASCII(s) || u.String() != s || hasFragment(s) {
			return "is not an absolute URI without fragment", "write the address that the resource goes by"
		}
		return "", ""
	}
	checkEach(faults, "resources", m.Resources, indicator)
	checkEach(faults, "serves", m.Serves, indicator)
	if len(m.Serves) > 0 && m.TokenEndpointAuthMethod == None {
		faults.add("serves", "stands in the registration of a public client", "register the resource server with a way to authenticate")
	}
	checkEach(faults, "authorization_details_types", m.DetailTypes, func(s string) (problem, remedy string) {
		if s == "" || len(s) > maxDetailType || !printableASCII(s) {
			return "is not a type of authorization details", "write 1 to 100 visible ASCII characters"
		}
		return "", ""
	})
}

// checkEach judges the elements of a list and refuses one that appears twice.
func checkEach(faults *FieldErrors, name string, values []string, judge func(string) (problem, remedy string)) {
	if len(values) > maxList {
		faults.add(name, "has more than 50 elements", "list at most 50")
		return
	}
	for i, s := range values {
		if problem, remedy := judge(s); problem != "" {
			faults.add(element(name, i), problem, remedy)
		} else if slices.Contains(values[:i], s) {
			faults.add(element(name, i), "is listed twice", "list it once")
		}
	}
}

// printableASCII refuses spaces, control characters and everything beyond ASCII.
func printableASCII(s string) bool {
	return !slices.ContainsFunc([]byte(s), func(c byte) bool { return c <= ' ' || c >= 0x7f })
}
