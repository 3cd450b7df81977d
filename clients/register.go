package clients

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
	"github.com/tsunagu-id/tsunagu/keys"
)

// RegistrarDeps is what NewRegistrar needs. Policies may be empty: then nobody
// registers, and those who did still manage their registration.
type RegistrarDeps struct {
	Issuer   string
	Registry *Registry
	Policies []Policy
	// Certificates says that there is an address at which clients show theirs.
	Certificates bool
	Limiter      *ratelimit.Limiter
	// Record writes an audit event, in the transaction of ctx.
	Record func(ctx context.Context, e audit.Event) error
	// Refuse writes the answer for an error that is not a refusal of this package.
	Refuse func(w http.ResponseWriter, r *http.Request, err error)
}

// Registrar serves dynamic client registration (RFC 7591, OpenID Connect Dynamic
// Client Registration 1.0) and its management (RFC 7592).
type Registrar struct{ d RegistrarDeps }

// The audit events of this file. The actor is the policy.
const (
	eventRegistered audit.Kind = "client.registered"
	eventUpdated    audit.Kind = "client.updated"
	eventDeleted    audit.Kind = "client.deleted"
)

// NewRegistrar returns the registrar, or an error naming what is wrong.
func NewRegistrar(d RegistrarDeps) (*Registrar, error) {
	if d.Issuer == "" || d.Registry == nil || d.Limiter == nil || d.Record == nil || d.Refuse == nil {
		return nil, errors.New("clients: RegistrarDeps has an empty field")
	}
	if err := CheckPolicies(d.Policies); err != nil {
		return nil, err
	}
	g := &Registrar{d: d}
	policies := make([]Policy, len(d.Policies))
	for i, p := range d.Policies {
		policies[i] = g.judged(p.withDefaults())
	}
	g.d.Policies = policies
	return g, nil
}

// Policies returns those of the hub's configuration.
func (g *Registrar) Policies() []Policy { return slices.Clone(g.d.Policies) }

// judged leaves out of a policy what the hub cannot judge, and so does not register, whatever the policy says.
func (g *Registrar) judged(p Policy) Policy {
	p.Methods = slices.DeleteFunc(slices.Clone(p.Methods), func(m Method) bool {
		return m.usesTLS() && !(g.d.Certificates && slices.Contains(g.d.Registry.TLSMethods(), m))
	})
	p.certificates = g.d.Certificates
	return p
}

// Mount adds the routes; this list is the whole surface of the package.
func (g *Registrar) Mount(e *echo.Echo) {
	e.POST("/register", g.answering(g.post))
	e.GET("/register/:client", g.answering(g.get))
	e.PUT("/register/:client", g.answering(g.put))
	e.DELETE("/register/:client", g.answering(g.delete))
	e.OPTIONS("/register", preflight)
	e.OPTIONS("/register/:client", preflight)
}

// preflight answers the browser of a developer's page (Fetch standard): nothing here
// goes by cookies, so any origin may call.
func preflight(c echo.Context) error {
	h := c.Response().Header()
	allowAnyOrigin(h)
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	h.Set("Access-Control-Max-Age", "3600")
	return c.NoContent(http.StatusNoContent)
}

func allowAnyOrigin(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
}

// post registers a client.
func (g *Registrar) post(c echo.Context) error {
	ctx := c.Request().Context()
	policy, err := g.policy(ctx, c.Request())
	if err != nil {
		return err
	}
	if err := g.spend(ctx, policy); err != nil {
		return err
	}
	request, err := g.readRegistration(c.Request(), policy)
	if err != nil {
		return err
	}
	m, err := g.judge(policy, request.m, ID("d-"+rand.Text()))
	if err != nil {
		return refusedMetadata(&m, err)
	}
	token := keys.RandomSecret()
	secret := secretFor(m.TokenEndpointAuthMethod)
	client, row, err := g.d.Registry.register(ctx, m, secret, token, policy, request.statement, func(ctx context.Context) error {
		return g.d.Record(ctx, audit.Event{Kind: eventRegistered, Client: string(m.ClientID), Actor: policy.Name, Facts: map[string]string{"profile": string(m.Profile)}})
	})
	if err != nil {
		return refusedMetadata(&m, err)
	}
	return g.answer(c, http.StatusCreated, client, row, token, secret)
}

