package idp

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// rest is what a card that is taken back has left in the folder beside what it signed in to and the passkeys added with it. Whoever had it may have
// seen to it that the card is not needed any more: each of these is a way back in.
type rest struct {
	Cards []cardRef // that replaced it, on the authority's word
	Since time.Time // it opened the folder
}

// restOf reads what a card would leave behind.
func (p *Provider) restOf(ctx context.Context, account federation.AccountID, root cardRef) (rest, error) {
	cards, err := p.accounts.cards(ctx, account)
	if err != nil {
		return rest{}, fmt.Errorf("read cards: %w", err)
	}
	i := slices.IndexFunc(cards, func(c card) bool { return c.Ref == root })
	if i < 0 {
		return rest{}, nil
	}
	r := rest{Cards: restOn(cards, root), Since: cards[i].Since}
	if r.Since.Before(cards[i].Opens) {
		r.Since = cards[i].Opens
	}
	return r, nil
}

// takeBack ends a tie and what it has left behind, in the transaction that ctx holds, under the account's lock: ties, passkeys and preparations are
// made under it too, and nothing slips through between.
func (p *Provider) takeBack(ctx context.Context, account federation.AccountID, w whatEnds, reason federation.LogoutReason) error {
	r, err := p.restOf(ctx, account, w.Card)
	if err != nil {
		return err
	}
	if err := ended(p.accounts.cutCard(ctx, w)); err != nil {
		return err
	}
	for _, ref := range r.Cards {
		also := whatEnds{Card: ref, Revoked: endUndone, In: w.In}
		if _, err := p.accounts.cutCard(ctx, also); err != nil {
			return err
		}
		if err := p.markBeside(ctx, account, also, reason); err != nil {
			return err
		}
	}
	if err := p.accounts.unmark(ctx, account, r.Since); err != nil {
		return err
	}
	if err := p.unattest(ctx, account, r.Since); err != nil {
		return err
	}
	return p.markBeside(ctx, account, w, reason)
}

// unattest takes away what was confirmed since: it may be what another person's signature certificate states.
func (p *Provider) unattest(ctx context.Context, account federation.AccountID, since time.Time) error {
	a, err := p.attestations.of(ctx, account)
	if err != nil || a == nil || a.confirmed().Before(since) {
		return err
	}
	return p.attestations.remove(ctx, account, func(ctx context.Context) error {
		return p.record(ctx, audit.Event{Kind: eventUnattested, Account: string(account), Facts: map[string]string{"source": string(fromSigningCard)}})
	})
}

// stillSignedIn reports LoginExpired if what a session rests on was taken back meanwhile. Under the account's lock that stays so until the commit.
func (p *Provider) stillSignedIn(ctx context.Context, s *session) error {
	stand, err := p.accounts.footing(ctx, s.Account, s.Card)
	if err != nil {
		return fmt.Errorf("account of session: %w", err)
	}
	if stand.over(s.Created) {
		return &Error{Reason: LoginExpired, Detail: "session ended meanwhile"}
	}
	return nil
}
