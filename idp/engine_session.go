package idp

import (
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/token/jwt"
)

// engineSession is the one session type the engine sees: a grant, and the claims it insists on having.
type engineSession struct {
	g       *grant
	claims  *jwt.IDTokenClaims
	headers *jwt.Headers
}

var _ openid.Session = (*engineSession)(nil)

// IDTokenClaims returns claims good enough for the engine's own checks; ID tokens are made from the grant.
func (s *engineSession) IDTokenClaims() *jwt.IDTokenClaims {
	if s.claims == nil {
		s.claims = &jwt.IDTokenClaims{}
		if s.g != nil {
			s.claims.Subject = s.g.Subject
		}
	}
	return s.claims
}

// IDTokenHeaders returns empty headers.
func (s *engineSession) IDTokenHeaders() *jwt.Headers {
	if s.headers == nil {
		s.headers = &jwt.Headers{}
	}
	return s.headers
}

// SetExpiresAt does nothing: expiry is a property of the grant's records.
func (s *engineSession) SetExpiresAt(fosite.TokenType, time.Time) {}

// GetExpiresAt returns zero: the engine's own strategies, which would ask, are not used.
func (s *engineSession) GetExpiresAt(fosite.TokenType) time.Time { return time.Time{} }

// GetUsername returns nothing: the hub has no names.
func (s *engineSession) GetUsername() string { return "" }

// GetSubject returns the pairwise subject.
func (s *engineSession) GetSubject() string {
	if s.g == nil {
		return ""
	}
	return s.g.Subject
}

// Clone returns a session on the same grant: within one request there is only one.
func (s *engineSession) Clone() fosite.Session {
	return &engineSession{g: s.g}
}
