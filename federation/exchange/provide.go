package exchange

import (
	"context"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// Outcome is what became of an exchange.
type Outcome string

// The outcomes. Asked is until the provider says what it did, and for ever if it never does.
const (
	Asked      Outcome = "requested"
	Provided   Outcome = "provided"
	Nothing    Outcome = "none"       // the provider knows nothing of her
	Declined   Outcome = "declined"   // the provider did not want to
	Refused    Outcome = "refused"    // by the hub
	Unanswered Outcome = "unanswered" // asked for, and the provider's time is over; never stored
)

// Confirmation is what a provider says that it did.
type Confirmation struct {
	Outcome Outcome // Provided, Nothing or Declined
	Ground  Ground  // that the provider knows of
}

// Provision is a confirmation as it was recorded.
type Provision struct {
	Confirmation
	ID   string
	At   time.Time
	Late bool
}

// Confirm records what the provider of an exchange did. The first word counts; the same again changes nothing and answers the same,
// another is refused as Settled. After the ten minutes it is recorded all the same, as late: that information was given matters more.
func (r *Register) Confirm(ctx context.Context, provider clients.ID, id string, said Confirmation) (Provision, error) {
	var out Provision
	err := r.db.Tx(ctx, func(ctx context.Context) error {
		now := r.now()
		won, err := settle(ctx, r.db, provider, id, said, now)
		if err != nil {
			return err
		}
		rec, err := findProvided(ctx, r.db, provider, id)
		if err != nil {
			return err
		}
		out = Provision{Confirmation: Confirmation{rec.Outcome, rec.HiddenByProvider}, ID: id, At: rec.Answered, Late: rec.Answered.After(rec.Deadline)}
		if out.Confirmation != said {
			return &Error{Reason: Settled, Detail: "another confirmation was recorded before"}
		}
		if !won {
			return nil
		}
		facts := factsOf(id, rec.Basis, rec.Version, rec.Purpose, rec.Item, said.Ground)
		if out.Late {
			facts["late"] = "true"
		}
		switch {
		case said.Ground != Disclosed:
		case rec.HiddenByRequester != Disclosed:
			facts["nondisclosure"] = "requester"
		case rec.Protected != Disclosed:
			facts["nondisclosure"] = "protection"
		}
		return r.log.Append(ctx, audit.Event{
			Kind: EventProvided, Account: string(rec.Account), Client: string(rec.Requester.Client), Actor: string(provider), Reason: string(said.Outcome),
			Facts: facts,
		})
	})
	if err != nil {
		return Provision{}, err
	}
	return out, nil
}
