package federation

import (
	"crypto/rand"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
)

// LogoutFlaw is what is wrong with a logout token that a pre-flight sends to find out whether its receiver looks.
type LogoutFlaw string

// The flaws that are in the claims.
const (
	NoFlaw        LogoutFlaw = ""
	WrongAudience LogoutFlaw = "audience" // aud is no client's
	HasNonce      LogoutFlaw = "nonce"    // as an ID token has, and a logout token must not (Back-Channel Logout §2.4)
	NoEvent       LogoutFlaw = "event"    // events names another event
	LongExpired   LogoutFlaw = "expired"  // iat and exp are an hour ago
)

// NobodysAudience is the aud of tokens that are for nobody: no client_id has a colon.
const NobodysAudience = "urn:tsunagu:preflight:nobody"

// ProbeSubject is whom the logout token of a pre-flight is about: nobody who has a folder.
type ProbeSubject struct {
	Subject, Session string // sub and sid, as the ID token had them; Session may be empty
}

// ProbeLogout returns typ and claims of a logout token for a pre-flight, as Deliveries makes them for people, but for the flaw.
func ProbeLogout(issuer string, client clients.ID, who ProbeSubject, flaw LogoutFlaw, now time.Time) (typ string, claims any) {
	c := struct {
		logoutClaims
		Nonce string `json:"nonce,omitempty"`
	}{logoutClaims: logoutClaims{
		Issuer: issuer, Subject: who.Subject, Audience: string(client), IssuedAt: now.Unix(), Expires: now.Add(logoutTokenLife).Unix(),
		ID: rand.Text(), SID: who.Session, Happened: now.Unix(), Events: map[string]struct{}{logoutEvent: {}},
	}}
	switch flaw {
	case NoFlaw:
	case WrongAudience:
		c.Audience = NobodysAudience
	case HasNonce:
		c.Nonce = rand.Text()
	case NoEvent:
		c.Events = map[string]struct{}{"urn:tsunagu:preflight:no-event": {}}
	case LongExpired:
		c.IssuedAt, c.Expires = now.Add(-time.Hour-logoutTokenLife).Unix(), now.Add(-time.Hour).Unix()
	}
	return logoutTokenType, c
}
