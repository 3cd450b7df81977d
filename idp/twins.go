package idp

import (
	"context"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
)

// sweepTwinsEvery is how long a twin's traces may outlive it.
const sweepTwinsEvery = 5 * time.Minute

// SweepTwins removes what is left of twins whose hour is over, until ctx ends: what people agreed to there, their names there, and last the twin, so
// that a sweep that is cut off is begun again. It returns only with ctx.
func (p *Provider) SweepTwins(ctx context.Context) error {
	for {
		if err := p.SweepTwinsOnce(ctx); err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, "twins of services are not being removed", "err", err) // until the database is back
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(sweepTwinsEvery):
		}
	}
}

// SweepTwinsOnce is one round of SweepTwins.
func (p *Provider) SweepTwinsOnce(ctx context.Context) error {
	over, err := p.clients.OverTwins(ctx)
	if err != nil {
		return err
	}
	for _, id := range over {
		if _, err := p.db.Exec(ctx, `DELETE FROM consent WHERE client = $1`, string(id)); err != nil {
			return fmt.Errorf("forget consents of twin: %w", err)
		}
		if err := p.subjects.ForgetSector(ctx, "client:"+string(id)); err != nil {
			return err
		}
		if err := p.clients.RemoveTwin(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// RegistrationPolicies are the policies of the hub's configuration, by which clients register themselves.
func (p *Provider) RegistrationPolicies() []clients.Policy { return p.registrar.Policies() }
