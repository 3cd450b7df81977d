package idp

import (
	"fmt"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/federation"
)

// handlePlace says where a sealed card handle is kept. One that was moved to another place does not open.
type handlePlace []byte

// inTransaction: between the card's answer and the account, in the proof of one login.
func inTransaction(tx string) handlePlace { return handlePlace("card-handle/1/transaction\x00" + tx) }

// inBinding: with what ties the card to the account, for as long as that lasts.
func inBinding(account federation.AccountID, card cardRef) handlePlace {
	return handlePlace("card-handle/1/binding\x00" + string(account) + "\x00" + card.IssuerKey + "\x00" + card.Serial)
}

// sealHandle makes the only form in which the hub keeps a handle: it names the citizen's certificate to its authority.
func (p *Provider) sealHandle(h cardauth.Handle, at handlePlace) ([]byte, error) {
	b, err := h.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("card handle: %w", err)
	}
	return p.sealer.Seal(b, at), nil
}

// openHandle is the inverse of sealHandle.
func (p *Provider) openHandle(sealed []byte, at handlePlace) (cardauth.Handle, error) {
	b, err := p.sealer.Open(sealed, at)
	if err != nil {
		return cardauth.Handle{}, fmt.Errorf("card handle: %w", err)
	}
	return cardauth.UnmarshalHandle(b)
}
