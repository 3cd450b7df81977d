package idp

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// whatEnds says which of a person's sessions end. The zero value: all of them, and every grant.
type whatEnds struct {
	Session string  // this one
	Beside  string  // with Session: and this one, of the same browser
	Card    cardRef // those that this card made
	// Revoked is the authority's reason, with Card. It ends the binding, and the grants of the card unless keepsOffline says otherwise.
	Revoked string
	// Claim, with Card, is under which it was found revoked: a login since then knows better.
	Claim string

	// Because, with Card, is recorded beside the end.
	Because audit.Event

	rest     rest     // with Card, if it is taken back: what else goes with it
	last     bool     // with Card: the person has no other card, so that what does not rest on this one rests on none
	passkeys []string // with Card, unless keepsOffline: those that were added with it

	Front []clients.ID // services that a browser at hand is about to tell by itself
	// Passkey ends a passkey with those that it made; Suspect stops it instead of removing it, because there may be a copy.
	Passkey string
	Suspect bool

	In string // the session it was asked for in, for the audit log
}

// keepsOffline: a certificate that was renewed, or whose time is over, was not in wrong hands. What the person lets services do in her
// absence goes on.
func keepsOffline(revoked string) bool {
	return revoked == cardauth.Superseded.String() || revoked == revokedExpired
}

func (w whatEnds) covers(s *session) bool {
	return (w.Session == "" || s.ID == w.Session || s.ID == w.Beside) && (w.Card.zero() || s.Card == w.Card || w.beside(s)) && (w.Passkey == "" || s.Passkey == w.Passkey)
}

// beside: the session was not made with the card that ends, and ends with it.
func (w whatEnds) beside(s *session) bool {
	return s.Card.zero() && (w.last || slices.Contains(w.passkeys, s.Passkey)) || slices.Contains(w.rest.Cards, s.Card)
}

// marked: a row of the database says that the sessions are over, so that what is left of them opens nothing.
func (w whatEnds) marked() bool { return w.Session == "" }

func (w whatEnds) event(account federation.AccountID, reason federation.LogoutReason) audit.Event {
	e := audit.Event{Kind: eventSessionEnded, Account: string(account), Session: w.In, Reason: string(reason)}
	switch {
	case w.Session != "":
		e.Session = w.Session
	case w.Passkey != "":
		e.Kind, e.Facts = eventPasskeyRemoved, map[string]string{"passkey": w.Passkey}
		if w.Suspect {
			e.Kind, e.Actor = eventPasskeyCloned, string(federation.ByHub)
		}
	case !w.Card.zero():
		e.Kind, e.Actor, e.Facts = eventCardEnded, string(federation.ByHub), map[string]string{"revoked": w.Revoked}
	default:
		e.Kind = eventAllEnded
	}
	return e
}

// errEndedBefore: somebody else was first, and tells the services.
var errEndedBefore = errors.New("ended by somebody else meanwhile")

// endSessions ends sessions of a person with the grants that hang on them, and promises to tell the services; batch names the promise, and
// is empty if there is nobody to tell. It needs no browser and no request. One transaction holds the mark that ends what is ended, the
// promise and the audit row: a crash before it leaves everything to whoever comes next, a crash after it costs nothing but the wait for
// expiry. A service that was entered between our reading of a session and its end is told as well, in a batch of its own.
func (p *Provider) endSessions(ctx context.Context, account federation.AccountID, w whatEnds, reason federation.LogoutReason) (batch string, err error) {
	ctx = context.WithoutCancel(ctx) // a browser that hangs up does not cut it in half
	if !w.Card.zero() {
		if w.Revoked == endUndone {
			if w.rest, err = p.restOf(ctx, account, w.Card); err != nil {
				return "", err
			}
		}
		cards, err := p.accounts.liveCards(ctx, account, p.now())
		if err != nil {
			return "", err
		}
		w.last = !slices.ContainsFunc(cards, func(c watched) bool { return c.Card != w.Card && !slices.Contains(w.rest.Cards, c.Card) })
		if !keepsOffline(w.Revoked) {
			for _, card := range append([]cardRef{w.Card}, w.rest.Cards...) {
				added, err := p.passkeys.addedWith(ctx, account, card)
				if err != nil {
					return "", err
				}
				w.passkeys = append(w.passkeys, added...)
			}
		}
	}
	all, err := p.covered(ctx, account, w)
	if err != nil {
		return "", err
	}
	notices, err := p.noticesFor(ctx, account, w, all)
	if err != nil {
		return "", err
	}
	err = p.db.Tx(ctx, func(ctx context.Context) error {
		if err := p.mark(ctx, account, w, reason); err != nil {
			return err
		}
		for _, s := range all {
			if _, err := p.sessions.entries.ended(ctx, s.ID); err != nil {
				return err
			}
		}
		if batch, err = p.deliveries.Enqueue(ctx, reason, notices); err != nil {
			return err
		}
		if w.Because.Kind != "" {
			if err := p.record(ctx, w.Because); err != nil {
				return err
			}
		}
		if w.Beside != "" {
			if err := p.record(ctx, whatEnds{Session: w.Beside}.event(account, reason)); err != nil {
				return err
			}
		}
		return p.record(ctx, w.event(account, reason))
	})
	if errors.Is(err, errEndedBefore) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("end sessions: %w", err)
	}
	p.deliveries.Hurry()
	return batch, p.removeSessions(ctx, account, w, reason, all)
}

