package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

const (
	parPrefix = "urn:ietf:params:oauth:request_uri:"
	parLife   = 90 * time.Second
)

func parKey(uri string) string { return "par:1:" + digest(uri) }

// postPAR stores an authorization request of an authenticated client (RFC 9126 §2.1). Credentials in it are not stored: what is kept
// is the judged request.
func (p *Provider) postPAR(c echo.Context) error {
	ctx := c.Request().Context()
	form, err := readForm(c.Request())
	if err != nil {
		return formError(err)
	}
	client, proof, newcomer, err := p.authenticateProbed(ctx, c.Request(), form)
	if err != nil {
		return err
	}
	if newcomer {
		ctx = withCandidate(ctx, client)
	}
	if form.Get("request_uri") != "" {
		return invalidRequest("request_uri must not be pushed (RFC 9126)")
	}
	if id := form.Get("client_id"); id != "" && id != string(client.ID()) {
		return invalidRequest("client_id is not the authenticated client")
	}
	form.Set("client_id", string(client.ID()))
	jkt, err := p.proofKey(ctx, c, "/par", nil)
	if err != nil {
		return err
	}
	req, _, err := p.judge(ctx, submission{form: form, pushed: true, proof: &proof, jkt: jkt})
	if err != nil {
		return parError(err)
	}
	uri, err := p.keepRequest(ctx, req)
	if err != nil {
		return err
	}
	writeJSON(c.Response(), c.Request(), http.StatusCreated, map[string]any{"request_uri": uri, "expires_in": int(parLife.Seconds())})
	return nil
}

// keepRequest stores a judged request and returns the request_uri it is known by.
func (p *Provider) keepRequest(ctx context.Context, req *authzRequest) (string, error) {
	b, err := json.Marshal(req)
	if err != nil {
		return "", fmt.Errorf("encode pushed request: %w", err)
	}
	uri := parPrefix + newSecret()
	if err := p.store.Create(ctx, parKey(uri), b, parLife); err != nil {
		return "", fmt.Errorf("store pushed request: %w", err)
	}
	return uri, nil
}

// parError: at this endpoint nothing is shown or redirected (RFC 9126 §2.3).
func parError(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Reason == RedirectMismatch {
		return &oauthError{code: "invalid_request", description: "redirect_uri is missing or not registered", err: err}
	}
	return err
}

// pushedRequest returns the request behind a request_uri. Parameters beside client_id are ignored (RFC 9126 §4: the pushed ones are
// the request). A visit does not spend it: the citizen may reload before logging in. Completing it does, because the grant it
// becomes has an id fixed when it was pushed, and can be created once.
func (p *Provider) pushedRequest(ctx context.Context, uri string, form url.Values) (*authzRequest, *clients.Client, error) {
	named := "" // once it is known to be a client's id and not something that was put into the wrong place
	expired := func(detail string) error {
		return &Error{Reason: RequestExpired, Detail: detail, Client: named}
	}
	if !isBase64URL(strings.TrimPrefix(uri, parPrefix), 43) {
		return nil, nil, expired("request_uri malformed")
	}
	rec, err := p.store.Get(ctx, parKey(uri))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return nil, nil, expired("request_uri unknown or expired")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read pushed request: %w", err)
	}
	req := new(authzRequest)
	if err := json.Unmarshal(rec.Value, req); err != nil {
		return nil, nil, fmt.Errorf("decode pushed request: %w", err)
	}
	if form.Get("client_id") != string(req.Client) || len(form["client_id"]) != 1 {
		return nil, nil, expired("request_uri of another client")
	}
	named = string(req.Client)
	client, err := p.client(ctx, req.Client)
	if err != nil {
		return nil, nil, err
	}
	if _, _, err := p.grants.find(ctx, req.Grant); err == nil {
		if req.Pushed {
			if err := p.recordStranger(ctx, audit.Event{Kind: eventPushedReplayed, Client: string(req.Client)}); err != nil {
				return nil, nil, err
			}
		}
		return nil, nil, expired("request_uri used already")
	} else if !errors.Is(err, ephemeral.ErrNotFound) {
		return nil, nil, fmt.Errorf("read grant of pushed request: %w", err)
	}
	return req, client, nil
}

// formError is what a machine endpoint answers to a form it cannot read.
func formError(err error) error {
	var bad *errForm
	if errors.As(err, &bad) {
		out := invalidRequest(strings.TrimSuffix(bad.Error(), ": "))
		if bad.problem == formTooLong {
			out.status = http.StatusRequestEntityTooLarge
		}
		return out
	}
	return err
}
