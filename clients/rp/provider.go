package rp

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	// providerLife is how long a discovery document is believed.
	providerLife = time.Hour
	// discoveryPause keeps a hub that is down from being asked by every visitor.
	discoveryPause = time.Second
)

// provider is what the discovery document says, judged.
type provider struct {
	endpoints
	oidc     *oidc.Provider
	verifier *oidc.IDTokenVerifier
	sets     *oidc.IDTokenVerifier // of security event tokens, which have no exp
}

// endpoints are the members of the document that go-oidc does not offer (OpenID Connect Discovery §3, RFC 8414 §2).
type endpoints struct {
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	JWKS          string   `json:"jwks_uri"`
	PAR           string   `json:"pushed_authorization_request_endpoint"`
	Revocation    string   `json:"revocation_endpoint"`
	Introspection string   `json:"introspection_endpoint"`
	Registration  string   `json:"registration_endpoint"`
	EndSession    string   `json:"end_session_endpoint"`
	Device        string   `json:"device_authorization_endpoint"`
	Challenges    []string `json:"code_challenge_methods_supported"`
	SendsIssuer   bool     `json:"authorization_response_iss_parameter_supported"`
}

// discovery holds the last document that was good.
type discovery struct {
	mu    sync.Mutex // held over a fetch only while there is no document
	last  *provider
	read  time.Time // when last was fetched
	tried time.Time
	err   error // of the last try
	busy  bool  // an old document is being fetched again
}

// provider returns the hub's configuration. A document grown old is fetched again on the side and used meanwhile, and for as long as
// that fails, because endpoints outlive outages. Visitors who come before there is any wait for that one answer.
func (p *Party) provider(ctx context.Context) (*provider, error) {
	// Detached: one visitor who hangs up must not fail the others who wait.
	ctx = context.WithoutCancel(ctx)
	d := &p.discovery
	d.mu.Lock()
	defer d.mu.Unlock()
	now := p.now()
	rested := d.tried.IsZero() || now.Sub(d.tried) >= discoveryPause
	if d.last != nil {
		if now.Sub(d.read) >= providerLife && rested && !d.busy {
			d.busy = true
			go p.rediscover(ctx)
		}
		return d.last, nil
	}
	if rested {
		fresh, err := p.discover(ctx)
		d.note(fresh, err, p.now())
	}
	if d.last == nil {
		return nil, &Error{Reason: HubUnreachable, Detail: "discovery", Err: d.err}
	}
	return d.last, nil
}

// rediscover ends with the client's timeout at the latest.
func (p *Party) rediscover(ctx context.Context) {
	fresh, err := p.discover(ctx)
	d := &p.discovery
	d.mu.Lock()
	defer d.mu.Unlock()
	d.note(fresh, err, p.now())
	d.busy = false
}

// note keeps the outcome of a try. The caller holds the lock.
func (d *discovery) note(fresh *provider, err error, now time.Time) {
	d.tried, d.err = now, err
	if err == nil {
		d.last, d.read = fresh, now
	}
}

func (p *Party) discover(ctx context.Context) (*provider, error) {
	ctx = oidc.ClientContext(ctx, p.http)
	found, err := oidc.NewProvider(ctx, p.issuer)
	if err != nil {
		return nil, err
	}
	out := &provider{oidc: found}
	if err := found.Claims(&out.endpoints); err != nil {
		return nil, err
	}
	for name, address := range map[string]string{
		"authorization_endpoint": out.Authorization, "token_endpoint": out.Token, "jwks_uri": out.JWKS,
		"pushed_authorization_request_endpoint": out.PAR, "revocation_endpoint": out.Revocation, "introspection_endpoint": out.Introspection,
		"end_session_endpoint": out.EndSession, "device_authorization_endpoint": out.Device, "userinfo_endpoint": found.UserInfoEndpoint(),
	} {
		optional := name != "authorization_endpoint" && name != "token_endpoint" && name != "jwks_uri"
		if address == "" && optional {
			continue
		}
		if err := checkAddress(address, true); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if !slices.Contains(out.Challenges, "S256") {
		return nil, fmt.Errorf("the hub does not offer PKCE with S256")
	}
	fetcher := *p.http
	fetcher.Transport = &keyFetcher{next: p.http.Transport, now: p.now}
	keys := oidc.NewRemoteKeySet(oidc.ClientContext(ctx, &fetcher), out.JWKS)
	out.verifier = oidc.NewVerifier(p.issuer, keys, &oidc.Config{
		ClientID: p.clientID, SupportedSigningAlgs: []string{p.alg}, Now: p.now,
	})
	out.sets = oidc.NewVerifier(p.issuer, keys, &oidc.Config{
		ClientID: p.clientID, SupportedSigningAlgs: []string{p.alg}, Now: p.now, SkipExpiryCheck: true,
	})
	return out, nil
}

// checkAddress accepts an absolute https address, or an http one on a loopback host. With path false it is an origin alone.
func checkAddress(s string, path bool) error {
	u, err := url.Parse(s)
	if err != nil {
		return err
	}
	switch {
	case u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "":
		return fmt.Errorf("%q is no absolute web address", s)
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return fmt.Errorf("%q must begin with https://; http:// is for loopback only", s)
	case !path && (u.Path != "" || u.RawQuery != ""):
		return fmt.Errorf("%q must end after the host and port", s)
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
