package clients

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tsunagu-id/tsunagu/keys"
)

// Bounds of what one client may register.
const (
	maxList    = 50  // elements of a list
	maxName    = 100 // characters of a name
	maxAbout   = 300 // characters of a description
	maxPurpose = 60  // characters of a purpose
	maxContact = 254 // bytes of an e-mail address
)

// check reports every fault of the metadata, as *FieldErrors. It asks nobody: what
// needs the network or the database is checked by Registry.Put.
func (m Metadata) check() error {
	var faults FieldErrors
	for _, c := range []func(*Metadata, *FieldErrors){
		checkTexts, checkAddresses, checkGrants, checkAuthentication, checkSubject, checkProfile,
	} {
		c(&m, &faults)
	}
	return faults.orNil()
}

func checkTexts(m *Metadata, faults *FieldErrors) {
	if _, err := ParseID(string(m.ClientID)); err != nil {
		faults.add("client_id", "is not a client id", err.Error())
	}
	checkText(faults, "client_name", m.ClientName.JA, maxName, true)
	checkText(faults, "client_name#en", m.ClientName.EN, maxName, false)
	checkText(faults, "operator", m.Operator, maxName, true)
	checkText(faults, "description", m.Description.JA, maxAbout, false)
	checkText(faults, "description#en", m.Description.EN, maxAbout, false)
	checkOneOf(faults, "category", string(m.Category), string(Government), string(Private))
	checkOneOf(faults, "application_type", m.ApplicationType, "web", "native")
	if len(m.Contacts) > maxList {
		faults.add("contacts", "has more than 50 elements", "list at most 50")
	}
	for i, c := range m.Contacts {
		local, domain, ok := strings.Cut(c, "@")
		if !ok || local == "" || domain == "" || len(c) > maxContact || !plain(c) {
			faults.add(element("contacts", i), "is not an e-mail address", "write name@domain")
		}
	}
	for _, scope := range slices.Sorted(maps.Keys(m.Purposes)) {
		t, name := m.Purposes[scope], "purposes."+printable(scope)
		if !slices.Contains(m.Scopes, scope) {
			faults.add(name, "names a scope that is not registered", "add it to scope, or leave the purpose out")
		}
		checkText(faults, name, t.JA, maxPurpose, true)
		checkText(faults, name+"#en", t.EN, maxPurpose, false)
	}
}

func checkText(faults *FieldErrors, name, text string, most int, required bool) {
	switch {
	case text == "" && required:
		faults.add(name, "is missing", "write the text that citizens read")
	case utf8.RuneCountInString(text) > most:
		faults.add(name, fmt.Sprintf("is longer than %d characters", most), "shorten it")
	case !plain(text):
		faults.add(name, "contains invisible or control characters, or begins or ends with a space", "write plain text")
	}
}

// plain refuses what would let one name look like another or break a line:
// control and format characters (bidirectional overrides, zero-width ones), line
// separators, private use, and invalid UTF-8.
func plain(s string) bool {
	return utf8.ValidString(s) && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || r == utf8.RuneError
	})
}

