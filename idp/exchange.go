package idp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// tokenTypeAccess is the type of a token that is passed on, and of the one that comes of any exchange (RFC 8693 §3).
const tokenTypeAccess = "urn:ietf:params:oauth:token-type:access_token"

// exchangeToken is the token exchange grant (RFC 8693): a client that holds a citizen's access token, as its owner or as the resource server
// it was shown to, gets a short one for another resource. That resource learns the citizen by the name it knows, and every client
// that acted in between.
func (p *Provider) exchangeToken(ctx context.Context, req tokenRequest) (tokenAnswer, error) {
	if req.client.Public() {
		return tokenAnswer{}, &oauthError{code: "unauthorized_client", description: "a public client cannot act for anybody"}
	}
	if req.form.Get("subject_token_type") == tokenTypeJWT {
		return p.exchangeForAgency(ctx, req)
	}
	if err := exchangeTypes(req.form.Get); err != nil {
		return tokenAnswer{}, err
	}
	subject, err := p.subjectToken(ctx, req)
	if err != nil {
		return tokenAnswer{}, err
	}
	if err := p.checkActor(ctx, req); err != nil {
		return tokenAnswer{}, err
	}
	e, err := p.planExchange(ctx, req, subject)
	if err != nil {
		return tokenAnswer{}, err
	}
	if !e.registered() {
		return tokenAnswer{}, invalidTarget("the exchange is not permitted")
	}
	return p.issueExchanged(ctx, req, subject, e)
}

// exchangeTypes checks the parameters that say what kind the others are (RFC 8693 §2.1).
func exchangeTypes(get func(string) string) error {
	switch {
	case get("subject_token_type") != tokenTypeAccess:
		return invalidRequest("subject_token_type must be " + tokenTypeAccess)
	case get("requested_token_type") != "" && get("requested_token_type") != tokenTypeAccess:
		return invalidRequest("requested_token_type must be " + tokenTypeAccess)
	case get("authorization_details") != "":
		return &oauthError{code: "invalid_authorization_details", description: "authorization details are not exchanged"}
	}
	return actorTypes(get)
}

// actorTypes is exchangeTypes for the actor.
func actorTypes(get func(string) string) error {
	switch {
	case get("actor_token") == "" && get("actor_token_type") != "":
		return invalidRequest("actor_token_type stands without actor_token")
	case get("actor_token") != "" && get("actor_token_type") != tokenTypeAccess:
		return invalidRequest("actor_token_type must be " + tokenTypeAccess)
	}
	return nil
}

// subjectToken returns the token whose citizen the new one is to be about. It must be good, speak for a citizen, and be in the right
// hands: its client's, which proves the key it is bound to, or those of a server it was meant for.
func (p *Provider) subjectToken(ctx context.Context, req tokenRequest) (heldToken, error) {
	unfit := invalidRequest("the subject token is not good, or not yours to exchange") // RFC 8693 §2.2.2
	t, err := p.standingAccess(ctx, req.form.Get("subject_token"))
	if errors.Is(err, errNoToken) {
		return t, unfit
	}
	if err != nil {
		return t, err
	}
	own := t.g.Client == req.client.ID()
	switch {
	case t.g.Account == "", t.g.Acting != nil: // a representative was let in at one service, and nowhere else
		return t, unfit
	case t.g.Exchange != "": // for one item at one office, and nowhere further
		return t, unfit
	case t.g.Probe != nil: // nobody is to be known anywhere who does not exist
		return t, unfit
	case !own && !servesAny(req.client, t.a.Aud):
		return t, unfit
	case own && (t.a.JKT != "" && t.a.JKT != req.jkt || t.a.X5T != "" && t.a.X5T != req.x5t):
		return t, unfit
	}
	if short, err := p.lacksCard(ctx, t.g); err != nil {
		return t, err
	} else if short {
		return t, unfit
	}
	return t, nil
}

// checkActor accepts as actor only the requester itself, by a token it got on its own behalf. The request is authenticated, so that the
// token adds nothing; what it must not do is name somebody else.
func (p *Provider) checkActor(ctx context.Context, req tokenRequest) error {
	token := req.form.Get("actor_token")
	if token == "" {
		return nil
	}
	unfit := invalidRequest("the actor token is not good, or not your own")
	t, err := p.standingAccess(ctx, token)
	if errors.Is(err, errNoToken) {
		return unfit
	}
	if err != nil {
		return err
	}
	bound := t.a.JKT != "" && t.a.JKT != req.jkt || t.a.X5T != "" && t.a.X5T != req.x5t
	if t.g.Account != "" || t.g.Client != req.client.ID() || bound {
		return unfit
	}
	return nil
}

