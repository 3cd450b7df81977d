package rp

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	// subjectType is the explicit type of what an agency says of a person, so that it is never taken for a client assertion.
	subjectType = "agency-subject+jwt"
	// ExchangeDetail is the type of the authorization details of an exchange between agencies.
	ExchangeDetail = "urn:tsunagu:exchange"
)

// ExchangeDetails say what one agency wants to know from another, and by what right.
type ExchangeDetails struct {
	Type    string   `json:"type"`
	Basis   string   `json:"basis"`   // the legal basis, as the hub's table calls it
	Purpose string   `json:"purpose"` // code of the procedure, JT…
	Items   []string `json:"items"`   // code of the one item, TM…
}

// ExchangeToken opens one item at one provider for about a minute.
type ExchangeToken struct {
	Access  Secret
	ID      string // of the exchange in the hub's records
	Expires time.Time
}

// Exchange asks the hub for a token about a person who is not present, for another agency's resource (RFC 8693). The person goes by the
// name that we know; the token will carry the one that the other agency knows. What the hub does not allow is HubRefused with its word
// for why in Code. It needs a Key as credential.
func (p *Party) Exchange(ctx context.Context, subject, resource string, d ExchangeDetails) (ExchangeToken, error) {
	var none ExchangeToken
	key, ok := p.credential.(*Key)
	if !ok {
		return none, errors.New("rp: only a client with a key of its own can speak about a person")
	}
	hub, err := p.provider(ctx)
	if err != nil {
		return none, err
	}
	now := p.now()
	about, err := key.sayOf(map[string]any{
		"iss": p.clientID, "sub": subject, "aud": p.issuer, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return none, fmt.Errorf("subject token: %w", err)
	}
	d.Type = ExchangeDetail
	details, err := json.Marshal([]ExchangeDetails{d})
	if err != nil {
		return none, fmt.Errorf("authorization details: %w", err)
	}
	a, err := p.redeem(ctx, hub, url.Values{
		"grant_type": {exchangeGrant}, "subject_token": {about}, "subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
		"resource": {resource}, "authorization_details": {string(details)},
	})
	if err != nil {
		return none, err
	}
	if a.Exchange == "" || len(a.Exchange) > 128 || a.Expires <= 0 {
		return none, &Error{Reason: HubRefused, Detail: "exchanged token without exchange_id or expires_in"}
	}
	return ExchangeToken{Access: NewSecret(a.Access), ID: a.Exchange, Expires: now.Add(time.Duration(min(a.Expires, 3600)) * time.Second)}, nil
}

// sayOf signs claims about a person.
func (k *Key) sayOf(claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := k.people.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// Present calls a resource of somebody else than the hub with an access token, and with the proof that it is ours if it is bound. The
// errors are those of Call, but for HubUnreachable, which here means the resource.
func (p *Party) Present(ctx context.Context, access Secret, method, address string, in, out any) error {
	var send []byte
	if in != nil {
		var err error
		if send, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
	}
	header := http.Header{"Authorization": {p.scheme() + " " + access.Reveal()}, "Accept": {"application/json"}}
	if send != nil {
		header.Set("Content-Type", "application/json")
	}
	if err := p.addProofWith(header, method, address, access.Reveal(), ""); err != nil {
		return err
	}
	return p.exchange(ctx, method, address, header, send, out)
}
