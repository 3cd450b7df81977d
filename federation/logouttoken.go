package federation

import (
	"crypto/rand"
	"time"
)

const (
	logoutTokenType = "logout+jwt"
	logoutEvent     = "http://schemas.openid.net/event/backchannel-logout"
	// logoutTokenLife is the two minutes at most that Back-Channel Logout §4 recommends.
	logoutTokenLife = 2 * time.Minute
)

// logoutClaims are the claims of a logout token (Back-Channel Logout §2.4). There is no nonce, and must not be: it is what keeps
// a logout token from being taken for an ID token. toe (RFC 8417 §2.2) is when the person signed out: a token that arrives late
// does not speak of sessions begun since.
type logoutClaims struct {
	Issuer   string              `json:"iss"`
	Subject  string              `json:"sub,omitempty"` // empty only with SID
	Audience string              `json:"aud"`
	IssuedAt int64               `json:"iat"`
	Expires  int64               `json:"exp"`
	ID       string              `json:"jti"`
	SID      string              `json:"sid,omitempty"`
	Happened int64               `json:"toe"`
	Events   map[string]struct{} `json:"events"`
}

// claimsOf makes the claims of one try: a token is never sent twice.
func claimsOf(r Delivery, issuer string, now time.Time) logoutClaims {
	return logoutClaims{
		Issuer: issuer, Subject: r.sub, Audience: string(r.Client), IssuedAt: now.Unix(), Expires: now.Add(logoutTokenLife).Unix(),
		ID: rand.Text(), SID: r.sid, Happened: r.Created.Unix(), Events: map[string]struct{}{logoutEvent: {}},
	}
}
