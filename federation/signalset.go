package federation

import (
	"encoding/json"
	"fmt"

	"github.com/tsunagu-id/tsunagu/keys"
)

// setType is the explicit type of a security event token (RFC 8417 §2.3).
const setType = "secevent+jwt"

// body is what a row says, as it is sealed.
type body struct {
	Subject  map[string]any `json:"sub_id"`
	Event    map[string]any `json:"event"`
	Happened int64          `json:"toe"` // Unix seconds
	Txn      string         `json:"txn"`
}

// setClaims are the claims of a security event token (RFC 8417 §2.2, SSF 1.0 §4.1). There is no sub and no exp, and must not be: a
// token of this kind cannot pass for an ID token or an access token.
type setClaims struct {
	Issuer   string                       `json:"iss"`
	Audience string                       `json:"aud"`
	IssuedAt int64                        `json:"iat"`
	ID       string                       `json:"jti"`
	Happened int64                        `json:"toe"`
	Txn      string                       `json:"txn"`
	Subject  map[string]any               `json:"sub_id"`
	Events   map[EventType]map[string]any `json:"events"`
}

// subjectOf names a person as one sector knows them (RFC 9493 §3.2.3), and with sid one session of theirs (SSF 1.0 §3.2); without sub
// the session alone.
func subjectOf(issuer, sub, sid string) map[string]any {
	user := map[string]any{"format": "iss_sub", "iss": issuer, "sub": sub}
	if sid == "" {
		return user
	}
	out := map[string]any{"format": "complex", "session": map[string]any{"format": "opaque", "id": sid}}
	if sub != "" {
		out["user"] = user
	}
	return out
}

// streamSubject names a stream, in the events about it (SSF 1.0 §8.1.4).
func streamSubject(id string) map[string]any { return map[string]any{"format": "opaque", "id": id} }

func placeOf(id string) []byte { return []byte("signal/1\x00" + id) }

func (s *Signals) seal(id string, b body) ([]byte, error) {
	plain, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return s.d.Sealer.Seal(plain, placeOf(id)), nil
}

// token signs the row with the key that the client's ID tokens are signed with. Told again, the same event has the same jti and
// says the same (RFC 8417 §2.2).
func (s *Signals) token(alg keys.Alg, st stream, q queued) (string, error) {
	claims, err := s.claims(st, q)
	if err != nil {
		return "", err
	}
	token, err := s.d.Sign(alg, setType, claims)
	if err != nil {
		return "", fmt.Errorf("sign event: %w", err)
	}
	return token, nil
}

// claims opens a row.
func (s *Signals) claims(st stream, q queued) (setClaims, error) {
	plain, err := s.d.Sealer.Open(q.sealed, placeOf(q.ID))
	if err != nil {
		return setClaims{}, fmt.Errorf("open event %s: %w", q.ID, err)
	}
	var b body
	if err := json.Unmarshal(plain, &b); err != nil {
		return setClaims{}, fmt.Errorf("decode event %s: %w", q.ID, err)
	}
	return setClaims{
		Issuer: s.d.Issuer, Audience: string(st.Client), IssuedAt: q.created.Unix(), ID: q.ID, Happened: b.Happened, Txn: b.Txn,
		Subject: b.Subject, Events: map[EventType]map[string]any{q.Type: b.Event},
	}, nil
}
