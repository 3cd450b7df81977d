package idp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
)

// acting says of a grant that somebody else than its citizen has the tokens: her representative (代理人). All that rests on a session or a
// card rests on the representative's.
type acting struct {
	Mandate federation.MandateID `json:"m"`
	By      federation.AccountID `json:"b"`
	Name    string               `json:"s"` // the representative's pairwise name at the client
}

// holder is whose session and card the grant rests on.
func (g *grant) holder() federation.AccountID {
	if g.Acting != nil {
		return g.Acting.By
	}
	return g.Account
}

// actor is who acts for the citizen, as the client knows that person; nil: nobody does.
func (g *grant) actor() *actor {
	if g.Acting == nil {
		return nil
	}
	return &actor{Subject: g.Acting.Name}
}

// actorAt is actor as the resources know that person. A resource server that did not register that it understands act gets no token with it;
// of one that nobody registered nobody knows.
func (p *Provider) actorAt(ctx context.Context, g *grant, resources []string) (*actor, error) {
	out := g.actor()
	for _, r := range resources {
		if out == nil || r == p.issuer {
			continue
		}
		server, err := p.clients.ServerOf(ctx, r)
		if errors.Is(err, clients.ErrUnknown) || errors.Is(err, clients.ErrSuspended) || err == nil && !server.AcceptsRepresentatives() {
			return nil, invalidTarget("the resource does not accept representatives")
		}
		if err != nil {
			return nil, err
		}
		if out.Subject, err = p.subjects.For(ctx, g.Acting.By, server.Sector()); err != nil { // one sector for all, see subjectAt
			return nil, err
		}
	}
	return out, nil
}

// actingScopes are those of the asked ones that a representative has: the others are about the person, or let a service do something that the
// person alone may want.
func actingScopes(asked []string) []string {
	return slices.DeleteFunc(slices.Clone(asked), func(s string) bool { return s != clients.ScopeOpenID })
}

// capacity is for whom a citizen signs in at a service.
type capacity struct {
	Options   []federation.Mandate // by which she may act for others there
	Acting    *federation.Mandate  // the one she acts by; nil: for herself
	Undecided bool                 // she has not said
}

// capacity finds out for whom the citizen of the session signs in. Nobody is asked where nobody can be represented: at a service that does not
// understand act, at another device, and where something is asked in detail, which a person agrees to or signs herself.
func (p *Provider) capacity(ctx context.Context, tx *transaction, s *session, client *clients.Client) (capacity, error) {
	var c capacity
	req := tx.Request
	if !client.AcceptsRepresentatives() || tx.Device != "" || len(req.Details) > 0 {
		return c, nil
	}
	all, err := p.mandates.Usable(ctx, s.Account, client.ID())
	if err != nil {
		return c, err
	}
	for _, m := range all {
		con, err := p.accounts.consentFor(ctx, m.Principal, client.ID())
		if err != nil {
			return c, fmt.Errorf("read consent: %w", err)
		}
		if con.ID != 0 { // else she has disconnected the service
			c.Options = append(c.Options, m)
		}
	}
	chosen, decided := tx.Acting, tx.Chooser != "" && tx.Chooser == s.ID
	switch {
	case decided:
	case req.Prompt.has(promptNone): // as she last chose in this session, though that is over
		chosen, decided = s.capacityAt(client.ID())
		decided = decided || len(c.Options) == 0
	case len(c.Options) == 0:
		return c, nil
	case req.HintSub != "": // the service asks for her by name
		own, err := p.subjects.For(ctx, s.Account, client.Sector())
		if err != nil {
			return c, fmt.Errorf("pairwise subject: %w", err)
		}
		decided = own == req.HintSub
	}
	if !decided {
		c.Undecided = true
		return c, nil
	}
	if chosen == "" {
		return c, nil
	}
	i := slices.IndexFunc(c.Options, func(m federation.Mandate) bool { return m.ID == chosen })
	if i < 0 { // ended meanwhile: who wanted to act for another is not signed in as herself unasked
		c.Undecided = true
		return c, nil
	}
	c.Acting = &c.Options[i]
	return c, nil
}

