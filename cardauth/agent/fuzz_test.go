package agent

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

// What is accepted is the hub's origin, the path and an id, spelled the one way: a URL parser agrees about where it
// leads.
func FuzzChallengeAddress(f *testing.F) {
	const origin = "https://hub.example"
	for _, s := range []string{
		origin + challengePath + someID, origin + challengePath, origin + "@x" + challengePath + someID, "", "//", origin,
		origin + challengePath + someID + "?a", "http://hub.example" + challengePath + someID, "https://hub.example\\@x/card/challenges/" + someID,
	} {
		f.Add(s)
	}
	trusted := []*hub{{origin: origin}, {origin: "http://127.0.0.1:8400"}}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := findChallenge(trusted, s)
		if err != nil {
			own, ok := errors.AsType[*Error](err)
			if !ok || own.Reason != IssuerUntrusted && own.Reason != AddressMalformed {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if got.String() != s {
			t.Fatalf("%q became %q", s, got)
		}
		u, err := url.Parse(s)
		if err != nil || u.Scheme+"://"+u.Host != got.hub.origin || u.Path != challengePath+got.id || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("%q is read as %+v", s, u)
		}
	})
}

// What is accepted is complete, can be shown, and lives no longer than a challenge may.
func FuzzChallengeClaims(f *testing.F) {
	now := newClock().now()
	from := challengeURL{hub: &hub{origin: "https://hub.example"}, id: someID}
	good, err := json.Marshal(challengeClaims{
		Issuer: from.hub.origin, ID: someID, Nonce: someID, ClientID: "etax", ClientName: "見本e-Tax", RedirectHost: "etax.example",
		ACR: "phrh", Issued: now.Unix(), Expires: now.Add(2 * time.Minute).Unix(),
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		string(good), string(good) + "{}", "null", "[]", "{}", strings.Replace(string(good), "etax.example", "\u202e", 1),
		strings.Replace(string(good), `"iat":`, `"iat":-`, 1), strings.Replace(string(good), `"exp":`, `"exp":9`, 1),
	} {
		f.Add([]byte(s))
	}
	if _, err := parseChallenge(good, "x", from, now); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := parseChallenge(payload, "a.b.c", from, now)
		if err != nil {
			own, ok := errors.AsType[*Error](err)
			if !ok || own.Reason != ChallengeForged && own.Reason != ChallengeExpired && own.Reason != ClockWrong {
				t.Fatal(err)
			}
			return
		}
		if c.id != someID || c.compact != "a.b.c" || !isToken(c.clientID) || !isToken(c.redirectHost) || !isToken(c.acr) ||
			!isName(c.clientName) || len(c.nonce) < minNonce {
			t.Fatalf("%+v", c)
		}
		if left := c.expires.Sub(now); left <= -clockLeeway || left > maxChallengeLife+clockLeeway {
			t.Fatalf("ends %v from now", left)
		}
	})
}

// What is accepted is on the hub's origin to a URL parser too, and cannot break out of a header.
func FuzzReturnAddress(f *testing.F) {
	h := &hub{origin: "https://hub.example"}
	for _, s := range []string{"https://hub.example/login/return?code=1", "https://hub.example@x/", "https://hub.example/\\x", "https://hub.example", "//x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !h.owns(s) {
			return
		}
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "https" || u.Host != "hub.example" || u.User != nil || strings.ContainsAny(s, "\r\n\\ ") {
			t.Fatalf("%q is read as %+v", s, u)
		}
	})
}
