package idp

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// bearerError is RFC 6750 §3: what a resource answers to a token that will not do.
type bearerError struct {
	code   string // "" when no token came at all
	status int
	scope  string
	dpop   bool // the token is bound to a key: the answer is of scheme DPoP (RFC 9449 §7.1)
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

// bearer returns the live grant behind a request's access token, which must carry the scope.
func (p *Provider) bearer(ctx context.Context, r *http.Request, scope string) (*grant, error) {
	token, bound, err := bearerToken(r)
	if err != nil {
		return nil, err
	}
	invalid := &bearerError{code: "invalid_token", status: http.StatusUnauthorized, dpop: bound}
	id := grantOf(kindAccess, token)
	if id == "" {
		return nil, invalid
	}
	g, _, err := p.grants.get(ctx, id)
	if errors.Is(err, ephemeral.ErrNotFound) {
		return nil, invalid
	}
	if err != nil {
		return nil, err
	}
	a := g.access(signatureOf(token))
	if a == nil || a.Exp <= p.now().Unix() {
		return nil, invalid
	}
	// A bound token without its proof, and a proof for a token that is bound to nothing, are both refused (RFC 9449 §7.2).
	if bound != (a.JKT != "") {
		return nil, invalid
	}
	if bound {
		if err := p.proveToken(ctx, r, token, a.JKT); err != nil {
			return nil, err
		}
	}
	if _, err := p.client(ctx, g.Client); err != nil { // suspended since
		var gone *Error
		if errors.As(err, &gone) {
			return nil, invalid
		}
		return nil, err
	}
	if ok, err := p.live(ctx, g); err != nil {
		return nil, err
	} else if !ok {
		return nil, invalid
	}
	if !slices.Contains(g.scopesOf(a), scope) {
		return nil, &bearerError{code: "insufficient_scope", status: http.StatusForbidden, scope: scope, dpop: bound}
	}
	return g, nil
}

// answerBearer writes a refusal; any other error goes to the caller.
func answerBearer(w http.ResponseWriter, r *http.Request, err error) error {
	var e *bearerError
	if !errors.As(err, &e) {
		return err
	}
	challenge := `Bearer realm="tsunagu"`
	if e.dpop {
		challenge = `DPoP algs="ES256 PS256 EdDSA"`
	}
	if e.code != "" {
		challenge += `, error="` + e.code + `"`
	}
	if e.scope != "" {
		challenge += `, scope="` + e.scope + `"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	body := map[string]string{}
	if e.code != "" {
		body["error"] = e.code
	}
	writeJSON(w, r, e.status, body)
	return nil
}

// getUserinfo is OIDC Core §5.3. The login certificate names nobody, so there is nothing to say but who, pairwise.
func (p *Provider) getUserinfo(c echo.Context) error {
	allowAnyOrigin(c.Response().Header())
	g, err := p.bearer(c.Request().Context(), c.Request(), "openid")
	if err != nil {
		return answerBearer(c.Response(), c.Request(), err)
	}
	writeJSON(c.Response(), c.Request(), http.StatusOK, map[string]string{"sub": g.Subject})
	return nil
}

// authorizeAPI is how the federation's API learns who calls.
func (p *Provider) authorizeAPI(ctx context.Context, r *http.Request, scope string) (federation.Caller, error) {
	g, err := p.bearer(ctx, r, scope)
	if err != nil {
		return federation.Caller{}, err
	}
	return federation.Caller{Account: g.Account, Client: g.Client}, nil
}
