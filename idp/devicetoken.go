package idp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// unknownDevice is the answer to a code that is not this client's to redeem.
func unknownDevice(detail string) *oauthError {
	return &oauthError{code: "invalid_grant", description: "the device code is unknown, used or not this client's", err: errors.New(detail)}
}

// redeemDevice answers a poll (RFC 8628 §3.4, §3.5).
func (p *Provider) redeemDevice(ctx context.Context, req tokenRequest) (tokenAnswer, error) {
	code := req.form.Get("device_code")
	if grantOf(kindDevice, code) == "" {
		return tokenAnswer{}, unknownDevice("malformed")
	}
	d, err := p.devices.get(ctx, digest(code))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return tokenAnswer{}, unknownDevice("no such code")
	}
	if err != nil {
		return tokenAnswer{}, fmt.Errorf("read device request: %w", err)
	}
	now := p.now()
	switch {
	case d.Request.Client != req.client.ID():
		return tokenAnswer{}, unknownDevice("code of another client")
	case d.Request.JKT != "" && d.Request.JKT != req.jkt:
		return tokenAnswer{}, engineOAuthError(errWrongKey)
	case d.State == deviceSpent:
		return tokenAnswer{}, p.deviceReplayed(ctx, d)
	case d.expired(now):
		return tokenAnswer{}, &oauthError{code: "expired_token", description: "the device code has expired"}
	case d.State == deviceDenied:
		return tokenAnswer{}, &oauthError{code: "access_denied", description: "the citizen did not agree"}
	case d.State == deviceApproved:
		return p.redeemApproved(ctx, req, d)
	}
	return tokenAnswer{}, p.poll(ctx, d, now)
}

// poll notes a poll that comes before the citizen has decided. The longer interval is kept with the request: a device that does not
// slow down is told so at every process of the hub.
func (p *Provider) poll(ctx context.Context, d *deviceRecord, now time.Time) error {
	early := d.Polled != 0 && now.UnixMilli()-d.Polled < d.Interval-deviceJitter.Milliseconds()
	if early {
		d.Interval += deviceSlower.Milliseconds()
	}
	d.Polled = now.UnixMilli()
	err := p.devices.swap(ctx, d)
	switch {
	case errors.Is(err, ephemeral.ErrConflict):
		// Another poll at the same moment, which is too early, or the citizen, whose decision the next poll will hear of.
		fresh, err := p.devices.get(ctx, d.handle)
		if err != nil {
			return fmt.Errorf("read device request: %w", err)
		}
		early = fresh.Polled >= d.Polled
	case err != nil:
		return fmt.Errorf("store poll: %w", err)
	}
	if early {
		return &oauthError{code: "slow_down", description: "wait five seconds longer between polls, from now on"}
	}
	return &oauthError{code: "authorization_pending", description: "the citizen has not decided yet"}
}

// redeemApproved issues the tokens. That there is one answer is decided by the swap of the grant; the device's own record only tells
// later polls.
func (p *Provider) redeemApproved(ctx context.Context, req tokenRequest, d *deviceRecord) (tokenAnswer, error) {
	u := p.unit(req.client)
	u.jkt, u.x5t = req.jkt, req.x5t
	answer, err := p.engine.redeem(ctx, u, req.http, req.form)
	if err != nil {
		return tokenAnswer{}, storeOutcome(err)
	}
	_, err = p.devices.change(ctx, d.handle, func(d *deviceRecord) error {
		d.Spent = p.now().Unix()
		return d.move(deviceSpent)
	})
	if err != nil { // the tokens exist: the device must have them, whatever the record says
		p.log.ErrorContext(ctx, "device code not marked as spent", "client", req.client.ID(), "err", err)
	}
	return answer, nil
}

// deviceReplayed judges a code that was redeemed before. Inside the grace time it is a doubled poll, as RFC 8628 §3.5 tells devices to
// send after a lost answer; later it is somebody else's.
func (p *Provider) deviceReplayed(ctx context.Context, d *deviceRecord) error {
	if p.now().Sub(time.Unix(d.Spent, 0)) <= refreshGrace {
		return unknownDevice("used a moment ago")
	}
	g, _, err := p.grants.get(ctx, d.Request.Grant)
	if errors.Is(err, ephemeral.ErrNotFound) {
		return unknownDevice("used, and ended since")
	}
	if err != nil {
		return fmt.Errorf("read grant of device: %w", err)
	}
	if err := p.grants.revoke(ctx, g.ID); err != nil {
		return err
	}
	if err := p.record(ctx, audit.Event{Kind: eventCodeReplayed, Account: string(g.Account), Client: string(g.Client), Session: g.SID,
		Facts: map[string]string{"by": "device"}}); err != nil {
		return err
	}
	return unknownDevice("used")
}
