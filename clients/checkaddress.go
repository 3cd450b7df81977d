package clients

import (
	"slices"
)

// checkAddresses judges every address by itself.
func checkAddresses(m *Metadata, faults *FieldErrors) {
	checkRedirects(m, faults, "redirect_uris", m.RedirectURIs)
	if len(m.RedirectURIs) == 0 {
		faults.add("redirect_uris", "is empty", "list every address that answers go to")
	}
	checkRedirects(m, faults, "post_logout_redirect_uris", m.PostLogoutRedirectURIs)
	for _, f := range []struct{ name, value string }{
		{"client_uri", m.ClientURI}, {"policy_uri", m.PolicyURI}, {"tos_uri", m.TOSURI}, {"initiate_login_uri", m.InitiateLoginURI},
	} {
		if f.value != "" {
			checkAddress(m, faults, f.name, f.value, parseAddress)
		}
	}
	if m.Listed && m.InitiateLoginURI == "" {
		faults.add("initiate_login_uri", "is missing, but the client is listed", "give the address that starts a sign-in, or do not list the client")
	}
	if m.JWKSURI != "" {
		checkFetched(m, faults, "jwks_uri", m.JWKSURI)
	}
	if m.BackchannelLogoutURI != "" {
		checkFetched(m, faults, "backchannel_logout_uri", m.BackchannelLogoutURI)
	}
	if m.BackchannelLogoutSessionRequired && m.BackchannelLogoutURI == "" {
		faults.add("backchannel_logout_session_required", "has no meaning without backchannel_logout_uri", "give the address, or leave it out")
	}
	if m.SectorIdentifierURI != "" {
		checkFetched(m, faults, "sector_identifier_uri", m.SectorIdentifierURI)
	}
}

func checkRedirects(m *Metadata, faults *FieldErrors, name string, values []string) {
	if len(values) > maxList {
		faults.add(name, "has more than 50 elements", "list at most 50")
		return
	}
	for i, s := range values {
		checkAddress(m, faults, element(name, i), s, func(s string) (address, error) {
			u, err := ParseRedirectURI(s)
			return u.a, err
		})
		if slices.Contains(values[:i], s) {
			faults.add(element(name, i), "is listed twice", "list it once")
		}
	}
}

// checkAddress lets a loopback address pass only for a client that said it is
// native (RFC 8252 §7.3) or under development, whatever the scheme: on a citizen's
// computer any program may listen there.
func checkAddress(m *Metadata, faults *FieldErrors, name, value string, parse func(string) (address, error)) {
	a, err := parse(value)
	switch {
	case err != nil:
		faults.add(name, err.Error(), "write an absolute https address as the client will send it, byte for byte")
	case a.loopback && !m.Development && m.ApplicationType != "native":
		faults.add(name, "is a loopback address", `write an https address of the service, or "development": true`)
	}
}

// checkFetched judges an address that the hub itself will ask. Plain http is left
// to a client under development, and is then still refused by a Fetcher that does
// not allow the host.
func checkFetched(m *Metadata, faults *FieldErrors, name, value string) {
	a, err := parseAddress(value)
	switch {
	case err != nil:
		faults.add(name, err.Error(), "write an absolute https address")
	case a.loopback && !m.Development:
		faults.add(name, "is a loopback address", `write an https address of the service, or "development": true`)
	}
}

// checkSubject finds the sector (OpenID Connect Core §8.1).
func checkSubject(m *Metadata, faults *FieldErrors) {
	if m.SubjectType != "pairwise" {
		faults.add("subject_type", "is not pairwise", "leave it out: every service gets its own number for a citizen")
	}
	if m.SectorIdentifierURI != "" {
		return
	}
	var first string
	for i, s := range m.RedirectURIs {
		a, err := parseAddress(s)
		if err != nil {
			continue // reported already
		}
		if first == "" {
			first = a.sector()
		} else if a.sector() != first {
			faults.add(element("redirect_uris", i), "has another host than the first one, and there is no sector_identifier_uri",
				"use one host, or publish the list of addresses at a sector_identifier_uri")
			return
		}
	}
}

// sector returns the sector of metadata that was checked.
func (m *Metadata) sector() string {
	s := m.SectorIdentifierURI
	if s == "" && len(m.RedirectURIs) > 0 {
		s = m.RedirectURIs[0]
	}
	a, err := parseAddress(s)
	if err != nil {
		return ""
	}
	return a.sector()
}
