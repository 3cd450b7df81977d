package idp

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
)

// bearerError is RFC 6750 §3: what a resource answers to a token that will not do.
type bearerError struct {
	code   string // "" when no token came at all
	status int
	scope  string
	dpop   bool          // the token is bound to a key: the answer is of scheme DPoP (RFC 9449 §7.1)
	nonce  string        // for the next proof (RFC 9449 §9)
	acr    string        // the level the citizen has to sign in at (RFC 9470 §3)
	maxAge time.Duration // and how long ago at most; 0: any time
}

func (e *bearerError) Error() string { return "bearer: " + e.code }

// bearerToken reads the token from the Authorization header, or from the body of a form (RFC 6750 §2.1, §2.2); never from the URL.
// bound says that it came with scheme DPoP.
func bearerToken(r *http.Request) (token string, bound bool, err error) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	bound = ok && strings.EqualFold(scheme, "DPoP")
	fromHeader := bound || ok && strings.EqualFold(scheme, "Bearer")
	if r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := readForm(r)
		if err != nil {
			return "", false, &bearerError{code: "invalid_request", status: http.StatusBadRequest}
		}
		if t := form.Get("access_token"); t != "" {
			if fromHeader {
				return "", false, &bearerError{code: "invalid_request", status: http.StatusBadRequest}
			}
			return t, false, nil
		}
	}
	if !fromHeader {
		return "", false, &bearerError{status: http.StatusUnauthorized}
	}
	return strings.TrimSpace(token), bound, nil
}

// demand is what a resource of ours asks of an access token.
type demand struct {
	scope   string        // empty: none; the resource looks at the authorization details
	or      string        // another scope that does as well; empty: none
	service bool          // got by a client on its own behalf (RFC 6749 §4.4); otherwise it must speak for a citizen
	either  bool          // speaks for a citizen or for the client, and the resource tells them apart; service means nothing then
	probe   bool          // a pre-flight's token will do: it speaks for nobody
	acting  bool          // a representative may do it for the citizen; no API of ours takes her token unless it says so
	acr     string        // the lowest level of the citizen's sign-in; empty: any
	maxAge  time.Duration // the longest time since; 0: any
	base    string        // the address that the resource is at; empty: the one that the request came to of the hub's own
}

// bearerFor returns the live grant behind a request's access token, which must be what is demanded.
func (p *Provider) bearerFor(ctx context.Context, r *http.Request, d demand) (*grant, error) {
	g, _, err := p.bearerScopes(ctx, r, d)
	return g, err
}

// bearerScopes is bearerFor that also tells all that the token may do.
func (p *Provider) bearerScopes(ctx context.Context, r *http.Request, d demand) (*grant, []string, error) {
	held, err := p.bearerHeld(ctx, r, d)
	if err != nil {
		return nil, nil, err
	}
	return held.g, held.g.scopesOf(held.a), nil
}

// bearerHeld is bearerFor that returns the token with all that is known of it.
func (p *Provider) bearerHeld(ctx context.Context, r *http.Request, d demand) (heldToken, error) {
	var none heldToken
	token, bound, err := bearerToken(r)
	if err != nil {
		return none, err
	}
	invalid := &bearerError{code: "invalid_token", status: http.StatusUnauthorized, dpop: bound}
	held, err := p.findAccess(ctx, token)
	if errors.Is(err, errNoToken) {
		return none, invalid
	}
	if err != nil {
		return none, err
	}
	g, a := held.g, held.a
	// A token for somebody else's resource is none for us, whoever shows it (RFC 9068 §4).
	if !held.forHub(p.issuer) {
		return none, invalid
	}
	// A bound token without its proof, and a proof for a token that is bound to nothing, are both refused (RFC 9449 §7.2).
	if bound != (a.JKT != "") {
		return none, invalid
	}
	if bound {
		if err := p.proveToken(ctx, r, cmp.Or(d.base, p.base(r))+r.URL.Path, token, a.JKT); err != nil {
			return none, err
		}
	}
	if a.X5T != "" && !holdsCertificate(r, a.X5T) { // RFC 8705 §3
		return none, invalid
	}
	if ok, err := p.stands(ctx, g); err != nil {
		return none, err
	} else if !ok {
		return none, invalid
	}
	if d.scope != "" && !slices.ContainsFunc(g.scopesOf(a), func(s string) bool { return s == d.scope || s == d.or }) || !d.either && d.service != (g.Account == "") {
		return none, &bearerError{code: "insufficient_scope", status: http.StatusForbidden, scope: d.scope, dpop: bound}
	}
	if g.Acting != nil && !d.acting || g.Probe != nil && !d.probe {
		return none, &bearerError{code: "insufficient_scope", status: http.StatusForbidden, scope: d.scope, dpop: bound}
	}
	return held, p.fresh(g, d, bound)
}

// fresh refuses a sign-in that was too long ago or too weak for what is asked (RFC 9470 §3).
func (p *Provider) fresh(g *grant, d demand, bound bool) error {
	old := d.maxAge > 0 && p.now().Sub(time.Unix(g.AuthTime, 0)) > d.maxAge
	weak := d.acr != "" && !acrSatisfied([]string{d.acr}, g.ACR)
	if !old && !weak {
		return nil
	}
	return &bearerError{code: "insufficient_user_authentication", status: http.StatusUnauthorized, dpop: bound, acr: d.acr, maxAge: d.maxAge}
}

// answerBearer writes a refusal; any other error goes to the caller.
func (p *Provider) answerBearer(w http.ResponseWriter, r *http.Request, err error) error {
	var e *bearerError
	if !errors.As(err, &e) {
		return err
	}
	p.bearerChallenge(w.Header(), e)
	body := map[string]string{}
	if e.code != "" {
		body["error"] = e.code
	}
	writeJSON(w, r, e.status, body)
	return nil
}

// bearerChallenge says in an answer's header what is missing.
func (p *Provider) bearerChallenge(h http.Header, e *bearerError) {
	challenge := `Bearer realm="tsunagu"`
	if e.dpop {
		challenge = `DPoP algs="ES256 PS256 EdDSA"`
	}
	challenge += `, resource_metadata="` + p.issuer + resourceMetadataPath + `"` // RFC 9728 §5.1
	if e.code != "" {
		challenge += `, error="` + e.code + `"`
	}
	if e.acr != "" {
		challenge += `, acr_values="` + e.acr + `"`
	}
	if e.maxAge > 0 {
		challenge += `, max_age="` + strconv.FormatInt(int64(e.maxAge.Seconds()), 10) + `"`
	}
	if e.scope != "" {
		challenge += `, scope="` + e.scope + `"`
	}
	if e.nonce != "" {
		h.Set("DPoP-Nonce", e.nonce)
	}
	h.Set("WWW-Authenticate", challenge)
}

// freshLogin is how old a sign-in may be for what cannot be taken back: as old as a session gets by default. A token that a client
// has refreshed for weeks does not do for it.
const freshLogin = 12 * time.Hour

// authorizeAPI is how the federation's API learns who calls.
func (p *Provider) authorizeAPI(ctx context.Context, r *http.Request, need federation.Need) (federation.Caller, error) {
	d := demand{scope: need.Scope, or: need.Or, service: need.Machine}
	if need.Fresh {
		d.acr, d.maxAge = ACRCard, freshLogin
	}
	g, err := p.bearerFor(ctx, r, d)
	if err != nil {
		return federation.Caller{}, err
	}
	return federation.Caller{Account: g.Account, Client: g.Client}, nil
}