// judge judges a request by a policy. Nobody is answered at the hub's own host: pages
// would name the hub as who runs the client, and forms that post there would pass
// for the hub's.
func (g *Registrar) judge(policy Policy, m Metadata, id ID) (Metadata, error) {
	if own, err := parseAddress(g.d.Issuer); err == nil && slices.ContainsFunc(m.RedirectURIs, func(s string) bool {
		a, err := parseAddress(s)
		return err == nil && a.sector() == own.sector()
	}) {
		return m, &registrationError{status: http.StatusBadRequest, code: codeRedirect, description: "refused: redirect_uris"}
	}
	return policy.judge(m, id)
}

// register stores a client with its registration.
func (r *Registry) register(ctx context.Context, m Metadata, secret *keys.Secret, token keys.Secret, policy Policy, statement string, record func(context.Context) error) (*Client, registrationRow, error) {
	if err := r.checkRemote(ctx, m); err != nil {
		return nil, registrationRow{}, err
	}
	digest := sha256.Sum256(token.Reveal())
	row := registrationRow{client: m.ClientID, token: digest[:], policy: policy.Name, created: r.d.Now(), statement: statement}
	e, err := entryOf(m, secret)
	if err != nil {
		return nil, registrationRow{}, err
	}
	e.origin = policy.origin()
	var stored clientRow
	// What was begun is finished, also for a caller that hangs up: it could not delete
	// a client that it was never told of.
	err = r.change(context.WithoutCancel(ctx), func(ctx context.Context) (err error) {
		if err := r.holdToken(ctx, policy); err != nil {
			return err
		}
		if err := r.countRegistration(ctx, policy); err != nil {
			return err
		}
		if stored, err = r.store(ctx, e); err != nil {
			return err
		}
		if err := r.insertRegistration(ctx, row); err != nil {
			return err
		}
		if err := r.own(ctx, m.ClientID, policy.organisation); err != nil {
			return err
		}
		return record(ctx)
	})
	if err != nil {
		return nil, registrationRow{}, err
	}
	client, err := clientOf(stored)
	return client, row, err
}

// secretFor draws a client secret for a method that uses one.
func secretFor(method Method) *keys.Secret {
	if !method.usesSecret() {
		return nil
	}
	secret := keys.RandomSecret()
	return &secret
}

// policy returns the policy of the request's initial access token, or the open one
// for a request without.
func (g *Registrar) policy(ctx context.Context, r *http.Request) (Policy, error) {
	token, given, err := bearer(r)
	if err != nil {
		return Policy{}, err
	}
	sum := sha256.Sum256(token.Reveal())
	for _, p := range g.d.Policies {
		match := p.Token == nil && !given || given && subtle.ConstantTimeCompare(sum[:], p.Token) == 1
		if match && (p.Expires.IsZero() || g.d.Registry.d.Now().Before(p.Expires)) {
			return p, nil
		}
	}
	if given {
		p, there, err := g.d.Registry.issued(ctx, `t.token_sha256 = $1`, sum[:])
		if err != nil {
			return Policy{}, err
		}
		if there && g.d.Registry.d.Now().Before(p.Expires) {
			return g.judged(p), nil
		}
	}
	return Policy{}, unauthorized(given)
}

// named returns the policy that let a client in, if there still is one.
func (g *Registrar) named(ctx context.Context, name string) (Policy, bool, error) {
	for _, p := range g.d.Policies {
		if p.Name == name {
			return p, true, nil
		}
	}
	p, there, err := g.d.Registry.issued(ctx, `t.name = $1`, name)
	return g.judged(p), there, err
}

// spend counts one registration or update.
func (g *Registrar) spend(ctx context.Context, p Policy) error {
	ok, after, err := g.d.Limiter.Allow(ctx, ratelimit.Rule{Name: "register", Limit: p.PerMinute, Window: time.Minute}, p.Name)
	if err != nil {
		return err
	}
	if !ok {
		return &registrationError{status: http.StatusTooManyRequests, code: "temporarily_unavailable", description: "too many registrations, try again later", after: after}
	}
	return nil
}

// maxBearer is the longest token that is looked at, in bytes.
const maxBearer = 256

// bearer reads the token of the Authorization header (RFC 6750 §2.1), and whether
// there is one.
func bearer(r *http.Request) (token keys.Secret, given bool, _ error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return keys.Secret{}, false, nil
	}
	scheme, text, ok := strings.Cut(values[0], " ")
	text = strings.TrimSpace(text)
	if len(values) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || text == "" || len(text) > maxBearer {
		return keys.Secret{}, true, unauthorized(true)
	}
	return keys.NewSecret([]byte(text)), true, nil
}