// names says whether the subject is that of somebody whom the citizen may turn out to sign in for.
func (p *Provider) names(ctx context.Context, s *session, c capacity, client *clients.Client, sub string) (bool, error) {
	people := []federation.AccountID{s.Account}
	switch {
	case c.Acting != nil:
		people = []federation.AccountID{c.Acting.Principal}
	case c.Undecided:
		for _, m := range c.Options {
			people = append(people, m.Principal)
		}
	}
	for _, who := range people {
		name, err := p.subjects.For(ctx, who, client.Sector())
		if err != nil {
			return false, fmt.Errorf("pairwise subject: %w", err)
		}
		if name == sub {
			return true, nil
		}
	}
	return false, nil
}

// actFor makes the grant one of the represented person, and records that her representative enters the service. It comes before anything is
// handed out, so that whoever ends the mandate afterwards knows of the session. federation.MandateUnknown means that it just ended.
func (p *Provider) actFor(ctx context.Context, g *grant, m federation.Mandate, client *clients.Client, con consent) error {
	sub, err := p.subjects.For(ctx, m.Principal, client.Sector())
	if err != nil {
		return fmt.Errorf("pairwise subject: %w", err)
	}
	g.Acting = &acting{Mandate: m.ID, By: g.Account, Name: g.Subject}
	g.Account, g.Subject, g.Consent, g.Scopes = m.Principal, sub, con.ID, actingScopes(g.Scopes)
	return p.mandates.Enter(ctx, m, federation.Use{Client: client.ID(), Session: g.SID, SID: p.clientSID(g.SID, string(client.ID()))})
}

// enteredFor keeps in the session for whom the citizen entered the service, where that is a question at all.
func (p *Provider) enteredFor(ctx context.Context, s *session, client *clients.Client, by *federation.Mandate) error {
	if !client.AcceptsRepresentatives() {
		return nil
	}
	var id federation.MandateID
	if by != nil {
		id = by.ID
	}
	return p.sessions.enteredFor(ctx, s, client.ID(), id)
}

// mandateStands says whether a grant's mandate, if it rests on one, still counts.
func (p *Provider) mandateStands(ctx context.Context, g *grant) (bool, error) {
	if g.Acting == nil {
		return true, nil
	}
	return p.mandates.Stands(ctx, g.Acting.Mandate, g.Account, g.Acting.By, g.Client)
}

// mandateUnknown: the mandate ended in this very moment.
func mandateUnknown(err error) bool {
	own, ok := errors.AsType[*federation.Error](err)
	return ok && own.Reason == federation.MandateUnknown
}

// mandateEnded promises to tell the services that the representative entered, in every session there may still be. It runs in the transaction
// that ends the mandate.
func (p *Provider) mandateEnded(ctx context.Context, _ federation.Mandate, uses []federation.Use) error {
	_, err := p.deliveries.Enqueue(ctx, federation.LogoutMandateEnded, noticesOf(uses))
	return err
}

// noticesOf asks for services to be told that sessions in somebody else's name are over.
func noticesOf(uses []federation.Use) []federation.Notice {
	out := make([]federation.Notice, len(uses))
	for i, u := range uses {
		out[i] = federation.Notice{Account: u.By, Client: u.Client, Session: u.Session, SID: u.SID, Nameless: true}
	}
	return out
}

// oldestSession is when the oldest session that may still live began.
func (p *Provider) oldestSession() time.Time { return p.now().Add(-p.sessions.rules.Absolute) }

// endMandate ends a mandate for one of its parties.
func (p *Provider) endMandate(ctx context.Context, id federation.MandateID, party federation.AccountID) error {
	err := p.mandates.End(ctx, id, party, p.oldestSession(), p.mandateEnded)
	p.deliveries.Hurry()
	return err
}

// mandateRounds is how often mandates whose time is over are written down as ended. That nothing is opened by them needs no writing.
const mandateRounds = 20 * time.Second

// WatchMandates ends mandates whose time is over, until ctx ends. Any number of processes may do so at once.
func (p *Provider) WatchMandates(ctx context.Context) error {
	for {
		n, err := p.mandates.Expire(ctx, p.oldestSession(), p.mandateEnded)
		if err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, "mandates are not being ended", "err", err) // until the database is back
		}
		if n > 0 && err == nil {
			p.deliveries.Hurry()
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(mandateRounds):
		}
	}
}
