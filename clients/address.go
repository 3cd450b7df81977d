package clients

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxAddress is the longest address that is looked at, in bytes.
const maxAddress = 1024

// address is an absolute http or https URL that has one spelling and one meaning.
// The zero address is unusable.
type address struct {
	text     string
	scheme   string // "https" or "http"
	host     string // without port, brackets kept
	port     string // as written, may be empty
	loopback bool
}

// Faults of an address. They are shown to whoever registers it.
var (
	errAddressLong     = errors.New("is empty or longer than 1024 bytes")
	errAddressBytes    = errors.New("contains a character other than printable ASCII, or one of \" < > \\ ^ ` { | }")
	errAddressWildcard = errors.New("contains a wildcard")
	errAddressSyntax   = errors.New("is not an absolute URL in its normal spelling")
	errAddressScheme   = errors.New("does not begin with https://")
	errAddressFragment = errors.New("contains a fragment (#)")
	errAddressUser     = errors.New("contains a user part (@)")
	errAddressHost     = errors.New("has a host that is not a lower-case domain name of two labels or more, nor a loopback address")
	errAddressPort     = errors.New("has a port that is not a plain number from 1 to 65535")
	errAddressPath     = errors.New(`has a "." or ".." segment in its path`)
	errAddressHTTP     = errors.New("uses http for a host that is not loopback")
	errAddressAnswer   = errors.New("has a query parameter that belongs to the answer, such as code or state")
)

// parseAddress accepts https URLs, and http ones whose host is loopback. It
// refuses whatever browsers, proxies and Go's parser may read differently.
func parseAddress(s string) (address, error) {
	if s == "" || len(s) > maxAddress {
		return address{}, errAddressLong
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return address{}, errAddressBytes
		}
	}
	switch {
	case strings.Contains(s, "*"):
		return address{}, errAddressWildcard
	case strings.Contains(s, "#"): // RFC 6749 §3.1.2, an empty fragment included
		return address{}, errAddressFragment
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme != "https" && scheme != "http" {
		return address{}, errAddressScheme
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority = rest[:i]
	}
	if strings.Contains(authority, "@") {
		return address{}, errAddressUser
	}
	u, err := url.Parse(s)
	if err != nil || u.String() != s || u.Host != authority {
		return address{}, errAddressSyntax
	}
	host, port, err := splitHost(authority)
	if err != nil {
		return address{}, err
	}
	if hasDots(u.EscapedPath()) {
		return address{}, errAddressPath
	}
	out := address{text: s, scheme: scheme, host: host, port: port, loopback: isLoopback(host)}
	if scheme == "http" && !out.loopback {
		return address{}, errAddressHTTP
	}
	return out, nil
}

func splitHost(authority string) (host, port string, _ error) {
	host = authority
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host, port = authority[:i], authority[i+1:]
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", "", errAddressPort
		}
	}
	if !isLoopback(host) && !isDomain(host) {
		return "", "", errAddressHost
	}
	return host, port, nil
}

// isLoopback accepts the three spellings that mean this computer to everybody.
func isLoopback(host string) bool {
	return host == "127.0.0.1" || host == "[::1]" || host == "localhost"
}

// isDomain accepts lower-case ASCII host names (RFC 1123 §2.1; international
// names in their xn-- form) with at least two labels, the last of which is not a
// number: browsers read a host that ends in a number as an IPv4 address.
func isDomain(host string) bool {
	if len(host) > 253 {
		return false
	}
	labels := strings.Split(host, ".")
	if len(labels) < 2 {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		for i := range len(l) {
			if c := l[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	last := labels[len(labels)-1]
	return last[0] < '0' || last[0] > '9'
}

// hasDots reports whether a path has a segment that path normalization removes.
func hasDots(escaped string) bool {
	return slices.ContainsFunc(strings.Split(escaped, "/"), func(segment string) bool {
		plain := strings.ReplaceAll(strings.ToLower(segment), "%2e", ".")
		return plain == "." || plain == ".."
	})
}

// authority returns host and port as written.
func (a address) authority() string {
	if a.port == "" {
		return a.host
	}
	return a.host + ":" + a.port
}

// sector returns what pairwise subjects hang on; see doc.go.
func (a address) sector() string {
	if a.loopback {
		return a.authority()
	}
	return a.host
}
