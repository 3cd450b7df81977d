package idp

import (
	"context"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
)

// exchange is a token exchange whose parties are proven; what is left is whether it may be.
type exchange struct {
	Requester *clients.Client
	Account   federation.AccountID // whom the subject token is about
	From      clients.ID           // the client the subject token was issued to
	Target    *clients.Client      // the client that serves Resource
	Resource  string
	Scopes    []string
	Actors    int // actors there will be in the new token, the requester included
}

// exchangeDecision is what a policy says to an exchange it allows.
type exchangeDecision struct {
	Permitted bool
	Life      time.Duration // of the new token, at most
	Basis     string        // what it rests on, for the audit log: a word of the policy's closed set
}

// exchangePolicy decides which exchanges there are. It is asked after every check of the protocol and before anything is issued.
type exchangePolicy interface {
	Permit(ctx context.Context, e exchange) (exchangeDecision, error)
}

const (
	exchangeLife = 5 * time.Minute
	maxActors    = 4
)

// registeredExchanges permits what is registered: the resources a client may name are those it may exchange a token for. A chain of
// more than four services is nothing anybody has planned.
type registeredExchanges struct{}

// Permit implements exchangePolicy.
func (registeredExchanges) Permit(_ context.Context, e exchange) (exchangeDecision, error) {
	if e.Actors > maxActors || !slices.Contains(e.Requester.Resources(), e.Resource) {
		return exchangeDecision{}, nil
	}
	return exchangeDecision{Permitted: true, Life: exchangeLife, Basis: "registration"}, nil
}
