package idp

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a machine may have no time zones of its own
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/width"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/mail"
)

// attribute names one thing that may be known of a citizen. Its text is the claim of OIDC Core §5.1, or "address." and a member of the
// address claim (§5.1.1).
type attribute string

// The closed list. What follows from these is computed: address.formatted, updated_at, and the two *_verified.
const (
	attrName       attribute = "name"
	attrFamilyName attribute = "family_name"
	attrGivenName  attribute = "given_name"
	attrMiddleName attribute = "middle_name"
	attrNickname   attribute = "nickname"
	attrUsername   attribute = "preferred_username"
	attrGender     attribute = "gender"
	attrBirthdate  attribute = "birthdate"
	attrZone       attribute = "zoneinfo"
	attrLocale     attribute = "locale"
	attrProfile    attribute = "profile"
	attrPicture    attribute = "picture"
	attrWebsite    attribute = "website"
	attrEmail      attribute = "email"
	attrPhone      attribute = "phone_number"
	attrPostalCode attribute = "address.postal_code"
	attrRegion     attribute = "address.region"
	attrLocality   attribute = "address.locality"
	attrStreet     attribute = "address.street_address"
	attrCountry    attribute = "address.country"
)

// Lengths in characters. All together fit into an ID token that comes back as a hint (keys.MaxToken).
const (
	maxNameText  = 60
	maxPlaceText = 80
	maxPlainURL  = 200
	maxEmail     = 254
	maxLocale    = 35
	maxZone      = 64
)

// source says who vouches for an attribute. Claims are made of what the citizen says of herself; what a certificate says is another
// source and never the same row.
type source string

const selfAsserted source = "self"

// problem is why a text cannot be an attribute's value; messages are keyed by it.
type problem string

const (
	problemLong   problem = "long"
	problemPlain  problem = "plain"
	problemEmail  problem = "email"
	problemPhone  problem = "phone"
	problemDate   problem = "date"
	problemGender problem = "gender"
	problemZone   problem = "zone"
	problemLocale problem = "locale"
	problemURL    problem = "url"
)

// attributeRule is what may be written, and which consent hands it out.
type attributeRule struct {
	name  attribute
	scope string
	parse func(text string, now time.Time) (string, problem)
}

// attributeRules in the order of the page.
func attributeRules() []attributeRule {
	return []attributeRule{
		{attrName, clients.ScopeProfile, text(maxNameText)},
		{attrFamilyName, clients.ScopeProfile, text(maxNameText)},
		{attrGivenName, clients.ScopeProfile, text(maxNameText)},
		{attrMiddleName, clients.ScopeProfile, text(maxNameText)},
		{attrNickname, clients.ScopeProfile, text(maxNameText)},
		{attrUsername, clients.ScopeProfile, text(maxNameText)},
		{attrGender, clients.ScopeProfile, parseGender},
		{attrBirthdate, clients.ScopeProfile, parseBirthdate},
		{attrZone, clients.ScopeProfile, parseZone},
		{attrLocale, clients.ScopeProfile, parseLocale},
		{attrProfile, clients.ScopeProfile, parseWebAddress},
		{attrPicture, clients.ScopeProfile, parseWebAddress},
		{attrWebsite, clients.ScopeProfile, parseWebAddress},
		{attrEmail, clients.ScopeEmail, parseEmail},
		{attrPhone, clients.ScopePhone, parsePhone},
		{attrPostalCode, clients.ScopeAddress, parsePostalCode},
		{attrRegion, clients.ScopeAddress, text(maxPlaceText)},
		{attrLocality, clients.ScopeAddress, text(maxPlaceText)},
		{attrStreet, clients.ScopeAddress, text(maxPlaceText)},
		{attrCountry, clients.ScopeAddress, text(maxPlaceText)},
	}
}

// parseAttribute returns the value to keep of what somebody wrote; "" and no problem is nothing written.
func parseAttribute(r attributeRule, written string, now time.Time) (string, problem) {
	if len(written) > 4*maxEmail || !utf8.ValidString(written) { // no attribute comes near; the rest need not look at more
		return "", problemLong
	}
	written = strings.TrimSpace(written)
	if written == "" {
		return "", ""
	}
	return r.parse(written, now)
}

