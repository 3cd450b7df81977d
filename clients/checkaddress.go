package clients

import (
	"slices"
	"strings"
)

// checkAddresses judges every address by itself.
func checkAddresses(m *Metadata, faults *FieldErrors) {
	checkRedirects(m, faults, "redirect_uris", m.RedirectURIs)
	if len(m.RedirectURIs) == 0 && m.has(GrantAuthorizationCode) {
		faults.add("redirect_uris", "is empty", "list every address that answers go to")
	}
	checkRedirects(m, faults, "post_logout_redirect_uris", m.PostLogoutRedirectURIs)
	for _, f := range []struct{ name, value string }{
		{"client_uri", m.ClientURI}, {"policy_uri", m.PolicyURI}, {"tos_uri", m.TOSURI}, {"logo_uri", m.LogoURI}, {"initiate_login_uri", m.InitiateLoginURI},
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
	checkFrontchannel(m, faults)
	if m.SectorIdentifierURI != "" {
		checkFetched(m, faults, "sector_identifier_uri", m.SectorIdentifierURI)
	}
	checkEach(faults, "request_uris", m.RequestURIs, func(s string) (problem, remedy string) {
		whole, _, _ := strings.Cut(s, "#") // may carry the digest of the document (OpenID Connect Registration §2)
		if a, err := parseAddress(whole); err != nil || a.loopback && !m.Development || len(s) > maxAddress || !printableASCII(s) {
			return "is not an absolute https address", "leave it out: this hub fetches no request objects"
		}
		return "", ""
	})
}

// checkFrontchannel: domain, port and scheme have to be those of a registered
// redirect address (OpenID Connect Front-Channel Logout §2).
func checkFrontchannel(m *Metadata, faults *FieldErrors) {
	const name = "frontchannel_logout_uri"
	if m.FrontchannelLogoutURI == "" {
		if m.FrontchannelLogoutSessionRequired {
			faults.add("frontchannel_logout_session_required", "has no meaning without "+name, "give the address, or leave it out")
		}
		return
	}
	checkAddress(m, faults, name, m.FrontchannelLogoutURI, parseAddress)
	a, err := parseAddress(m.FrontchannelLogoutURI)
	if err != nil {
		return // reported already
	}
	if !slices.ContainsFunc(m.RedirectURIs, func(s string) bool {
		r, err := parseAddress(s)
		return err == nil && r.scheme == a.scheme && r.dialled() == a.dialled()
	}) {
		faults.add(name, "has another scheme, host or port than every redirect address", "use the origin of a redirect address")
	}
}

// hasFragment reports a "#", an empty fragment included.
func hasFragment(s string) bool { return strings.Contains(s, "#") }

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
