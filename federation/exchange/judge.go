package exchange

import (
	"context"
	"crypto/rand"
	"strconv"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/govcode"
)

// answerTime is how long the provider has to say what it did.
const answerTime = 10 * time.Minute

// Party is an office in an exchange.
type Party struct {
	Client clients.ID
	clients.Agency
}

// Request is what a proven office wants to know.
type Request struct {
	Account   federation.AccountID // the citizen; empty: nobody has the name that was given
	Requester Party
	Provider  Party // who serves the resource; zero: no office does
	Ask       Ask
}

// Permit is a request that was allowed and recorded.
type Permit struct {
	ID    string // of the exchange
	Basis Basis
}

// Judge decides on a request and writes its record. An *Error with a reason from NoBasis to UnknownSubject is a refusal, which is
// recorded as well. After any other error nothing was decided.
func (r *Register) Judge(ctx context.Context, q Request) (Permit, error) {
	id := rand.Text()
	var permit Permit
	var refused Reason
	err := r.db.Tx(ctx, func(ctx context.Context) error {
		now := r.now()
		version, basis, reason, err := r.weigh(ctx, q, now)
		if err != nil {
			return err
		}
		permit, refused = Permit{ID: id, Basis: basis}, reason
		protected, err := protectionOf(ctx, r.db, q.Account, now)
		if err != nil {
			return err
		}
		if err := insertRecord(ctx, r.db, id, q, version, protected, reason, now); err != nil {
			return err
		}
		e := audit.Event{
			Kind: EventRequested, Account: string(q.Account), Client: string(q.Provider.Client), Actor: string(q.Requester.Client),
			Facts: factsOf(id, q.Ask.Basis, version, q.Ask.Purpose, q.Ask.Item, max(q.Ask.Ground, protected)),
		}
		if reason != 0 {
			e.Kind, e.Reason = EventRefused, reason.String()
		}
		return r.log.Append(ctx, e)
	})
	if err != nil {
		return Permit{}, err
	}
	if refused != 0 {
		return Permit{}, &Error{Reason: refused, Detail: "recorded as refused", ID: id}
	}
	return permit, nil
}

// weigh is the whole of the rules, in the order in which they take precedence. The name of the citizen comes last: an office without a
// basis learns nothing about it.
func (r *Register) weigh(ctx context.Context, q Request, now time.Time) (version int64, basis Basis, why Reason, err error) {
	set, ever, err := currentSet(ctx, r.db, now)
	if err != nil {
		return 0, basis, 0, err
	}
	found := false
	if ever {
		if basis, found, err = findBasis(ctx, r.db, set.Version, q.Ask.Basis, q.Requester.Body); err != nil {
			return 0, basis, 0, err
		}
	}
	if !found {
		why, err = r.missing(ctx, q, now)
		return 0, basis, why, err
	}
	switch {
	case now.Before(basis.From):
		why = BasisNotInForce
	case !now.Before(set.Until), !now.Before(basis.Until):
		why = BasisExpired
	case q.Ask.Purpose != basis.Purpose:
		why = WrongPurpose
	case q.Provider.Body != basis.Provider:
		why = WrongProvider
	case q.Ask.Item != basis.Item:
		why = WrongItem
	case q.Account == "":
		why = UnknownSubject
	}
	return set.Version, basis, why, nil
}

// missing says why the set in force is without the basis.
func (r *Register) missing(ctx context.Context, q Request, now time.Time) (Reason, error) {
	coming, past, err := elsewhere(ctx, r.db, q.Ask.Basis, q.Requester.Body, now)
	switch {
	case err != nil:
		return 0, err
	case coming:
		return BasisNotInForce, nil
	case past:
		return BasisExpired, nil
	}
	return NoBasis, nil
}

func factsOf(id string, basis BasisName, version int64, purpose govcode.Procedure, item govcode.Item, ground Ground) map[string]string {
	f := map[string]string{
		"exchange": id, "basis": string(basis), "version": strconv.FormatInt(version, 10), "purpose": purpose.String(), "item": item.String(),
	}
	if ground != Disclosed {
		f["nondisclosure"] = strconv.Itoa(int(ground))
	}
	return f
}