// standingAccess is findAccess for tokens whose ground still stands.
func (p *Provider) standingAccess(ctx context.Context, token string) (heldToken, error) {
	t, err := p.findAccess(ctx, token)
	if err != nil {
		return t, err
	}
	if ok, err := p.stands(ctx, t.g); err != nil {
		return t, err
	} else if !ok {
		return t, errNoToken
	}
	return t, nil
}

// planExchange finds out where the new token is to go and what it may carry.
func (p *Provider) planExchange(ctx context.Context, req tokenRequest, subject heldToken) (passedOn, error) {
	target, err := oneTarget(req.form)
	if err != nil {
		return passedOn{}, err
	}
	server, err := p.clients.ServerOf(ctx, target)
	if errors.Is(err, clients.ErrUnknown) || errors.Is(err, clients.ErrSuspended) {
		return passedOn{}, invalidTarget("no such resource is in service")
	}
	if err != nil {
		return passedOn{}, err
	}
	scopes, err := exchangedScopes(subject.g.scopesOf(subject.a), req.form.Get("scope"))
	if err != nil {
		return passedOn{}, err
	}
	return passedOn{
		Requester: req.client, Account: subject.g.Account, From: subject.g.Client, Target: server, Resource: target, Scopes: scopes,
		Actors: 1 + subject.a.Act.depth(),
	}, nil
}

// exchangedScopes returns the scopes of the new token: those asked for, all of which the subject token must have, or all it has that mean
// anything to a resource.
func exchangedScopes(have []string, asked string) ([]string, error) {
	wanted := strings.Fields(asked)
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	for _, s := range wanted {
		if !slices.Contains(have, s) {
			return nil, &oauthError{code: "invalid_scope", description: "a scope goes beyond the subject token's"}
		}
	}
	if len(wanted) == 0 {
		wanted = have
	}
	return slices.DeleteFunc(slices.Clone(wanted), func(s string) bool { return s == clients.ScopeOpenID || s == clients.ScopeOfflineAccess }), nil
}

// issueExchanged makes the new token, on a grant of its own that dies with the subject token's.
func (p *Provider) issueExchanged(ctx context.Context, req tokenRequest, subject heldToken, e passedOn) (tokenAnswer, error) {
	sub, err := p.subjects.For(ctx, e.Account, e.Target.Sector())
	if err != nil {
		return tokenAnswer{}, err
	}
	own, err := p.subjects.For(ctx, e.Account, req.client.Sector())
	if err != nil {
		return tokenAnswer{}, err
	}
	now := p.now()
	life := min(exchangeLife, time.Unix(subject.a.Exp, 0).Sub(now))
	s := subject.g
	g := &grant{
		ID: newID(), Parent: s.ID, Client: req.client.ID(), Account: s.Account, Subject: own, SID: s.SID, Known: s.Known, Consent: s.Consent, Scopes: e.Scopes,
		AuthTime: s.AuthTime, ACR: s.ACR, AMR: s.AMR, Session: s.Session, Resources: []string{e.Resource},
		Issued: now.UnixMilli(), Hard: now.Add(life).Unix(),
	}
	// Before the token is: an exchange that nobody can read about must not have been.
	if err := p.record(ctx, audit.Event{
		Kind: eventExchanged, Account: string(s.Account), Client: string(e.Target.ID()), Session: s.SID, Actor: string(req.client.ID()), Reason: exchangeRegistered,
		Facts: map[string]string{"from": string(e.From), "scope": scopeText(e.Scopes)},
	}); err != nil {
		return tokenAnswer{}, err
	}
	answer, err := p.issueAlone(ctx, g, accessOrder{
		aud: g.Resources, sub: sub, jkt: req.jkt, x5t: req.x5t, life: life,
		act: &actor{Subject: string(req.client.ID()), Actor: subject.a.Act},
	})
	answer.IssuedType = tokenTypeAccess
	return answer, err
}
