package agent

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func trustedForLinks() []Issuer {
	return []Issuer{{URL: "https://hub.example"}, {URL: "http://localhost:8400"}}
}

func TestLink(t *testing.T) {
	t.Parallel()
	good := "https://hub.example" + challengePath + someID
	for link, want := range map[string]string{
		"tsunagu-card:open": "/",
		"tsunagu-card:login?challenge=" + url.QueryEscape(good):     "/login?challenge=" + url.QueryEscape(good),
		"tsunagu-card:login?challenge=" + good:                      "/login?challenge=" + url.QueryEscape(good),
		"":                                                          "invalid_request",
		"tsunagu-card:":                                             "invalid_request",
		"tsunagu-card:open?x":                                       "invalid_request",
		"tsunagu-card:login":                                        "invalid_request",
		"tsunagu-card:login?":                                       "invalid_request",
		"tsunagu-card:virtual?challenge=" + good:                    "invalid_request",
		"tsunagu-card://login?challenge=" + good:                    "invalid_request",
		"TSUNAGU-CARD:open":                                         "invalid_request",
		"http://127.0.0.1:8404/login?challenge=" + good:             "invalid_request",
		"tsunagu-card:login?challenge=" + good + "&challenge=x":     "invalid_request",
		"tsunagu-card:login?challenge=" + good + "&card=x":          "invalid_request",
		"tsunagu-card:login?challenge=%zz":                          "invalid_request",
		"tsunagu-card:login?challenge=" + strings.Repeat("a", 4096): "invalid_request",
		"tsunagu-card:login?challenge=https://hub.example/login":    "challenge_address",
		"tsunagu-card:login?challenge=https://hub.example.evil.example" + challengePath + someID: "issuer_untrusted",
		"tsunagu-card:login?challenge=-config":                                                   "challenge_address",
	} {
		got, err := ParseLink(trustedForLinks(), link)
		if err != nil {
			got = Word(err)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", link, got, want)
		}
	}
}

// FuzzLink: a link that is taken leads to a page of the card app with one challenge of a trusted hub, and to nothing else.
func FuzzLink(f *testing.F) {
	for _, s := range []string{
		"tsunagu-card:open", "tsunagu-card:login?challenge=" + url.QueryEscape("https://hub.example"+challengePath+someID),
		"tsunagu-card:login?challenge=https://hub.example/card/challenges/" + someID + "&x=1", "tsunagu-card://login", "tsunagu-card:login?challenge=;",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		page, err := ParseLink(trustedForLinks(), s)
		if err != nil {
			own, ok := errors.AsType[*Error](err)
			if !ok || own.Reason != RequestMalformed && own.Reason != AddressMalformed && own.Reason != IssuerUntrusted {
				t.Fatal(err)
			}
			return
		}
		u, err := url.Parse(page)
		if err != nil || u.Host != "" || u.Scheme != "" || page != "/" && u.Path != "/login" && u.Path != "/sign" {
			t.Fatalf("%q leads to %q", s, page)
		}
		asked := u.Query().Get("challenge") + u.Query().Get("request")
		if page != "/" && !strings.HasPrefix(asked, "https://hub.example/") && !strings.HasPrefix(asked, "http://localhost:8400/") {
			t.Fatalf("%q asks for %q", s, asked)
		}
	})
}
