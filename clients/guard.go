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
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Is6() && !allocated.Contains(ip) {
		return errGuarded
	}
	for _, prefix := range specialPurpose() {
		if prefix.Contains(ip) {
			return errGuarded
		}
	}
	return nil
}

// allocated is all that IANA has given out of IPv6 for public unicast (RFC 4291 §2.4). Outside it are the forms that hold or translate
// to an IPv4 address (::/96, ::ffff:0:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48), discarding, segment routing and site-local ones.
var allocated = netip.MustParsePrefix("2000::/3")

// specialPurpose lists what netip does not know as special, in IPv6 of what is allocated.
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
		netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo
		netip.MustParsePrefix("2001:db8::/32"),   // documentation
		netip.MustParsePrefix("2002::/16"),       // 6to4
		netip.MustParsePrefix("3fff::/20"),       // documentation
	}
}
