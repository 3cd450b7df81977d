package idp

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/federation/exchange"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
)

// tokenTypeJWT is the type of a subject token by which an office names the citizen of its case (RFC 8693 §3).
const tokenTypeJWT = "urn:ietf:params:oauth:token-type:jwt"

// agencyTokenLife is how long the token of an exchange between offices lives: for one item, asked for at once.
const agencyTokenLife = time.Minute

// What one office may ask for in a minute, and how often it may be refused, for whatever reason: a run through names or bases ends for
// all its requests alike, and does not fill the record. More than the latter are never under way at once.
var (
	agencyRequests = ratelimit.Rule{Name: "exchange", Limit: 1200, Window: time.Minute}
	agencyRefusals = ratelimit.Rule{Name: "exchange-refused", Limit: 300, Window: time.Minute}
)

// The words that a refused office reads beside those of [exchange.Reason].
const (
	notAnAgency      = "not_an_agency"
	badAgencySubject = "subject_token"
)

// exchangeForAgency is the token exchange of an office that works on a citizen's case (RFC 8693, RFC 9396). She is not there: the
// office names her by its own name, the legal basis says what it may ask whom, and the record comes before the token.
func (p *Provider) exchangeForAgency(ctx context.Context, req tokenRequest) (tokenAnswer, error) {
	own, ok := req.client.Agency()
	if !ok {
		return tokenAnswer{}, &oauthError{code: "unauthorized_client", description: "the client is not registered as an office", reason: notAnAgency}
	}
	resource, ask, err := readAgencyAsk(req)
	if err != nil {
		return tokenAnswer{}, err
	}
	if err := p.checkActor(ctx, req); err != nil {
		return tokenAnswer{}, err
	}
	for _, rule := range []ratelimit.Rule{agencyRequests, agencyRefusals} { // the second counts until it is known better
		if err := p.allowAgency(ctx, rule, req.client); err != nil {
			return tokenAnswer{}, err
		}
	}
	sub, err := p.clients.VerifyAgencySubject(ctx, req.client, req.form.Get("subject_token"), clients.AgencySubjectRules{Issuer: p.issuer, Store: p.store})
	if err != nil {
		return tokenAnswer{}, p.agencySubjectFailed(ctx, req.client, err)
	}
	q := exchange.Request{Requester: exchange.Party{Client: req.client.ID(), Agency: own}, Ask: ask}
	var sector string
	if q.Provider, sector, err = p.agencyServing(ctx, resource); err != nil {
		return tokenAnswer{}, err
	}
	if sector == req.client.Sector() { // they would know her by one name: what must not be is served by nobody
		q.Provider = exchange.Party{}
	}
	if q.Account, err = p.subjects.Account(ctx, req.client.Sector(), sub); err != nil {
		if e, ok := errors.AsType[*federation.Error](err); !ok || e.Reason != federation.SubjectUnknown {
			return tokenAnswer{}, err
		}
	}
	// A requester that hangs up has asked all the same.
	permit, err := p.exchanges.Judge(context.WithoutCancel(ctx), q)
	if err != nil {
		return tokenAnswer{}, outcomeOfExchange(err)
	}
	if err := p.limiter.Refund(ctx, agencyRefusals, string(req.client.ID())); err != nil {
		return tokenAnswer{}, err
	}
	return p.issueToAgency(ctx, req, sub, sector, resource, q, permit)
}

// readAgencyAsk reads what can be read without asking anybody.
func readAgencyAsk(req tokenRequest) (resource string, ask exchange.Ask, err error) {
	form := req.form
	switch {
	case form.Get("requested_token_type") != "" && form.Get("requested_token_type") != tokenTypeAccess:
		return "", ask, invalidRequest("requested_token_type must be " + tokenTypeAccess)
	case form.Get("scope") != "":
		return "", ask, &oauthError{code: "invalid_scope", description: "an exchange between offices has no scope"}
	}
	if err := actorTypes(form.Get); err != nil {
		return "", ask, err
	}
	if resource, err = oneTarget(form); err != nil {
		return "", ask, err
	}
	if ask, err = exchange.ParseAsk(form.Get("authorization_details")); err != nil {
		return "", ask, outcomeOfExchange(err)
	}
	return resource, ask, nil
}

// allowAgency counts a request of an office.
func (p *Provider) allowAgency(ctx context.Context, rule ratelimit.Rule, c *clients.Client) error {
	ok, _, err := p.limiter.Allow(ctx, rule, string(c.ID()))
	if err == nil && !ok {
		return &oauthError{code: "temporarily_unavailable", description: "too many requests of this office, try again in a minute", status: http.StatusTooManyRequests}
	}
	return err
}

