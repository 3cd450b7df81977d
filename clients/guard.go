package clients

import (
	"errors"
	"net/netip"
)

var errGuarded = errors.New("the address is not a public one")

// guard refuses addresses that are not public unicast ones: this machine, private
// networks, link-local ones (where clouds keep their credentials), and ranges that
// are reserved or translate to other addresses (IANA special-purpose registries,
// RFC 6890).
func guard(host string) error {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return errGuarded
	}
	ip = ip.WithZone("").Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return errGuarded
	}
	for _, prefix := range specialPurpose() {
		if prefix.Contains(ip) {
			return errGuarded
		}
	}
	return nil
}

// specialPurpose lists what netip does not know as special.
func specialPurpose() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),       // this network
		netip.MustParsePrefix("100.64.0.0/10"),   // carriers' private networks
		netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
		netip.MustParsePrefix("192.0.2.0/24"),    // documentation
		netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays
		netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
		netip.MustParsePrefix("198.51.100.0/24"), // documentation
		netip.MustParsePrefix("203.0.113.0/24"),  // documentation
		netip.MustParsePrefix("240.0.0.0/4"),     // reserved, broadcast
		netip.MustParsePrefix("::/96"),           // IPv4-compatible
		netip.MustParsePrefix("64:ff9b::/96"),    // translates to IPv4
		netip.MustParsePrefix("64:ff9b:1::/48"),  // translates to private IPv4
		netip.MustParsePrefix("100::/64"),        // discard
		netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo
		netip.MustParsePrefix("2001:db8::/32"),   // documentation
		netip.MustParsePrefix("2002::/16"),       // 6to4
		netip.MustParsePrefix("3fff::/20"),       // documentation
		netip.MustParsePrefix("5f00::/16"),       // segment routing
		netip.MustParsePrefix("fec0::/10"),       // site-local, deprecated
	}
}
