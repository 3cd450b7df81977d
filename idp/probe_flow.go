package idp

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/keys"
)

// ProbeFlaw is what is wrong with what a code of a probe becomes.
type ProbeFlaw string

// The flaws.
const (
	FlawNone      ProbeFlaw = ""
	FlawChallenge ProbeFlaw = "challenge" // the code belongs to another PKCE challenge, so no verifier of this login fits
	FlawNonce     ProbeFlaw = "nonce"     // the ID token has another nonce
	FlawSignature ProbeFlaw = "signature" // the ID token's signature is spoilt
	FlawAudience  ProbeFlaw = "audience"  // the ID token is for nobody
	FlawExpired   ProbeFlaw = "expired"   // the ID token expired an hour ago
)

// ProbeAsked is an authorization request of a service, as the provider understood it.
type ProbeAsked struct {
	State, Nonce, Challenge, Redirect string
	Pushed, Signed                    bool
	Posted                            bool // the answer goes in a form
	request                           *authzRequest
}

// ProbeRefusal is an authorization request that the provider would refuse.
type ProbeRefusal struct{ Code, Description string }

func (r *ProbeRefusal) Error() string { return r.Code + ": " + r.Description }

// ReadProbe reads the address that a service sent a browser to. The error is a *ProbeRefusal, or ErrElsewhere if the address is not the
// authorization endpoint's.
func (p *Provider) ReadProbe(ctx context.Context, probe Probe, address string) (ProbeAsked, error) {
	if err := p.probing(ctx, probe); err != nil {
		return ProbeAsked{}, err
	}
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Scheme+"://"+u.Host+u.Path != p.issuer+"/authorize" {
		return ProbeAsked{}, ErrElsewhere
	}
	ctx = withCandidate(ctx, probe.Client)
	form, broken := readForm(&http.Request{Method: http.MethodGet, URL: u})
	if form == nil {
		form = url.Values{}
	}
	if form.Get("client_id") != string(probe.Client.ID()) {
		return ProbeAsked{}, &ProbeRefusal{"unauthorized_client", "client_id is not " + string(probe.Client.ID())}
	}
	req, _, err := p.authorizationRequest(ctx, form, broken)
	if err != nil {
		return ProbeAsked{}, probeRefusal(err)
	}
	if u, err := clients.ParseRedirectURI(req.Redirect); err != nil || !probe.Client.Allows(u) { // pushed by what is live
		return ProbeAsked{}, &ProbeRefusal{"invalid_request", "redirect_uri is not one of this version"}
	}
	return ProbeAsked{
		State: req.State, Nonce: req.Nonce, Challenge: req.Challenge, Redirect: req.Redirect, Pushed: req.Pushed, Signed: form.Get("request") != "",
		Posted: req.Mode.posted(), request: req,
	}, nil
}

// ErrElsewhere is an address that is not the authorization endpoint's.
var ErrElsewhere = errors.New("idp: the address is not the authorization endpoint")

func probeRefusal(err error) error {
	if o, ok := errors.AsType[*oauthError](err); ok {
		return &ProbeRefusal{o.code, o.description}
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return &ProbeRefusal{e.Reason.String(), e.Detail}
	}
	return err
}

// ProbeCode makes the code that answers a request of a probe, for the made-up person of that number, from 0. Each request can be answered by
// one code.
func (p *Provider) ProbeCode(ctx context.Context, probe Probe, asked ProbeAsked, person int, flaw ProbeFlaw) (code, grantID string, err error) {
	if err := p.probing(ctx, probe); err != nil {
		return "", "", err
	}
	if person < 0 || person >= MaxProbePeople || asked.request == nil || asked.request.Client != probe.Client.ID() {
		return "", "", errors.New("idp: not a request of this probe, or too many people")
	}
	ctx = withCandidate(ctx, probe.Client)
	req, now := *asked.request, p.now()
	if flaw == FlawChallenge {
		req.Challenge = base64.RawURLEncoding.EncodeToString(randomBytes(32))
	}
	g := &grant{
		ID: req.Grant, Client: req.Client, Account: probeAccount(probe.ID, person), Subject: p.probeSubject(probe, person), SID: probeSession(probe, person),
		Scopes: p.grantable(probe.Client, req.Scopes), JKT: req.JKT, AuthTime: now.Unix(), ACR: ACRCard, AMR: []string{"sc", "pin", "hwk", "mfa"},
		Resources: req.Resources, Details: req.Details, Session: now.UnixMilli(), Issued: now.UnixMilli(), Hard: now.Add(ProbeLife).Unix(),
		Probe: &probeMark{ID: probe.ID, Flaw: flaw},
	}
	if told := req.answeredACR(g.ACR); told != g.ACR {
		g.Told = told
	}
	g.limit(probe.Client)
	if g.Claims, err = req.Claims.within(nil).encoded(); err != nil {
		return "", "", fmt.Errorf("encode claims request: %w", err)
	}
	code, err = p.engine.issueCode(ctx, p.unit(probe.Client), &req, g)
	return code, g.ID, err
}

