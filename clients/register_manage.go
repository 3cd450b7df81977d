package clients

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/keys"
)

// managed is a client that proved to be the one the address names.
type managed struct {
	row    registrationRow
	token  keys.Secret
	client *Client
}

// manage authenticates a call of the client configuration endpoint (RFC 7592 §2).
// An unknown client and a wrong token are answered alike, with 401. A client that
// the operator suspended may do nothing: 403.
func (g *Registrar) manage(c echo.Context) (managed, error) {
	ctx := c.Request().Context()
	token, given, err := bearer(c.Request())
	if err != nil {
		return managed{}, err
	}
	id, err := ParseID(c.Param("client"))
	if !given || err != nil {
		return managed{}, unauthorized(given)
	}
	row, err := g.d.Registry.findRegistration(ctx, id)
	if errors.Is(err, errRegistrationGone) || err == nil && !row.holds(token) {
		return managed{}, unauthorized(true)
	}
	if err != nil {
		return managed{}, err
	}
	stored, err := g.d.Registry.findClient(ctx, id)
	if errors.Is(err, ErrUnknown) || err == nil && stored.status == statusRetired { // in between
		return managed{}, unauthorized(true)
	}
	if err != nil {
		return managed{}, err
	}
	if stored.status != statusLive {
		return managed{}, errSuspendedMeanwhile
	}
	client, err := clientOf(stored)
	return managed{row, token, client}, err
}

// errSuspendedMeanwhile is the answer to a client that an operator suspended.
var errSuspendedMeanwhile error = &registrationError{status: http.StatusForbidden, code: "access_denied", description: "the client is suspended"}

// get is RFC 7592 §2.1.
func (g *Registrar) get(c echo.Context) error {
	m, err := g.manage(c)
	if err != nil {
		return err
	}
	return g.answer(c, http.StatusOK, m.client, m.row, m.token, nil)
}

// put is RFC 7592 §2.2: what is left out is as if it had never been registered. What
// the hub's operator said of the client goes as well, because it was said of what
// is replaced.
func (g *Registrar) put(c echo.Context) error {
	ctx := c.Request().Context()
	who, err := g.manage(c)
	if err != nil {
		return err
	}
	policy, ok, err := g.named(ctx, who.row.policy)
	if err != nil {
		return err
	}
	if !ok {
		return &registrationError{status: http.StatusForbidden, code: "access_denied", description: "this registration cannot be changed any more"}
	}
	if err := g.spend(ctx, policy); err != nil {
		return err
	}
	request, err := g.readRegistration(c.Request(), policy)
	if err != nil {
		return err
	}
	if err := request.names(who.client, g.d.Registry.d.Now()); err != nil {
		return err
	}
	m, err := g.judge(policy, request.m, who.client.ID())
	if err != nil {
		return refusedMetadata(&m, err)
	}
	var secret *keys.Secret // a new one only for a client that had none
	if !who.client.AuthMethod().usesSecret() {
		secret = secretFor(m.TokenEndpointAuthMethod)
	}
	client, err := g.d.Registry.replace(ctx, m, secret, policy, request.statement, func(ctx context.Context) error {
		return g.d.Record(ctx, audit.Event{Kind: eventUpdated, Client: string(m.ClientID), Actor: policy.Name})
	})
	if err != nil {
		return refusedMetadata(&m, err)
	}
	who.row.statement = request.statement
	if secret == nil && request.secret != "" && client.AuthMethod().usesSecret() {
		same := keys.NewSecret([]byte(request.secret))
		secret = &same
	}
	return g.answer(c, http.StatusOK, client, who.row, who.token, secret)
}

// names compares what the request says the client is with what it is.
func (r registrationRequest) names(c *Client, now time.Time) error {
	var faults FieldErrors
	if r.id != string(c.ID()) {
		faults.add("client_id", "is not the client's", "write the client_id that was issued")
	}
	if _, ok := c.holds(keys.NewSecret([]byte(r.secret)), now); r.secret != "" && !ok {
		faults.add(memberSecret, "is not the client's", "leave it out: a client cannot choose its secret")
	}
	return refusedMetadata(&r.m, faults.orNil())
}

// replace stores a new version of a client that registered itself.
func (r *Registry) replace(ctx context.Context, m Metadata, secret *keys.Secret, policy Policy, statement string, record func(context.Context) error) (*Client, error) {
	if err := r.checkRemote(ctx, m); err != nil {
		return nil, err
	}
	e, err := entryOf(m, secret)
	if err != nil {
		return nil, err
	}
	e.origin = policy.origin()
	var stored clientRow
	err = r.change(context.WithoutCancel(ctx), func(ctx context.Context) (err error) {
		if err := r.holdToken(ctx, policy); err != nil {
			return err
		}
		if err := r.holdRegistration(ctx, m.ClientID); err != nil {
			return err
		}
		if held, err := r.hold(ctx, m.ClientID); err != nil {
			return err
		} else if held.status != statusLive { // an operator was faster
			return errSuspendedMeanwhile
		}
		if err := r.setStatement(ctx, m.ClientID, statement); err != nil {
			return err
		}
		if stored, err = r.store(ctx, e); err != nil {
			return err
		}
		return record(ctx)
	})
	if err != nil {
		return nil, err
	}
	return clientOf(stored)
}

// delete is RFC 7592 §2.3. With the client its tokens end: wherever one is used its
// client is looked up.
func (g *Registrar) delete(c echo.Context) error {
	ctx := c.Request().Context()
	who, err := g.manage(c)
	if err != nil {
		return err
	}
	err = g.d.Registry.change(context.WithoutCancel(ctx), func(ctx context.Context) error {
		if err := g.d.Registry.deleteRegistration(ctx, who.row); err != nil {
			return err
		}
		return g.d.Record(ctx, audit.Event{Kind: eventDeleted, Client: string(who.row.client), Actor: who.row.policy})
	})
	if err != nil {
		return refusedMetadata(&Metadata{}, err)
	}
	return c.NoContent(http.StatusNoContent)
}
