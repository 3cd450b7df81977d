package clients

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
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
		checkTexts, checkLogoName, checkAddresses, checkGrants, checkResources, checkAgency, checkAuthentication, checkKeys, checkTLS, checkAnswers, checkSubject, checkSessions, checkProfile,
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
	checkText(faults, "software_id", m.SoftwareID, maxName, false)
	checkText(faults, "software_version", m.SoftwareVersion, maxName, false)
	checkOneOf(faults, "category", string(m.Category), string(Government), string(Private))
	checkOneOf(faults, "application_type", m.ApplicationType, "web", "native")
	if len(m.Contacts) > maxList {
		faults.add("contacts", "has more than 50 elements", "list at most 50")
	}
	for i, c := range m.Contacts {
		if !isEmail(c) {
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
