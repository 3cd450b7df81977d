package idp

import (
	"context"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/idp/passkey"
)

// goodCard refuses unless the person has a card that has neither ended nor expired, and that the authority stands by: a passkey stands in
// for the card, and whose card was taken back is not let in by what she registered with it. Cards that nobody asked about for a while are
// asked about now; one that is found revoked ends here, with all that it made. The session then rests on there being such a card (see
// watchLogin), not on the one found here.
func (p *Provider) goodCard(ctx context.Context, account federation.AccountID) error {
	v, err := p.vouchForAny(ctx, account)
	switch {
	case err != nil:
		return err
	case v == cardUnsure:
		return &passkey.Error{Reason: passkey.CardUnconfirmed, Detail: "nobody says whether the card is good"}
	case v == cardOver:
		return &passkey.Error{Reason: passkey.NoCard, Detail: "every card has ended, expired or was revoked"}
	}
	return nil
}
