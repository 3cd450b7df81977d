package idp

import (
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
)

// passedOn is a citizen's token on its way to another resource, its parties proven; what is left is whether it may go there.
type passedOn struct {
	Requester *clients.Client
	Account   federation.AccountID // whom the subject token is about
	From      clients.ID           // the client the subject token was issued to
	Target    *clients.Client      // the client that serves Resource
	Resource  string
	Scopes    []string
	Actors    int // actors there will be in the new token, the requester included
}

const (
	exchangeLife       = 5 * time.Minute
	maxActors          = 4
	exchangeRegistered = "registration" // what such an exchange rests on, in the audit log
)

// registered permits what is registered: the resources a client may name are those it may exchange a token for. A chain of more than
// four services is nothing anybody has planned.
func (e passedOn) registered() bool {
	return e.Actors <= maxActors && slices.Contains(e.Requester.Resources(), e.Resource)
}