// agencySubjectFailed writes down that an office signed something that will not do. It is about nobody.
func (p *Provider) agencySubjectFailed(ctx context.Context, c *clients.Client, err error) error {
	refused, ok := errors.AsType[*clients.Error](err)
	if !ok {
		return err
	}
	if refused.Reason == clients.KeysUnavailable {
		return &oauthError{code: "temporarily_unavailable", description: "the office's keys cannot be had, try again later", status: http.StatusServiceUnavailable, err: err}
	}
	if err := p.recordStranger(ctx, audit.Event{
		Kind: exchange.EventRefused, Actor: string(c.ID()), Reason: badAgencySubject, Facts: map[string]string{"why": refused.Reason.String()},
	}); err != nil {
		return err
	}
	return &oauthError{code: "invalid_request", description: "the subject token is not good, or was used before", reason: badAgencySubject, err: err}
}

// agencyServing returns the office that serves a resource, and its sector; a zero Party where none does.
func (p *Provider) agencyServing(ctx context.Context, resource string) (exchange.Party, string, error) {
	server, err := p.clients.ServerOf(ctx, resource)
	if errors.Is(err, clients.ErrUnknown) || errors.Is(err, clients.ErrSuspended) {
		return exchange.Party{}, "", nil
	}
	if err != nil {
		return exchange.Party{}, "", err
	}
	a, ok := server.Agency()
	if !ok {
		return exchange.Party{}, "", nil
	}
	return exchange.Party{Client: server.ID(), Agency: a}, server.Sector(), nil
}

// citizenOf returns the person whom an office calls sub.
func (p *Provider) citizenOf(ctx context.Context, office clients.ID, sub string) (federation.AccountID, error) {
	c, err := p.clients.Get(ctx, office)
	if err != nil {
		return "", err
	}
	if _, ok := c.Agency(); !ok {
		return "", &exchange.Error{Reason: exchange.NotAnOffice, Detail: "the client is not registered as an office"}
	}
	account, err := p.subjects.Account(ctx, c.Sector(), sub)
	if e, ok := errors.AsType[*federation.Error](err); ok && e.Reason == federation.SubjectUnknown {
		return "", &exchange.Error{Reason: exchange.UnknownSubject, Detail: "nobody has that name at your office"}
	}
	return account, err
}

// issueToAgency makes the token of a recorded exchange. It rests on the record alone: no session, no consent, and nothing to refresh.
func (p *Provider) issueToAgency(ctx context.Context, req tokenRequest, own, sector, resource string, q exchange.Request, permit exchange.Permit) (tokenAnswer, error) {
	sub, err := p.subjects.For(ctx, q.Account, sector)
	if err != nil {
		return tokenAnswer{}, err
	}
	now := p.now()
	g := &grant{
		ID: newID(), Exchange: permit.ID, Client: req.client.ID(), Account: q.Account, Subject: own, Resources: []string{resource},
		Details: q.Ask.Details(permit), Issued: now.UnixMilli(), Hard: now.Add(agencyTokenLife).Unix(),
	}
	answer, err := p.issueAlone(ctx, g, accessOrder{
		aud: g.Resources, sub: sub, jkt: req.jkt, x5t: req.x5t, life: agencyTokenLife, act: &actor{Subject: string(req.client.ID())},
	})
	answer.IssuedType, answer.Exchange = tokenTypeAccess, permit.ID
	return answer, err
}

// oneTarget returns the resource a request names. Both parameters name it (RFC 8693 §2.1): here an audience is a resource indicator
// too. There is one target, or the citizen would need two names.
func oneTarget(form map[string][]string) (string, error) {
	named := slices.Concat(form["resource"], form["audience"])
	slices.Sort(named)
	if named = slices.Compact(named); len(named) != 1 || named[0] == "" {
		return "", invalidRequest("resource or audience must name one target")
	}
	return named[0], nil
}

// outcomeOfExchange is what an office is told of a refusal (RFC 6749 §5.2, RFC 8693 §2.2.2, RFC 9396 §5).
func outcomeOfExchange(err error) error {
	e, ok := errors.AsType[*exchange.Error](err)
	if !ok {
		return err
	}
	out := &oauthError{code: "invalid_authorization_details", description: e.Detail, reason: e.Reason.String(), exchange: e.ID, err: err}
	switch e.Reason {
	case exchange.Malformed:
		out.reason = ""
	case exchange.WrongProvider:
		out.code = "invalid_target"
	case exchange.UnknownSubject:
		out.code = "invalid_request"
	case exchange.NoBasis, exchange.BasisNotInForce, exchange.BasisExpired, exchange.WrongPurpose, exchange.WrongItem:
	case exchange.UnknownExchange, exchange.Settled, exchange.NotAnOffice, exchange.UnknownSet, exchange.SamePerson, exchange.SetApproved, exchange.PeriodBad, exchange.OperatorName:
		return err // not of a request for a token
	}
	return out
}