func (p *Provider) covered(ctx context.Context, account federation.AccountID, w whatEnds) ([]*session, error) {
	all, err := p.sessions.of(ctx, account)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(s *session) bool { return !w.covers(s) }), nil
}

// noticesFor: a service may have a session of its own that outlives the one here, and what made it may be in a stranger's hands. Then every
// service of the person is told, and not only those of the sessions there are.
func (p *Provider) noticesFor(ctx context.Context, account federation.AccountID, w whatEnds, all []*session) (out []federation.Notice, err error) {
	if w.Session == "" && w.Passkey == "" && (w.Card.zero() || !keepsOffline(w.Revoked)) {
		if out, err = p.noticesEverywhere(ctx, account, all); err != nil {
			return nil, err
		}
		for i := range out {
			out[i].Browser = slices.Contains(w.Front, out[i].Client)
		}
		return out, nil
	}
	for _, s := range all {
		out = append(out, p.notices(s, w.Front)...)
	}
	return out, nil
}

// mark writes what ends the sessions, or reports errEndedBefore.
func (p *Provider) mark(ctx context.Context, account federation.AccountID, w whatEnds, reason federation.LogoutReason) error {
	switch {
	case w.Session != "":
		return nil // its record is all there is
	case w.Passkey != "":
		return ended(p.passkeys.cut(ctx, account, w.Passkey, w.Suspect))
	case w.Card.zero():
		return p.accounts.endAll(ctx, account)
	}
	if keepsOffline(w.Revoked) {
		return ended(p.accounts.cutCard(ctx, w))
	}
	if err := p.accounts.lock(ctx, account); err != nil { // no passkey is added meanwhile
		return err
	}
	if w.Revoked == endUndone {
		return p.takeBack(ctx, account, w, reason)
	}
	if err := ended(p.accounts.cutCard(ctx, w)); err != nil {
		return err
	}
	return p.markBeside(ctx, account, w, reason)
}

// markBeside ends what a card that may have been in wrong hands has left beside its sessions: the passkeys that were added with it; and, if
// the person has no other, whatever services may do in her absence.
func (p *Provider) markBeside(ctx context.Context, account federation.AccountID, w whatEnds, reason federation.LogoutReason) error {
	added, err := p.passkeys.distrust(ctx, account, w.Card)
	if err != nil {
		return err
	}
	for _, id := range added {
		if err := p.record(ctx, audit.Event{
			Kind: eventPasskeyRemoved, Account: string(account), Actor: string(federation.ByHub), Session: w.In, Reason: string(reason),
			Facts: map[string]string{"passkey": id},
		}); err != nil {
			return err
		}
	}
	cards, err := p.accounts.liveCards(ctx, account, p.now())
	if err != nil || len(cards) > 0 {
		return err
	}
	return p.accounts.endAll(ctx, account)
}

func ended(first bool, err error) error {
	if err == nil && !first {
		err = errEndedBefore
	}
	return err
}

// removeSessions removes the records, and tells the services that were entered meanwhile.
func (p *Provider) removeSessions(ctx context.Context, account federation.AccountID, w whatEnds, reason federation.LogoutReason, told []*session) error {
	all := told
	if w.marked() { // a login that was under way may have made one since, which the mark covers
		now, err := p.covered(ctx, account, w)
		if err != nil {
			return p.leftToExpire(ctx, w, err)
		}
		stand, err := p.accounts.footing(ctx, account, w.Card)
		if err != nil {
			return p.leftToExpire(ctx, w, err)
		}
		for _, s := range now {
			if (w.Passkey != "" || stand.over(s.Created) || w.beside(s)) && !slices.ContainsFunc(all, func(t *session) bool { return t.ID == s.ID }) {
				all = append(slices.Clip(all), s)
			}
		}
	}
	for i, s := range all {
		err := p.sessions.explain(ctx, s, endWord(reason, w.Revoked))
		var last *session
		if err == nil {
			last, err = p.sessions.end(ctx, s)
		}
		if err == nil && last != nil {
			if i < len(told) {
				last.Clients = slices.DeleteFunc(last.Clients, func(cl sessionClient) bool { return slices.Contains(s.Clients, cl) })
			}
			_, err = p.deliveries.Enqueue(ctx, reason, p.notices(last, nil))
		}
		if err == nil {
			err = p.statusEnded(ctx, s.ID, s.services()...)
		}
		if err != nil {
			if err = p.leftToExpire(ctx, w, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// leftToExpire: the record of a session that a mark ended is of no use to anybody; one without is all that there is.
func (p *Provider) leftToExpire(ctx context.Context, w whatEnds, err error) error {
	if !w.marked() {
		return err
	}
	p.log.WarnContext(ctx, "record of a session that is over is left to expire", "err", err, "trace", web.Trace(ctx))
	return nil
}
