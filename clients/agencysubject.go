package clients

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

const (
	// agencySubjectType is the typ of a token that names a citizen by an office's own name for her (RFC 8725 §3.11).
	agencySubjectType = "agency-subject+jwt"
	// maxAgencySubjectLife bounds exp from iat.
	maxAgencySubjectLife = 60 * time.Second
	maxSubject           = 255 // bytes (OpenID Connect Core §2)
)

// AgencySubjectRules say what a subject token must be meant for. Both are required.
type AgencySubjectRules struct {
	Issuer string          // of the hub, the one audience
	Store  ephemeral.Store // remembers each jti until its token has expired
}

type agencySubjectClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience string   `json:"aud"`
	ID       string   `json:"jti"`
	Expires  *float64 `json:"exp"`
	IssuedAt *float64 `json:"iat"`
}

// VerifyAgencySubject checks a token by which an office names the citizen it asks about (RFC 8693 §2.1, subject_token) and returns the
// name. It is signed with the client's registered keys, an *Error says what is wrong with it. The jti comes last, so that only the
// office itself can spend one.
func (r *Registry) VerifyAgencySubject(ctx context.Context, c *Client, token string, rules AgencySubjectRules) (string, error) {
	if rules.Issuer == "" || rules.Store == nil {
		return "", errors.New("clients: agency subject rules are incomplete")
	}
	verified, err := r.verifyAssertion(ctx, c, token)
	if err != nil {
		return "", err
	}
	if verified.Typ != agencySubjectType {
		return "", bad(c, "typ is not "+agencySubjectType)
	}
	if _, err := decodeObject(verified.Payload); err != nil {
		return "", bad(c, "claims are not one JSON object")
	}
	var claims agencySubjectClaims
	if err := json.Unmarshal(verified.Payload, &claims); err != nil {
		return "", bad(c, "a claim has the wrong type")
	}
	now := r.d.Now()
	if err := claims.check(c, rules.Issuer, now); err != nil {
		return "", err
	}
	return claims.Subject, claims.spend(ctx, rules.Store, c, now)
}

func (a agencySubjectClaims) check(c *Client, issuer string, now time.Time) error {
	switch {
	case a.Issuer != string(c.ID()):
		return bad(c, "iss is not the client id")
	case a.Audience != issuer:
		return bad(c, "aud is not this hub")
	case a.Subject == "" || len(a.Subject) > maxSubject:
		return bad(c, "sub is missing or longer than 255 bytes")
	case a.ID == "" || len(a.ID) > maxJTI:
		return bad(c, "jti is missing or longer than 256 bytes")
	case a.Expires == nil || a.IssuedAt == nil:
		return bad(c, "exp or iat is missing")
	}
	for _, t := range []float64{*a.Expires, *a.IssuedAt} {
		if !(t >= 0 && t <= 1<<40) { // false of what is no number, too
			return bad(c, "a time is out of range")
		}
	}
	expires, issued := at(*a.Expires), at(*a.IssuedAt)
	switch {
	case !now.Before(expires.Add(skew)):
		return &Error{Reason: AssertionExpired, Client: c.ID(), Detail: "exp has passed"}
	case issued.After(now.Add(skew)):
		return &Error{Reason: AssertionExpired, Client: c.ID(), Detail: "iat is in the future"}
	case expires.Sub(issued) > maxAgencySubjectLife:
		return bad(c, "exp is more than 60 seconds after iat")
	}
	return nil
}

func (a agencySubjectClaims) spend(ctx context.Context, store ephemeral.Store, c *Client, now time.Time) error {
	sum := sha256.Sum256([]byte(string(c.ID()) + "\x00" + a.ID))
	life := at(*a.Expires).Add(skew).Sub(now) + time.Second
	err := store.Create(ctx, "agencysubject:1:"+base64.RawURLEncoding.EncodeToString(sum[:]), []byte{1}, life)
	if errors.Is(err, ephemeral.ErrExists) {
		return &Error{Reason: AssertionReplayed, Client: c.ID(), Detail: "jti was used before"}
	}
	if err != nil {
		return fmt.Errorf("spend subject token of client %s: %w", c.ID(), err)
	}
	return nil
}
