package clients

// Kind is what sort of program a client is. It sets what operators are asked, and nothing else: every rule follows from the metadata.
type Kind string

// The kinds.
const (
	KindWeb        Kind = "web"        // a web site with a server
	KindBrowser    Kind = "browser"    // runs in the browser alone
	KindNative     Kind = "native"     // an app on a phone or computer
	KindMachine    Kind = "machine"    // no people
	KindGovernment Kind = "government" // profile fapi2
)

// Kinds lists all of them.
func Kinds() []Kind { return []Kind{KindWeb, KindBrowser, KindNative, KindMachine, KindGovernment} }

// kind says what the metadata looks like.
func (m *Metadata) kind() Kind {
	switch {
	case len(m.GrantTypes) > 0 && !m.meetsCitizens():
		return KindMachine
	case m.Profile == FAPI2:
		return KindGovernment
	case m.ApplicationType == "native" || m.has(GrantDeviceCode):
		return KindNative
	case m.TokenEndpointAuthMethod == None:
		return KindBrowser
	}
	return KindWeb
}