// text takes what a person writes for people to read: one line without characters that cannot be seen.
func text(most int) func(string, time.Time) (string, problem) {
	return func(s string, _ time.Time) (string, problem) {
		if strings.ContainsFunc(s, unseen) {
			return "", problemPlain
		}
		s = strings.Join(strings.Fields(s), " ")
		if utf8.RuneCountInString(s) > most {
			return "", problemLong
		}
		return s, ""
	}
}

// unseen says whether a character cannot be seen, breaks the line or turns the text round. Those that choose a form of the character
// before them are none: names are written with them.
func unseen(r rune) bool {
	return r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point)
}

// half turns full-width letters, digits and signs into the plain ones, and every dash into "-".
func half(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("‐‑‒–—―−ーｰ", r) {
			return '-'
		}
		return r
	}, width.Narrow.String(s))
}

func parseEmail(s string, _ time.Time) (string, problem) {
	a, err := mail.ParseAddress(half(s))
	switch {
	case errors.Is(err, mail.ErrLong):
		return "", problemLong
	case err != nil:
		return "", problemEmail
	}
	return a.String(), ""
}

// phoneForm is E.164: at most 15 digits, country code first.
var phoneForm = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// parsePhone takes a number of Japan as people there write it, or one with a country code.
func parsePhone(s string, _ time.Time) (string, problem) {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -().\u00a0", r) {
			return -1
		}
		return r
	}, half(s))
	if rest, ok := strings.CutPrefix(s, "0"); ok && (len(rest) == 9 || len(rest) == 10) && rest[0] != '0' {
		s = "+81" + rest
	}
	if !phoneForm.MatchString(s) {
		return "", problemPhone
	}
	return s, ""
}

var postalCodeOfJapan = regexp.MustCompile(`^([0-9]{3})-?([0-9]{4})$`)

func parsePostalCode(s string, now time.Time) (string, problem) {
	s = strings.TrimSpace(strings.TrimPrefix(half(s), "〒"))
	if m := postalCodeOfJapan.FindStringSubmatch(s); m != nil {
		return m[1] + "-" + m[2], ""
	}
	return text(maxPlaceText)(s, now)
}

// genders are the two values that OIDC Core §5.1 defines, and the one for everybody else.
func genders() []string { return []string{"female", "male", "other"} }

func parseGender(s string, _ time.Time) (string, problem) {
	if !slices.Contains(genders(), s) {
		return "", problemGender
	}
	return s, ""
}

var dateForm = regexp.MustCompile(`^([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?$`)

// firstYear is before the birth of anybody alive.
const firstYear = 1870

// parseBirthdate: OIDC Core §5.1: YYYY-MM-DD, or YYYY alone.
func parseBirthdate(s string, now time.Time) (string, problem) {
	s = half(s)
	if m := dateForm.FindStringSubmatch(s); m != nil {
		s = m[1] + "-" + ("0" + m[2])[len(m[2])-1:] + "-" + ("0" + m[3])[len(m[3])-1:]
	}
	layout := time.DateOnly
	if len(s) == 4 {
		layout = "2006"
	}
	day, err := time.Parse(layout, s)
	if err != nil || day.Year() < firstYear || day.After(now) {
		return "", problemDate
	}
	return s, ""
}

// zoneForm keeps what is not the name of a place from being looked for among the machine's files.
var zoneForm = regexp.MustCompile(`^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2})$`)

// parseZone: a name of the IANA time zone database.
func parseZone(s string, _ time.Time) (string, problem) {
	if len(s) > maxZone || !zoneForm.MatchString(s) {
		return "", problemZone
	}
	zone, err := time.LoadLocation(s)
	if err != nil {
		return "", problemZone
	}
	return zone.String(), ""
}

// parseLocale: a language tag of BCP 47.
func parseLocale(s string, _ time.Time) (string, problem) {
	if len(s) > maxLocale {
		return "", problemLocale
	}
	tag, err := language.Parse(s)
	if err != nil || tag == language.Und {
		return "", problemLocale
	}
	return tag.String(), ""
}

// parseWebAddress: https, and no credentials in it.
func parseWebAddress(s string, _ time.Time) (string, problem) {
	if len(s) > maxPlainURL {
		return "", problemLong
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Opaque != "" || !strings.Contains(u.Hostname(), ".") || !visible(s) || strings.ContainsAny(s, " \"<>\\^`{|}") {
		return "", problemURL
	}
	return s, ""
}
