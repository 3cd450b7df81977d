package rp

import (
	"net/url"
	"strings"
)

// Local is an address on our own origin: a path, perhaps with a query. Only ParseLocal makes one that is not "/".
type Local struct{ path string }

const maxLocal = 1024

// ParseLocal accepts what a browser cannot take for another site, and no address that starts or ends a login: coming back to
// one of those would go round in circles.
func ParseLocal(s string) (Local, bool) {
	if len(s) > maxLocal || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") {
		return Local{}, false
	}
	for i := range len(s) {
		// Browsers read \ as / and drop tabs and line ends.
		if s[i] <= 0x20 || s[i] >= 0x7f || s[i] == '\\' || s[i] == '#' {
			return Local{}, false
		}
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil {
		return Local{}, false
	}
	for _, own := range []string{PathLogin, PathCallback, PathLogout} {
		if u.Path == own || strings.HasPrefix(u.Path, own+"/") {
			return Local{}, false
		}
	}
	return Local{s}, true
}

// String is the address, "/" for the zero Local.
func (l Local) String() string {
	if l.path == "" {
		return "/"
	}
	return l.path
}
