package clients

import (
	"crypto/x509"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// TLSIdentity is the one name that the certificate of a tls_client_auth client
// bears (RFC 8705 §2.1.2). Exactly one field is set; none for other methods.
type TLSIdentity struct {
	SubjectDN string // RFC 4514
	DNS       string
	URI       string
	IP        string
	Email     string
}

// names lists the members by name.
func (t *TLSIdentity) names() []struct{ name, value string } {
	return []struct{ name, value string }{
		{"tls_client_auth_subject_dn", t.SubjectDN},
		{"tls_client_auth_san_dns", t.DNS},
		{"tls_client_auth_san_uri", t.URI},
		{"tls_client_auth_san_ip", t.IP},
		{"tls_client_auth_san_email", t.Email},
	}
}

func checkTLS(m *Metadata, faults *FieldErrors) {
	given := 0
	for _, n := range m.TLS.names() {
		if n.value == "" {
			continue
		}
		given++
		switch {
		case m.TokenEndpointAuthMethod != TLSClientAuth:
			faults.add(n.name, "has no meaning without tls_client_auth", "leave it out")
		case given > 1:
			faults.add(n.name, "is a second name for the certificate", "keep exactly one of the tls_client_auth members")
		case !m.TLS.valid():
			faults.add(n.name, "is not a name that a certificate can bear", "write it as it stands in the certificate")
		}
	}
	if given == 0 && m.TokenEndpointAuthMethod == TLSClientAuth {
		faults.add("tls_client_auth_subject_dn", "is missing, as are the other tls_client_auth members", "write the subject of the client's certificate")
	}
}

// valid judges the one name that is given.
func (t *TLSIdentity) valid() bool {
	switch {
	case t.SubjectDN != "":
		dn, err := parseDN(t.SubjectDN)
		return err == nil && len(dn) > 0
	case t.DNS != "":
		return isDomain(t.DNS)
	case t.URI != "":
		u, err := url.Parse(t.URI)
		return err == nil && u.IsAbs() && len(t.URI) <= maxAddress && printableASCII(t.URI)
	case t.IP != "":
		ip, err := netip.ParseAddr(t.IP)
		return err == nil && ip.Zone() == ""
	case t.Email != "":
		return isEmail(t.Email)
	}
	return false
}

// isEmail accepts what looks like name@domain.
func isEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && domain != "" && len(s) <= maxContact && plain(s)
}

// Matches reports whether a certificate bears the name. That its chain is good is
// for the caller to know. A subject is compared by its attributes, in their order;
// types and values have to be equal character for character, though a certificate
// may encode them otherwise than the registered text suggests (RFC 5280 §7.1 also
// knows a comparison without case; a registered name can be written exactly).
func (t TLSIdentity) Matches(cert *x509.Certificate) bool {
	switch {
	case cert == nil || !t.valid():
		return false
	case t.SubjectDN != "":
		want, err := parseDN(t.SubjectDN)
		if err != nil {
			return false
		}
		got, err := decodeDN(cert.RawSubject)
		return err == nil && want.equal(got)
	case t.DNS != "":
		return slices.ContainsFunc(cert.DNSNames, func(s string) bool { return strings.EqualFold(s, t.DNS) }) // RFC 4343
	case t.URI != "":
		return slices.ContainsFunc(cert.URIs, func(u *url.URL) bool { return u.String() == t.URI })
	case t.IP != "":
		ip, err := netip.ParseAddr(t.IP)
		if err != nil {
			return false
		}
		for _, raw := range cert.IPAddresses {
			if a, ok := netip.AddrFromSlice(raw); ok && a.Unmap() == ip.Unmap() {
				return true
			}
		}
		return false
	case t.Email != "":
		return slices.Contains(cert.EmailAddresses, t.Email)
	}
	return false
}
