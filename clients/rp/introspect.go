package rp

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"time"
)

// Grant is what the hub says of an access token that was shown to us as a resource server (RFC 7662 §2.2).
type Grant struct {
	Subject  string // the person, by the name that we know; never the one that the token's client knows
	Client   string // to whom the token was issued
	Actor    string // who acts (RFC 8693 §4.1); empty: nobody but the client
	ID       string
	Exchange string // of the exchange between agencies; empty: it is none
	Details  json.RawMessage
	Expires  time.Time

	bound string // the thumbprint of the key that it is bound to
}

// told is the answer of the introspection endpoint.
type told struct {
	Active   bool            `json:"active"`
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Audience audience        `json:"aud"`
	Client   string          `json:"client_id"`
	Type     string          `json:"token_type"`
	ID       string          `json:"jti"`
	Expires  int64           `json:"exp"`
	Details  json.RawMessage `json:"authorization_details"`
	Exchange string          `json:"txn"` // RFC 8417 §2.2
	Actor    struct {
		Subject string `json:"sub"`
	} `json:"act"`
	Bound struct {
		JKT string `json:"jkt"`
	} `json:"cnf"`
}

// audience is one string or a list of them (RFC 7519 §4.1.3).
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// introspect asks the hub about a token. It must be for the resource and nothing else. A token that is not good, or not for us, is
// TokenInvalid.
func (p *Party) introspect(ctx context.Context, token Secret, resource string) (Grant, error) {
	hub, err := p.provider(ctx)
	if err != nil {
		return Grant{}, err
	}
	if hub.Introspection == "" {
		return Grant{}, &Error{Reason: HubRefused, Detail: "the hub has no introspection endpoint"}
	}
	var t told
	if err := p.post(ctx, hub.Introspection, url.Values{"token": {token.Reveal()}, "token_type_hint": {"access_token"}}, &t); err != nil {
		return Grant{}, err
	}
	refuse := func(detail string) (Grant, error) {
		return Grant{}, &Error{Reason: TokenInvalid, Detail: "access token: " + detail}
	}
	switch {
	case !t.Active:
		return refuse("not active")
	case t.Issuer != p.issuer:
		return refuse("of another issuer")
	case !slices.Equal(t.Audience, audience{resource}):
		return refuse("not for this resource alone")
	case t.Expires <= p.now().Unix():
		return refuse("expired")
	case t.Subject == "" || len(t.Subject) > 255 || t.Client == "" || len(t.Client) > 255 || t.ID == "" || len(t.ID) > 255 || len(t.Exchange) > 128:
		return refuse("sub, client_id or jti")
	}
	return Grant{
		Subject: t.Subject, Client: t.Client, Actor: t.Actor.Subject, ID: t.ID, Exchange: t.Exchange, Details: t.Details,
		Expires: time.Unix(t.Expires, 0), bound: t.Bound.JKT,
	}, nil
}
