package agent

import (
	"net/url"
	"strings"
)

// linkScheme begins every link of the card app's own type. Browsers send it in lower case.
const linkScheme = "tsunagu-card:"

// maxLink bounds a link, in bytes: an action and a challenge's address with every letter escaped.
const maxLink = 3*maxChallengeURL + 64

// ParseLink reads a link such as "tsunagu-card:login?challenge=…" and returns the page of the card app that it asks for, such as
// "/login?challenge=…"; "tsunagu-card:sign?request=…" is the same for a signature, "tsunagu-card:open" the start page. Anybody can make
// such a link, so it says nothing but this, and the address in it has to be at a trusted hub. The error is an *Error: RequestMalformed, AddressMalformed or IssuerUntrusted.
func ParseLink(trusted []Issuer, link string) (page string, err error) {
	rest, ok := strings.CutPrefix(link, linkScheme)
	if !ok || len(link) > maxLink {
		return "", refuse(RequestMalformed, "not a link of the card app")
	}
	action, query, asked := strings.Cut(rest, "?")
	if action == "open" && !asked {
		return "/", nil
	}
	name, find := "challenge", findChallenge
	switch {
	case action == "sign" && asked:
		name, find = "request", findSignature
	case action != "login" || !asked:
		return "", refuse(RequestMalformed, "the link asks for something else")
	}
	values, err := url.ParseQuery(query)
	if err != nil || len(values) != 1 || len(values[name]) != 1 {
		return "", refuse(RequestMalformed, "the link has more or less than one address")
	}
	hubs := make([]*hub, len(trusted))
	for i, t := range trusted {
		hubs[i] = &hub{origin: t.URL}
	}
	from, err := find(hubs, values.Get(name))
	if err != nil {
		return "", err
	}
	return from.page(""), nil
}