// ProbeAnswer makes what the browser is to carry to the service: the given parameters, signed if the service asked for that (JARM).
func (p *Provider) ProbeAnswer(ctx context.Context, probe Probe, asked ProbeAsked, params url.Values) (url.Values, error) {
	if err := p.probing(ctx, probe); err != nil {
		return nil, err
	}
	if asked.request != nil && asked.request.Mode.signed() {
		return p.signedResponse(probe.Client, params)
	}
	return params, nil
}

// probeIDToken signs the ID token of a grant of a probe, spoilt as the grant says. It is the only place where the provider lies, and it does so
// about a person who does not exist, to the client that is being probed, while it is.
func (p *Provider) probeIDToken(ctx context.Context, g *grant, alg keys.Alg, claims idTokenClaims) (string, error) {
	if ok, err := p.probeStands(ctx, g); err != nil {
		return "", err
	} else if !ok {
		return "", ErrNoProbe
	}
	switch g.Probe.Flaw {
	case FlawNone, FlawChallenge, FlawSignature:
	case FlawNonce:
		claims.Nonce = newSecret() // nobody can have asked with it
	case FlawAudience:
		claims.Audience = federation.NobodysAudience
	case FlawExpired:
		claims.IssuedAt -= 2 * 60 * 60
		claims.Expires = claims.IssuedAt + int64(idTokenLife.Seconds())
		claims.AuthTime = claims.IssuedAt
	default:
		return "", fmt.Errorf("idp: flaw %q", g.Probe.Flaw)
	}
	token, err := p.keys.Sign(alg, "JWT", claims)
	if err == nil && g.Probe.Flaw == FlawSignature {
		return spoil(token)
	}
	return token, err
}

// spoil changes one bit in the middle of a compact JWS's signature.
func spoil(token string) (string, error) {
	head, tail, ok := cutLast(token)
	signature, err := base64.RawURLEncoding.DecodeString(tail)
	if !ok || err != nil || len(signature) == 0 {
		return "", errors.New("idp: not a compact JWS")
	}
	signature[len(signature)/2] ^= 1
	return head + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func cutLast(token string) (head, tail string, ok bool) {
	i := strings.LastIndexByte(token, '.')
	if i < 0 {
		return "", "", false
	}
	return token[:i], token[i+1:], true
}

// ProbeLogoutFlaw is a flaw of federation's, or LogoutSignature.
type ProbeLogoutFlaw = federation.LogoutFlaw

// LogoutSignature is a logout token whose signature is spoilt.
const LogoutSignature ProbeLogoutFlaw = "signature"

// ProbeLogout makes a logout token about a made-up person of the probe.
func (p *Provider) ProbeLogout(ctx context.Context, probe Probe, person int, flaw ProbeLogoutFlaw) (string, error) {
	if err := p.probing(ctx, probe); err != nil {
		return "", err
	}
	who := federation.ProbeSubject{
		Subject: p.probeSubject(probe, person), Session: p.clientSID(probeSession(probe, person), string(probe.Client.ID())),
	}
	claimed := flaw
	if flaw == LogoutSignature {
		claimed = federation.NoFlaw
	}
	typ, claims := federation.ProbeLogout(p.issuer, probe.Client.ID(), who, claimed, p.now())
	token, err := p.keys.Sign(probe.Client.IDTokenAlg(), typ, claims)
	if err == nil && flaw == LogoutSignature {
		return spoil(token)
	}
	return token, err
}
