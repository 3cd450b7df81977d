package idp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// getDeviceConfirm asks whether the device is the citizen's own (RFC 8628 §5.4): who asks, since when, and what nobody would ask her to do.
func (p *Provider) getDeviceConfirm(c echo.Context) error {
	tx, err := p.ownTransaction(c, c.QueryParam("tx"))
	if err != nil {
		return err
	}
	_, _, step, err := p.where(c, tx)
	if err != nil {
		return err
	}
	if step != StepConfirmDevice {
		return p.advance(c, tx)
	}
	d, err := p.deviceRequest(c.Request().Context(), tx)
	if err != nil {
		return err
	}
	if why := p.closed(d, tx.Browser); why != nil {
		return why
	}
	service, err := p.serviceOf(c, tx)
	if err != nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "device-confirm", Title: "device.confirm.title",
		Data: deviceConfirmView{Tx: tx.ID, Service: service, Code: tx.UserCode.String(), Minutes: int(max(0, p.now().Unix()-d.Asked) / 60)},
	})
	return nil
}

// postDeviceConfirm takes the answer.
func (p *Provider) postDeviceConfirm(c echo.Context) error {
	tx, err := p.ownTransaction(c, c.FormValue("tx"))
	if err != nil {
		return err
	}
	_, _, step, err := p.where(c, tx)
	if err != nil {
		return err
	}
	if step != StepConfirmDevice {
		return p.advance(c, tx)
	}
	switch c.FormValue("decision") {
	case "yes":
		tx.Confirmed = true
		if err := p.transactions.save(c.Request().Context(), tx); err != nil {
			return err
		}
		return p.advance(c, tx)
	case "no":
		return p.refuse(c, tx, &oauthError{code: "access_denied", description: "the citizen does not know the device"})
	}
	return &Error{Reason: BadRequest, Detail: "decision is neither yes nor no"}
}

// deviceRequest returns the request of the device that a login is for, or an *Error if its time is over.
func (p *Provider) deviceRequest(ctx context.Context, tx *transaction) (*deviceRecord, error) {
	d, err := p.devices.get(ctx, tx.Device)
	if errors.Is(err, ephemeral.ErrNotFound) {
		return nil, &Error{Reason: CodeExpired, Detail: "device request gone", Client: tx.clientID()}
	}
	if err != nil {
		return nil, fmt.Errorf("read device request: %w", err)
	}
	return d, nil
}

// approveDevice ends a login that a device asked for: the grant first, then the word to the device, so that a device that hears it
// finds the grant.
func (p *Provider) approveDevice(c echo.Context, tx *transaction, s *session, g *grant) error {
	ctx := c.Request().Context()
	d, err := p.deviceRequest(ctx, tx)
	if err != nil {
		return err
	}
	if why := p.closed(d, tx.Browser); why != nil {
		return p.deviceDecided(c, tx, why)
	}
	g.Device, g.Code = true, codeRecord{Digest: d.signature(), Exp: d.Exp}
	if err := p.grants.create(ctx, g); errors.Is(err, ephemeral.ErrExists) {
		// Another press is as far as this one, or the hub stopped between the two writes. Somebody else's grant stays somebody else's.
		other, _, err := p.grants.get(ctx, g.ID)
		if err != nil && !errors.Is(err, ephemeral.ErrNotFound) {
			return fmt.Errorf("read grant of device: %w", err)
		}
		if err != nil || other.Tx != tx.ID || other.SID != s.ID || other.Account != s.Account {
			return &Error{Reason: CodeUsed, Detail: "approved in another login", Client: tx.clientID()}
		}
	} else if err != nil {
		return fmt.Errorf("store grant of device: %w", err)
	}
	// Before the device hears of it: what nobody can read about must not have been. Presses at the same moment are each written down.
	if err := p.record(ctx, audit.Event{Kind: eventDeviceApproved, Account: string(s.Account), Client: string(g.Client), Session: s.ID,
		Facts: map[string]string{"acr": s.ACR, "scopes": scopeText(g.Scopes)}}); err != nil {
		return err
	}
	_, err = p.devices.change(ctx, d.handle, func(d *deviceRecord) error {
		if why := p.closed(d, tx.Browser); why != nil {
			return why
		}
		return d.move(deviceApproved)
	})
	var why *Error
	if errors.As(err, &why) {
		return p.deviceDecided(c, tx, why)
	}
	if err != nil {
		return err
	}
	if err := p.close(ctx, tx); err != nil {
		return err
	}
	return p.deviceDone(c, tx)
}

// deviceDecided: a request that cannot be approved any more. Either another press of this very login did so, and all is well; or it ended
// otherwise, and a grant that was made for it must not live.
func (p *Provider) deviceDecided(c echo.Context, tx *transaction, why *Error) error {
	ctx := c.Request().Context()
	d, err := p.deviceRequest(ctx, tx)
	if err != nil {
		return err
	}
	if d.State != deviceApproved && d.State != deviceSpent {
		if err := p.grants.revoke(ctx, tx.Request.Grant); err != nil {
			return err
		}
		return why
	}
	g, _, err := p.grants.find(ctx, tx.Request.Grant)
	if err != nil {
		return fmt.Errorf("read grant of device: %w", err)
	}
	if g.Tx != tx.ID {
		return why
	}
	return p.deviceDone(c, tx)
}

// denyDevice ends a login that a device asked for without success. Tokens that the device has already are not taken back here: that
// is what the account page is for.
func (p *Provider) denyDevice(c echo.Context, tx *transaction) error {
	ctx := c.Request().Context()
	d, err := p.devices.change(ctx, tx.Device, func(d *deviceRecord) error { return d.move(deviceDenied) })
	switch {
	case errors.Is(err, ephemeral.ErrNotFound), errors.Is(err, errMove):
	case err != nil:
		return err
	default:
		if err := p.grants.revoke(ctx, d.Request.Grant); err != nil {
			return err
		}
		if err := p.recordStranger(ctx, audit.Event{Kind: eventDeviceDenied, Client: tx.clientID()}); err != nil {
			return err
		}
	}
	return p.deviceDone(c, tx)
}

func (p *Provider) deviceDone(c echo.Context, tx *transaction) error {
	return c.Redirect(http.StatusSeeOther, "/device/done?"+url.Values{"tx": {tx.ID}}.Encode())
}

// getDeviceDone says how it ended. It has an address of its own, so that a reload says it again.
func (p *Provider) getDeviceDone(c echo.Context) error {
	tx, err := p.ownTransaction(c, c.QueryParam("tx"))
	if err != nil {
		return err
	}
	if tx.Device == "" {
		return p.advance(c, tx)
	}
	d, err := p.deviceRequest(c.Request().Context(), tx)
	if err != nil {
		return err
	}
	if d.State == deviceShown && tx.State != Refused && tx.State != Completed && !d.expired(p.now()) {
		return p.advance(c, tx)
	}
	if d.State == deviceShown || d.State == devicePending {
		return &Error{Reason: CodeExpired, Detail: "time is over", Client: tx.clientID()}
	}
	service, err := p.serviceOf(c, tx)
	if err != nil {
		return err
	}
	v := deviceDoneView{Service: service, Approved: d.State == deviceApproved || d.State == deviceSpent}
	title := "device.denied.title"
	if v.Approved {
		title = "device.done.title"
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "device-done", Title: title, Data: v})
	return nil
}
