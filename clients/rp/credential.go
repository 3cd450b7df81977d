package rp

import (
	"net/http"
	"net/url"
	"time"
)

// Credential proves to the hub which client is speaking: a *Key (private_key_jwt) or a ClientSecret (client_secret_basic).
type Credential interface {
	prove(form url.Values, header http.Header, p proof) error
	// root is a secret that no database holds, to derive keys from.
	root() Secret
}

// proof is what a credential vouches for.
type proof struct {
	client, issuer string
	at             time.Time
}

// ClientSecret authenticates with HTTP Basic (RFC 6749 §2.3.1).
type ClientSecret struct{ Secret Secret }

// prove encodes both halves as the RFC demands before they are joined by a colon.
func (c ClientSecret) prove(_ url.Values, header http.Header, p proof) error { //nolint:unparam // a Key can fail
	r := http.Request{Header: header}
	r.SetBasicAuth(url.QueryEscape(p.client), url.QueryEscape(c.Secret.Reveal()))
	return nil
}

func (c ClientSecret) root() Secret { return c.Secret }
