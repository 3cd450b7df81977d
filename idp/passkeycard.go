package idp

import (
	"context"
	"errors"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/idp/passkey"
)

// goodCard refuses unless the person has a card that has neither ended nor expired, and that the authority stands by: a passkey stands in
// for the card, and whose card was taken back is not let in by what she registered with it. Cards that nobody asked about for a while are
// asked about now; one that is found revoked ends here, with all that it made. The session then rests on there being such a card (see
// watchLogin), not on the one found here.
func (p *Provider) goodCard(ctx context.Context, account federation.AccountID) error {
	cards, err := p.accounts.liveCards(ctx, account)
	if err != nil {
		return err
	}
	unsure := false
	for _, w := range cards {
		v, err := p.vouch(ctx, account, w.Card, w.Checked)
		if err != nil {
			return err
		}
		switch v {
		case cardStands:
			return nil
		case cardUnsure:
			unsure = true
		case cardOver:
		}
	}
	if unsure {
		return &passkey.Error{Reason: passkey.CardUnconfirmed, Detail: "nobody says whether the card is good"}
	}
	return &passkey.Error{Reason: passkey.NoCard, Detail: "every card has ended, expired or was revoked"}
}

// liveByPasskey is liveNow for what a passkey let a service do: it rests on the person's cards, as the passkey does.
func (p *Provider) liveByPasskey(ctx context.Context, u *unit, g *grant) (bool, error) {
	err := p.goodCard(ctx, g.Account)
	refused, ok := errors.AsType[*passkey.Error](err)
	switch {
	case !ok:
		return err == nil, err
	case refused.Reason == passkey.CardUnconfirmed:
		u.unsure = true
		return false, nil
	}
	return p.live(ctx, g) // no card is left: why, is for ground to judge
}