func checkGrants(m *Metadata, faults *FieldErrors) {
	checkList(faults, "grant_types", m.GrantTypes, GrantAuthorizationCode, GrantRefreshToken)
	if !slices.Contains(m.GrantTypes, GrantAuthorizationCode) {
		faults.add("grant_types", "lacks authorization_code", "add authorization_code")
	}
	checkList(faults, "response_types", m.ResponseTypes, "code")
	checkList(faults, "scope", m.Scopes, ScopeOpenID, ScopeOfflineAccess, ScopeLinks, ScopeLink)
	if slices.Contains(m.Scopes, ScopeOfflineAccess) && !slices.Contains(m.GrantTypes, GrantRefreshToken) {
		faults.add("scope", "has offline_access, but grant_types has no refresh_token", "add refresh_token to grant_types")
	}
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

func checkAuthentication(m *Metadata, faults *FieldErrors) {
	checkOneOf(faults, "token_endpoint_auth_method", string(m.TokenEndpointAuthMethod),
		string(SecretBasic), string(SecretPost), string(PrivateKeyJWT), string(None))
	checkAlg(faults, "id_token_signed_response_alg", m.IDTokenSignedResponseAlg)
	signs := m.TokenEndpointAuthMethod == PrivateKeyJWT
	if m.TokenEndpointAuthSigningAlg != "" {
		checkAlg(faults, "token_endpoint_auth_signing_alg", m.TokenEndpointAuthSigningAlg)
		if !signs {
			faults.add("token_endpoint_auth_signing_alg", "has no meaning without private_key_jwt", "leave it out")
		}
	}
	switch { // RFC 7591 §2: not both
	case m.JWKS != nil && m.JWKSURI != "":
		faults.add("jwks_uri", "stands beside jwks", "keep one of the two")
	case signs && m.JWKS == nil && m.JWKSURI == "":
		faults.add("jwks", "is missing, as is jwks_uri", "give the public keys that private_key_jwt is verified with")
	}
	if m.JWKS == nil {
		return
	}
	set, err := keys.ParsePublicSet(m.JWKS)
	if err != nil {
		faults.add("jwks", "is refused: "+err.Error(), "publish RSA keys of 2048 to 4096 bits, P-256 or Ed25519 keys, public half only")
		return
	}
	if signs && !slices.ContainsFunc(set.Algs(), func(a keys.Alg) bool { return slices.Contains(m.assertionAlgs(), a) }) {
		faults.add("jwks", "has no key for an algorithm that this client may sign with", "add a key for "+joinAlgs(m.assertionAlgs()))
	}
}

// assertionAlgs are the algorithms a client may sign its assertions with: the one
// it registered, or else all that its profile allows (FAPI 2.0 §5.4: no
// RSASSA-PKCS1-v1_5).
func (m *Metadata) assertionAlgs() []keys.Alg {
	if m.TokenEndpointAuthSigningAlg != "" {
		return []keys.Alg{m.TokenEndpointAuthSigningAlg}
	}
	if m.Profile == FAPI2 {
		return []keys.Alg{keys.ES256, keys.PS256, keys.EdDSA}
	}
	return keys.Algs()
}

func checkProfile(m *Metadata, faults *FieldErrors) {
	checkOneOf(faults, "profile", string(m.Profile), string(OIDC), string(FAPI2))
	if m.Profile != FAPI2 {
		return
	}
	// FAPI 2.0 Security Profile §5.3.2.1 and §5.4.1.
	if m.TokenEndpointAuthMethod != PrivateKeyJWT {
		faults.add("token_endpoint_auth_method", "is not private_key_jwt, as profile fapi2 demands", "write private_key_jwt and publish keys")
	}
	if m.RequirePAR != nil && !*m.RequirePAR {
		faults.add("require_pushed_authorization_requests", "is false, which profile fapi2 forbids", "leave it out")
	}
	if m.RequirePKCE != nil && !*m.RequirePKCE {
		faults.add("require_pkce", "is false, which profile fapi2 forbids", "leave it out")
	}
	for _, f := range []struct {
		name string
		alg  keys.Alg
	}{{"token_endpoint_auth_signing_alg", m.TokenEndpointAuthSigningAlg}, {"id_token_signed_response_alg", m.IDTokenSignedResponseAlg}} {
		if f.alg == keys.RS256 {
			faults.add(f.name, "is RS256, which profile fapi2 forbids", "write ES256, PS256 or EdDSA")
		}
	}
}

func checkAlg(faults *FieldErrors, name string, alg keys.Alg) {
	if _, err := keys.ParseAlg(string(alg)); err != nil {
		faults.add(name, "is not an algorithm of this hub", "write one of "+joinAlgs(keys.Algs()))
	}
}

func checkOneOf(faults *FieldErrors, name, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		faults.add(name, "is not a value this hub knows", "write one of "+strings.Join(allowed, ", "))
	}
}

// checkList wants at least one value, none twice, all of them allowed.
func checkList(faults *FieldErrors, name string, values []string, allowed ...string) {
	if len(values) == 0 {
		faults.add(name, "is empty", "leave it out, or write some of "+strings.Join(allowed, ", "))
	}
	for i, v := range values {
		switch {
		case !slices.Contains(allowed, v):
			faults.add(name, "has a value this hub does not know: "+printable(v), "write some of "+strings.Join(allowed, ", "))
		case slices.Contains(values[:i], v):
			faults.add(name, "names "+v+" twice", "write it once")
		}
		if i >= len(allowed) {
			return // there is a fault already; do not list hundreds
		}
	}
}

func element(name string, i int) string { return name + "[" + strconv.Itoa(i) + "]" }

func joinAlgs(algs []keys.Alg) string {
	out := make([]string, len(algs))
	for i, a := range algs {
		out[i] = string(a)
	}
	return strings.Join(out, ", ")
}
